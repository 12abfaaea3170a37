"""Finds the ruff that was installed beside us, by its package's own record: never by PATH or the current
folder, where anybody may put another.

Cheap enough for the fast path: no process, no `importlib.metadata`; two directory listings and one small file.
"""

# On the path of every hook: pathlib would cost milliseconds.
# ruff: noqa: PTH113, PTH116, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import os
import sys
from functools import lru_cache

import msgspec
from msgspec import Struct

from assaymark.errors import EngineMissing

_NEWEST_BY_RUFF = (((0, 17, 6), "py315"), ((0, 0, 0), "py314"))
"""Newest grammar by ruff version: a file is read by the newest one, because syntax that is too new for a project is no gap in a check."""


class RuffEngine(Struct, frozen=True):
    """An installed ruff."""

    program: str
    version: str
    identity: str
    """Version and the hash of the program as its package records it."""
    newest_python: str


def locate() -> RuffEngine:
    """The ruff of this interpreter's packages.

    Raises:
        EngineMissing: when there is none, or its program is gone.
    """
    beside = os.path.dirname(os.path.dirname(msgspec.__file__))
    for folder in (beside, *(other for other in sys.path if other.endswith(("site-packages", "dist-packages")))):
        found = _in_packages(folder)
        if found:
            return found
    raise EngineMissing(
        "ruff is not installed",
        why="no ruff package with its program was found beside Assaymark",
        advice="Install it into the same environment: pip install ruff",
    )


def _in_packages(folder: str) -> RuffEngine | None:
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    for name in sorted(names):
        if name.startswith("ruff-") and name.endswith(".dist-info"):
            found = _from_record(folder, name.removeprefix("ruff-").removesuffix(".dist-info"))
            if found:
                return found
    return None


def _from_record(folder: str, version: str) -> RuffEngine | None:
    path = f"{folder}/ruff-{version}.dist-info/RECORD"
    try:
        status = os.stat(path)
        return _read(folder, version, path, (status.st_mtime_ns, status.st_ino, status.st_size))
    except OSError:
        return None


@lru_cache(maxsize=8)
def _read(folder: str, version: str, path: str, stamp: tuple[int, int, int]) -> RuffEngine | None:
    """What a record says; `stamp` tells one state of it from another, for a daemon lives longer than a record."""
    del stamp
    import csv  # noqa: PLC0415 - once per record

    with open(path, encoding="utf-8") as file:
        record = file.read()
    for row in csv.reader(record.splitlines()):
        if row and row[0].replace("\\", "/").rpartition("/")[2] in ("ruff", "ruff.exe"):
            program = os.path.realpath(os.path.join(folder, row[0]))
            recorded = row[1] if len(row) > 1 else ""
            if os.path.isfile(program) and os.access(program, os.X_OK):
                return RuffEngine(program, version, f"{version} {recorded}", _newest_python(version))
    return None


def _newest_python(version: str) -> str:
    number = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    return next((name for at_least, name in _NEWEST_BY_RUFF if number >= at_least), "py314")
