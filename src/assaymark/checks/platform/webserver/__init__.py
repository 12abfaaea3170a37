"""Web servers: settings of nginx and Apache, read as the server would and judged by our own rules."""
