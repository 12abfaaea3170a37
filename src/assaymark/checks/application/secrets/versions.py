"""Which releases of the engines are installed, read from the names of their metadata folders.

`importlib.metadata` costs 20 ms to import and would be paid by every commit; a directory listing costs 0.2 ms.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.machinery import PathFinder


@cache
def installed(module: str, distribution: str) -> str:
    """The version of a distribution, or an empty text when its module cannot be imported here."""
    spec = PathFinder.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    wanted = distribution.replace("-", "_").lower() + "-"
    for name in _metadata_folders(spec.origin):
        if name.lower().startswith(wanted):
            return name[len(wanted) : -len(".dist-info")]
    return "unknown"


@cache
def _metadata_folders(origin: str) -> tuple[str, ...]:
    """Beside the package that the file belongs to; listed with `os`, because `pathlib` takes longer to import than to list."""
    folder = os.path.dirname(os.path.dirname(origin))  # noqa: PTH120
    return tuple(sorted(name for name in os.listdir(folder) if name.endswith(".dist-info")))  # noqa: PTH208


def hyperscan_version() -> str:
    return installed("hyperscan", "hyperscan")


def kingfisher_version() -> str:
    return installed("kingfisher_sdk", "kingfisher-secret-scanner")
