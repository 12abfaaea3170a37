"""Third-party components: what a lock file or an image holds, and which advisories speak of it."""
