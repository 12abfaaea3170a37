"""Data files of this folder. Opened by path: `importlib.resources` costs more to import than the whole check costs to ask what it knows."""

from __future__ import annotations

from pathlib import Path


def data(name: str) -> bytes:
    """The bytes of a shipped file."""
    return (Path(__file__).parent / name).read_bytes()
