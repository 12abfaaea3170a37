"""Data files of this folder.

Read by plain name: importing `pathlib` or `importlib.resources` would cost more than all else that is done to ask the check what it knows.
"""

from __future__ import annotations

_FOLDER = __file__.removesuffix("shipped.py")


def data(name: str) -> bytes:
    """The bytes of a shipped file."""
    with open(_FOLDER + name, "rb") as file:  # noqa: PTH123 - see above
        return file.read()
