"""Finds the zizmor that was installed beside us. Cheap enough for the fast path: no process, no `importlib.metadata`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct

from assaymark.errors import EngineMissing


class Engine(Struct, frozen=True):
    """The installed program."""

    binary: str
    version: str


@cache
def installed() -> Engine:
    """The program of the installed package, found without starting it or reading package metadata.

    Raises:
        EngineMissing: when the package or its program is not there.
    """
    for folder in sys.path:
        for record in _records(folder):
            version = record.name.removeprefix("zizmor-").removesuffix(".dist-info")
            for candidate in _candidates(record):
                if candidate.is_file() and os.access(candidate, os.X_OK):
                    return Engine(binary=str(candidate), version=version)
    raise EngineMissing(
        "the zizmor program is not installed",
        why="workflows of GitHub are audited by it, and no package of that name with a program was found in this Python environment",
        advice="install assaymark again with its dependencies, or `pip install zizmor` in the same environment",
    )


def _records(folder: str) -> list[Path]:
    try:
        names = [name for name in os.listdir(folder or ".") if name.startswith("zizmor-") and name.endswith(".dist-info")]  # noqa: PTH208  Path objects of a whole site-packages cost more than the look-up may
    except OSError:
        return []
    return [Path(folder, name) for name in sorted(names)]


def _candidates(record: Path) -> Iterator[Path]:
    """Where the installer says it put the program, then the environment's usual folder."""
    try:
        rows = (record / "RECORD").read_text("utf-8").splitlines()
    except OSError:
        rows = []
    for row in rows:
        name = row.partition(",")[0]
        if name.rpartition("/")[2] in {"zizmor", "zizmor.exe"}:
            yield Path(os.path.normpath(record.parent / name))
    import sysconfig  # noqa: PLC0415 - only where the record does not tell

    suffix = ".exe" if os.name == "nt" else ""
    yield Path(sysconfig.get_path("scripts"), "zizmor" + suffix)
