"""Zip files, read member by member. Limits, names and refusals are those of `assaymark.subjects.archive`.

The directory at the end of the file is what counts, as for every unpacker; its size is bounded before Python's library loads it.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from assaymark.model.subject import EntryKind
from assaymark.subjects.archive import MAX_ENTRIES, Budget, Member, MemberUnreadable, confined_name, refused

MAX_DIRECTORY = 64 << 20
"""Bytes of the directory: 500,000 names of 80 bytes. The library makes an object of about 500 bytes of each."""

_PIECE = 1 << 18
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_END64 = struct.Struct("<4sQ2H2L4Q")
_COMMENT = 65_535
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError, struct.error, zlib.error, lzma.LZMAError)


def looks_zipped(file: BinaryIO) -> bool:
    """True for a zip behind another beginning, as self-extracting ones have."""
    found = _end(file) is not None
    file.seek(0)
    return found


def members(path: str, file: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Members in the directory's order.

    Raises:
        SubjectUnreadable: see `assaymark.subjects.archive`.
    """
    size = _directory_size(file)
    if size > MAX_DIRECTORY:
        raise refused(path, f"its directory is larger than {MAX_DIRECTORY >> 20} MiB")
    try:
        archive = zipfile.ZipFile(file)
    except (*_DAMAGED, IndexError, OverflowError) as error:
        raise refused(path, f"it is no intact zip file: {error}", "fetch it again") from error
    with archive:
        if len(archive.infolist()) > MAX_ENTRIES:
            raise refused(path, f"it has more than {MAX_ENTRIES} members")
        for position, info in enumerate(archive.infolist()):
            budget.member()
            name = confined_name(info.orig_filename, path)
            if info.is_dir():
                continue
            yield Member(
                position=position,
                path=name,
                kind=_kind(info),
                executable=bool(info.external_attr >> 16 & stat.S_IXUSR),
                packed=info.CRC ^ info.compress_size,
                pieces=partial(_pieces, archive, info, budget),
            )


def _kind(info: zipfile.ZipInfo) -> EntryKind:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return EntryKind.SYMLINK
    return EntryKind.FILE if kind in {0, stat.S_IFREG} else EntryKind.SPECIAL


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    if info.flag_bits & 0x1:
        raise MemberUnreadable("encrypted")
    try:
        with archive.open(info) as member:
            while piece := member.read(_PIECE):
                budget.spend(len(piece))
                yield piece
    except _DAMAGED as error:
        raise MemberUnreadable(str(error)) from error


def _end(file: BinaryIO) -> tuple[int, bytes] | None:
    """Offset of the end record, and the record with what follows it."""
    whole = file.seek(0, 2)
    start = max(0, whole - _END.size - _COMMENT)
    file.seek(start)
    tail = file.read(_END.size + _COMMENT)
    at = tail.rfind(_END_MAGIC)
    return (start + at, tail[at:]) if at >= 0 and len(tail) - at >= _END.size else None


def _directory_size(file: BinaryIO) -> int:
    """What the end record says; the 64-bit one wins where there is one. 0 when there is none: the library will say so."""
    end = _end(file)
    if end is None:
        file.seek(0)
        return 0
    offset, record = end
    size: int = _END.unpack(record[: _END.size])[5]
    file.seek(max(0, offset - 20))
    locator = file.read(20)
    if locator[:4] == b"PK\x06\x07":
        file.seek(max(0, offset - 20 - _END64.size))
        record64 = file.read(_END64.size)
        if record64[:4] == b"PK\x06\x06":
            size = max(size if size != 0xFFFFFFFF else 0, _END64.unpack(record64)[8])
    file.seek(0)
    return size
