"""Phoenix upgrades: what runs is never changed; a new generation rises beside it, takes over, and the old one is burnt."""
