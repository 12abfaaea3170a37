"""Which releases of the engines are installed, read from the names of their metadata folders.

`importlib.metadata` costs 20 ms to import and would be paid by every commit; a directory listing costs 0.2 ms.
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path


@cache
def installed(module: str, distribution: str) -> str:
    """The version of a distribution, or an empty text when its module cannot be imported here."""
    spec = PathFinder.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    folder = Path(spec.origin).parent.parent
    wanted = distribution.replace("-", "_").lower() + "-"
    for name in sorted(entry.name for entry in folder.glob("*.dist-info")):
        if name.lower().startswith(wanted):
            return name[len(wanted) : -len(".dist-info")]
    return "unknown"


def hyperscan_version() -> str:
    return installed("hyperscan", "hyperscan")


def kingfisher_version() -> str:
    return installed("kingfisher_sdk", "kingfisher-secret-scanner")
