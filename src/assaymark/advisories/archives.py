"""Records as bytes, out of what OSV publishes: ``<ecosystem>/all.zip``, zip files beside each other, folders of JSON files.

Bounded in members, bytes of a member and bytes in all; nothing is unpacked to disk; links are not followed out of the folder.
"""

from __future__ import annotations

import fnmatch
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from assaymark.errors import UsageError

MOST_RECORDS = 4_000_000
LARGEST_RECORD = 16 << 20
LARGEST_TOTAL = 32 << 30
_KEV = ("kev*.json", "known_exploited_vulnerabilities*.json")
_EPSS = ("epss*.csv", "epss*.csv.gz")


class Raw(Struct, frozen=True):
    """A member that may be a record."""

    name: str
    data: bytes


class Found(Struct, frozen=True):
    """What a folder holds."""

    archives: tuple[Path, ...]
    records: tuple[Path, ...]
    kev: tuple[Path, ...]
    epss: tuple[Path, ...]


def look(folder: Path) -> Found:
    """Sort the files of a folder by what they are.

    Raises:
        UsageError: when there is nothing of use.
    """
    if folder.is_file():
        return Found((folder,), (), (), ()) if zipfile.is_zipfile(folder) else Found((), (folder,), (), ())
    if not folder.is_dir():
        raise UsageError(f"{folder} is neither a folder nor a file", advice="name a folder with OSV archives")
    files = sorted(path for path in _walk(folder) if path.is_file() and not path.is_symlink())
    kev = [path for path in files if _named(path, _KEV)]
    found = Found(
        archives=tuple(path for path in files if path.suffix == ".zip"),
        records=tuple(path for path in files if path.suffix == ".json" and path not in set(kev)),
        kev=tuple(kev),
        epss=tuple(path for path in files if _named(path, _EPSS)),
    )
    if not found.archives and not found.records:
        raise UsageError(
            f"{folder} holds no advisories", why="there is no .zip and no .json in it", advice="name a folder with OSV archives"
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here) / name for name in names)


def _named(path: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path.name.lower(), pattern) for pattern in patterns)


def members(archive: Path) -> Iterator[Raw]:
    """The JSON files of a zip archive.

    Raises:
        UsageError: when it is no zip file, or larger than archives of advisories are.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            rows = [info for info in opened.infolist() if info.filename.endswith(".json") and not info.is_dir()]
            if len(rows) > MOST_RECORDS:
                raise UsageError(f"{archive} has more than {MOST_RECORDS} members", advice="fetch it again")
            total = 0
            for info in rows:
                data = _member(opened, info, archive)
                total += len(data)
                if total > LARGEST_TOTAL:
                    raise UsageError(f"{archive} unpacks to more than {LARGEST_TOTAL >> 30} GiB", advice="fetch it again")
                yield Raw(info.filename, data)
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{archive} cannot be read", why=str(error), advice="fetch it again") from error


def _member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path) -> bytes:
    with opened.open(info) as stream:
        data = stream.read(LARGEST_RECORD + 1)
    if len(data) > LARGEST_RECORD:
        raise UsageError(f"{archive}: {info.filename} has more than {LARGEST_RECORD >> 20} MiB", advice="fetch it again")
    return data


def record_at(path: Path) -> Raw:
    """One JSON file.

    Raises:
        UsageError: when it cannot be read or is larger than records are.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_RECORD + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > LARGEST_RECORD:
        raise UsageError(f"{path} has more than {LARGEST_RECORD >> 20} MiB", advice="leave it out")
    return Raw(path.name, data)
