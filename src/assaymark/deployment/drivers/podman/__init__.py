"""Containers of podman on this host: read-only, without rights, bounded, behind an edge that is told who serves."""
