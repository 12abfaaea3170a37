"""Pages: rendered on the server, readable without a script, reachable by keyboard. They ask the same questions as the API."""
