"""What was sent becomes documents: as it is, out of gzip, or out of a zip archive.

Guarantees: nothing is unpacked beyond `MOST_BYTES` in all and `MOST_DOCUMENTS` documents, whatever the archive says of itself; nothing is
written to disk, and names in an archive are only names; an archive within an archive is not opened.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from msgspec import Struct

from assaymark.errors import UsageError

MOST_BYTES = 256 << 20
"""Unpacked, in all."""
MOST_DOCUMENTS = 50
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ADVICE = "split it into several imports"


class Document(Struct, frozen=True):
    """One file."""

    name: str
    """As the archive calls it; empty for what came alone."""
    data: bytes


def unpack(data: bytes, *, most: int = MOST_BYTES) -> tuple[Document, ...]:
    """The documents, in the order of the archive.

    Raises:
        UsageError: when it is empty, damaged, or more than can be taken.
    """
    if not data.strip():
        raise UsageError("nothing was sent", advice="send the document as the body")
    if data.startswith(_GZIP):
        return (Document("", _gunzip(data, most)),)
    if data.startswith(_ZIP):
        return _unzip(data, most)
    if len(data) > most:
        raise UsageError(f"the document has more than {most >> 20} MiB", advice=_ADVICE)
    return (Document("", data),)


def _gunzip(data: bytes, most: int) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(data, most + 1)
        if len(found) <= most:
            found += reader.flush(max(1, most + 1 - len(found)))
    except zlib.error as error:
        raise UsageError("what was sent is no whole gzip stream", why=str(error), advice="send it again") from error
    if len(found) > most or reader.unconsumed_tail:
        raise UsageError(f"it unpacks to more than {most >> 20} MiB", advice=_ADVICE)
    if not reader.eof:
        raise UsageError("what was sent is no whole gzip stream", why="its end is missing", advice="send it again")
    if reader.unused_data.strip(b"\0"):
        raise UsageError("something follows the gzip stream", advice="send one stream, or a zip archive of several documents")
    if found.startswith((_GZIP, *_ZIP)):
        raise UsageError("what was sent is packed twice", advice="pack it once")
    return found


def _unzip(data: bytes, most: int) -> tuple[Document, ...]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            rows = [info for info in archive.infolist() if not info.is_dir()]
            if len(rows) > MOST_DOCUMENTS:
                raise UsageError(f"the archive holds more than {MOST_DOCUMENTS} files", advice=_ADVICE)
            found: list[Document] = []
            left = most
            for info in rows:
                content = _member(archive, info, left, most)
                left -= len(content)
                found.append(Document(info.filename, content))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UsageError("the zip archive cannot be read", why=str(error)[:200], advice="pack it anew, without a password") from error
    if not found:
        raise UsageError("the archive is empty", advice="put the documents into it")
    return tuple(found)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    with archive.open(info) as stream:
        while piece := stream.read(min(_PIECE, left + 1 - size)):
            size += len(piece)
            if size > left:
                raise UsageError(f"it unpacks to more than {most >> 20} MiB", advice=_ADVICE)
            pieces.append(piece)
    content = b"".join(pieces)
    if content.startswith((_GZIP, *_ZIP)):
        raise UsageError(f"{info.filename[:100]!r} is an archive in an archive", advice="put the documents into one archive")
    return content
