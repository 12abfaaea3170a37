"""Weaknesses in source code: ruff for Python, and any tool that writes SARIF by a manifest."""
