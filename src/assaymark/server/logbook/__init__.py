"""The transparency log as the server keeps it: who signs its checkpoints, its proofs, its audit, and where it is pinned."""
