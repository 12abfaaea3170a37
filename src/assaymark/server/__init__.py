"""The server: API, pages, webhooks, people and the work that triggers set off. A shell over the same calls as the command line."""
