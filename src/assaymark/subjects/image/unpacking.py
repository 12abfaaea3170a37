"""A layer's bytes as the tar that they hold: plain, or packed by gzip or zstd, piece by piece and never more than agreed.

Guarantees: memory is bounded whatever the stream says; a stream that ends too early, is damaged, unpacks to more than the limits, or goes
on with something else behind its end is refused as a whole. Packed by something else (xz, bzip2, encrypted): refused, with that word.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import IO, cast

from assaymark.errors import SubjectUnreadable
from assaymark.subjects.archive import MAX_BYTES, MAX_RATIO, RATIO_FLOOR, refused

PIECE = 1 << 20
"""Bytes of one piece: what a hash or a decoder works on while it leaves the interpreter to others."""
ZSTD_WINDOW = 128 << 20
"""Memory that a zstd frame may ask for: what ``zstd --long=27`` needs, and more than any builder's default."""

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))
_FOREIGN = {b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}


def packing(head: bytes) -> str:
    """``gzip``, ``zstd``, a word for what is not read, or nothing for a plain stream."""
    if head.startswith(GZIP):
        return "gzip"
    if head.startswith((ZSTD, *_SKIPPABLE)):
        return "zstd"
    return next((word for magic, word in _FOREIGN.items() if head.startswith(magic)), "")


def unpacked(file: int, offset: int, length: int, shown: str) -> Iterator[bytes]:
    """The tar in `length` bytes of an open file from `offset` on; `shown` is what errors call it.

    Raises:
        SubjectUnreadable: see the module.
    """
    kind = packing(os.pread(file, min(8, length), offset))
    stored = _stored(file, offset, length, shown)
    match kind:
        case "":
            return stored
        case "gzip":
            return _metered(_gzip(stored, shown), length, shown)
        case "zstd":
            return _metered(_zstd(stored, shown), length, shown)
        case _:
            raise refused(shown, f"it is packed by {kind}, which images do not use", "save the image again with docker, podman or skopeo")


def _stored(file: int, offset: int, length: int, shown: str) -> Iterator[bytes]:
    end = offset + length
    while offset < end:
        piece = os.pread(file, min(PIECE, end - offset), offset)
        if not piece:
            raise truncated(shown)
        offset += len(piece)
        yield piece


def truncated(shown: str) -> SubjectUnreadable:
    """The error for what ends too early."""
    return refused(shown, "it ends too early", "fetch it again")


def _damaged(shown: str, what: str) -> SubjectUnreadable:
    return refused(shown, f"its packed stream is damaged: {what}", "fetch it again")


def _metered(pieces: Iterator[bytes], packed: int, shown: str) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_BYTES:
            raise refused(shown, f"unpacked it is larger than {MAX_BYTES >> 30} GiB")
        if total > RATIO_FLOOR and total > packed * MAX_RATIO:
            raise refused(shown, f"it unpacks to more than {MAX_RATIO} times its size, as archives do that are made to exhaust memory")
        yield piece


def _gzip(stored: Iterator[bytes], shown: str) -> Iterator[bytes]:
    """Members one behind the other, as parallel packers and lazily pulled images make them."""
    from isal import isal_zlib  # noqa: PLC0415 - only for images
    from isal.igzip_lib import IsalError  # noqa: PLC0415

    decoder = isal_zlib.decompressobj(wbits=31)
    begun = False
    try:
        for piece in stored:
            feed = piece
            while feed:
                if decoder.eof:
                    feed = feed.lstrip(b"\0")  # padding behind the last member
                    if not feed:
                        break
                    decoder, begun = isal_zlib.decompressobj(wbits=31), False
                begun = True
                data = decoder.decompress(feed, PIECE)
                if data:
                    yield data
                feed = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    except (IsalError, zlib.error, EOFError) as error:  # type: ignore[misc] # the library's stub calls its error a value
        raise _damaged(shown, str(error)) from error
    if begun and not decoder.eof:
        raise truncated(shown)


class _Source:
    """Pieces as the file that the zstd library reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def _zstd(stored: Iterator[bytes], shown: str) -> Iterator[bytes]:
    """Frames one behind the other, skippable ones included.

    The library does not tell the end of a stream from its being cut off; whoever reads a layer compares the digest of what came out.
    """
    import zstandard  # noqa: PLC0415 - only for images

    reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).stream_reader(
        cast("IO[bytes]", _Source(stored)), read_across_frames=True
    )
    try:
        while data := reader.read(PIECE):
            yield data
    except zstandard.ZstdError as error:
        raise _damaged(shown, str(error)) from error
