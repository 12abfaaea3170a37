"""Whether the code on the disk is still the code that this process runs.

Guarantees that an upgrade, an edit or a changed set of packages is noticed at the next request. Looks at times and sizes, not at content.
"""

# pathlib would be one more import in a process that forks at every request.
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from assaymark import hookclient

Stamp = tuple[tuple[str, int, int], ...]


def take(root: str | None = None) -> Stamp:
    """The state of every file of the package, and of the folders that packages are installed into."""
    return tuple(sorted(_states([*_files(root or hookclient.package_folder()), *_site_folders()])))


def is_unchanged(stamp: Stamp) -> bool:
    """Whether a new look would give the same; new files alone do not count, an upgrade changes old ones too."""
    return tuple(_states(path for path, _, _ in stamp)) == stamp


def _states(paths: Iterator[str] | list[str]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            yield path, -1, -1
        else:
            yield path, status.st_mtime_ns, status.st_size


def _files(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in names)


def _site_folders() -> list[str]:
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
