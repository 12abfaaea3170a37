"""A read-only tree, run with bubblewrap or runc: for hosts that have no container engine."""
