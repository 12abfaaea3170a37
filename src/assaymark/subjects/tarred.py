"""Tar files, plain or packed, read as one stream. Limits, names and refusals are those of `assaymark.subjects.archive`.

A packed tar is unpacked piece by piece in memory; what a header may cost is bounded as well, since a header's own length is hostile input.
A hard link is the file that it names, if that came before it in the archive.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from tarfile import HeaderError, ReadError
from typing import IO, BinaryIO, Self, cast

from assaymark.model.subject import EntryKind
from assaymark.subjects.archive import Budget, Member, confined_name, refused

HEADER_BYTES = 1 << 20
"""Between two members: long names and extended headers of honest archives stay below a few kilobytes."""
XZ_MEMORY = 256 << 20
"""Of the xz decoder: a header may ask for 4 GiB, presets go up to 64 MiB."""

_PIECE = 1 << 18
_NAMES = "surrogateescape"
_ENDS = (vars(tarfile)["EOFHeaderError"], vars(tarfile)["EmptyHeaderError"])
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, OverflowError)


class _TooMuchHeader(Exception):  # noqa: N818 - turned into a refusal below
    pass


class _Metered:
    """The unpacked stream, counted: against the archive's budget always, against the header's while no content is read."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self.allowed = HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(_PIECE if size < 0 else size)
        self._budget.spend(len(data))
        self.allowed -= len(data)
        if self.allowed < 0:
            raise _TooMuchHeader
        return data


class _Xz:
    """Like ``lzma.open``, with bounded memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        self._left = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(_PIECE)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
                self._left = rest
            if self._decoder.needs_input and not self._left:
                self._left = self._file.read(_PIECE)
                if not self._left:
                    raise EOFError("the packed stream ends too early")
            feed, self._left = self._left, b""
            data = self._decoder.decompress(feed, size)
            if data:
                return data


def looks_packed(head: bytes) -> bool:
    """True for the beginnings of packed streams and of tar headers."""
    return head.startswith((_GZIP, _BZIP2, _XZ)) or head[257:262] == b"ustar"


class _Info(tarfile.TarInfo):
    """A header. A damaged one is an error wherever it stands: the library takes it for the end, and would hide what follows."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if isinstance(error, _ENDS):
                raise
            raise ReadError(str(error)) from error


def members(path: str, file: BinaryIO, head: bytes, budget: Budget) -> Iterator[Member]:
    """Members in the archive's order.

    Raises:
        SubjectUnreadable: see `assaymark.subjects.archive`.
    """
    stream = _Metered(_unpacked(file, head), budget)
    with (
        _refusals(path),
        tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", tarinfo=_Info, encoding="utf-8", errors=_NAMES) as archive,
    ):
        yield from _walk(path, archive, stream, budget)


@contextmanager
def _refusals(path: str) -> Iterator[None]:
    try:
        yield
    except _TooMuchHeader as error:
        raise refused(path, f"the headers before a member are longer than {HEADER_BYTES >> 20} MiB") from error
    except _DAMAGED as error:
        raise refused(path, f"it is no intact archive: {str(error) or type(error).__name__}", "fetch it again") from error


def _unpacked(file: BinaryIO, head: bytes) -> IO[bytes]:
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if head.startswith(_BZIP2):
        return cast("IO[bytes]", bz2.BZ2File(file))
    if head.startswith(_XZ):
        return cast("IO[bytes]", _Xz(file))
    return file


def _walk(path: str, archive: tarfile.TarFile, stream: _Metered, budget: Budget) -> Iterator[Member]:
    position = -1
    while (info := archive.next()) is not None:
        vars(archive)["members"] = []  # otherwise every header stays in memory
        stream.allowed = HEADER_BYTES + archive.offset - info.offset_data
        position += 1
        budget.member()
        name = confined_name(info.name, path)
        if info.isdir():
            continue
        yield Member(
            position=position,
            path=name,
            kind=_kind(info),
            executable=bool(info.mode & stat.S_IXUSR),
            packed=info.size,
            pieces=partial(_pieces, path, archive, info, budget),
            same_as=confined_name(info.linkname, path) if info.islnk() else "",
        )


def _kind(info: tarfile.TarInfo) -> EntryKind:
    if info.issym():
        return EntryKind.SYMLINK
    return EntryKind.FILE if info.isreg() or info.islnk() else EntryKind.SPECIAL


def _pieces(path: str, archive: tarfile.TarFile, info: tarfile.TarInfo, budget: Budget) -> Iterator[bytes]:
    if info.issym():
        yield info.linkname.encode("utf-8", _NAMES)
        return
    with _refusals(path):
        content = archive.extractfile(info)
        while content is not None and (piece := content.read(_PIECE)):
            if info.issparse():  # the holes are not in the stream, but whoever unpacks it pays for them
                budget.spend(len(piece))
            yield piece
