"""Everything that is distributed, as one tar: for a site without a network. The same files give the same bytes.

Guarantees: nothing is ever unpacked to a disk, so that no name of a member can lead anywhere; read are plain files with plain names alone
(no links, devices, holes, names that lead upward or stand twice), up to bounds in number and size; an archive that was cut short is
refused, also where it was cut between two members. Is not compressed, and none that is compressed is read.

Whether what is in it may be believed says TUF, not this.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from assaymark.errors import UsageError

TOP = "trust/"
MOST_BYTES = 512 << 20
MOST_MEMBERS = 20_000
MOST_MEMBER_BYTES = 64 << 20
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._=~-]{1,400}")
_END = bytes(1024)


def packed(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files (path -> bytes)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(TOP + name)
            member.size, member.mode = len(files[name]), 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    return made.getvalue()


def read(path: Path) -> dict[str, bytes]:
    """The files of an archive.

    Raises:
        UsageError: when it cannot be read, or is not what `packed` makes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), advice="name the archive that was brought") from error
    return unpacked(data, str(path))


def unpacked(data: bytes, shown: str) -> dict[str, bytes]:
    """As `read`, of bytes."""
    if len(data) > MOST_BYTES:
        raise _no(shown, f"it is larger than {MOST_BYTES} bytes")
    if len(data) % 512 or data[-len(_END) :] != _END:
        raise _no(shown, "it was cut short: its end is missing")
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= MOST_MEMBERS:
                    raise _no(shown, f"it has more than {MOST_MEMBERS} members")
                name = _plain(member, shown)
                if name in found:
                    raise _no(shown, f"{name[:100]!r} stands in it twice")
                found[name] = _bytes(archive, member, shown)
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise _no(shown, str(error)[:200]) from error
    if not found:
        raise _no(shown, "it is empty")
    return found


def _plain(member: tarfile.TarInfo, shown: str) -> str:
    if not member.isreg() or member.issparse():
        raise _no(shown, f"{member.name[:100]!r} is no plain file")
    name = member.name.removeprefix(TOP)
    if name == member.name or len(name) > 1000 or not all(_NAME.fullmatch(part) for part in name.split("/")):
        raise _no(shown, f"{member.name[:100]!r} is no name of what is distributed")
    return name


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo, shown: str) -> bytes:
    file = archive.extractfile(member) if member.size <= MOST_MEMBER_BYTES else None
    if file is None:
        raise _no(shown, f"{member.name[:100]!r} is larger than {MOST_MEMBER_BYTES} bytes")
    data = file.read()
    if len(data) != member.size:
        raise _no(shown, f"{member.name[:100]!r} was cut short")
    return data


def _no(shown: str, why: str) -> UsageError:
    return UsageError(f"{shown} is no archive of trust", why=why, advice="have it exported and brought again")
