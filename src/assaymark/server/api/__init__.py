"""The REST API, version 1: a typed layer over Starlette, and one module of routes per subject matter."""
