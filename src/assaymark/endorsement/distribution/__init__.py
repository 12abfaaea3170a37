"""How enforcement points learn whom to believe, what was revoked and what is approved: a TUF repository, as files anybody may carry."""
