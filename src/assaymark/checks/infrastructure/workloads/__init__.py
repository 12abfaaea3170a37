"""Checks of what describes running containers: Kubernetes manifests, Dockerfiles and compose files."""
