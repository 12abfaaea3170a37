"""Manifests: what a project asks for without saying which versions it gets."""
