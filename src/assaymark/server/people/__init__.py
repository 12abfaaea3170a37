"""Who sends a request and how he proved it: accounts, sessions, tokens, passkeys, identity providers."""
