"""Reads contents of an image by digest.

A layer that is not packed is read by place. A packed one cannot be: the first time that one of its contents is asked for it is unpacked
once more, and what this image may be asked for is written, one after the other, into a temporary file without a name; further contents
come from there. Every content is hashed again when it is handed out.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Content
from assaymark.subjects.image.layout import Layer
from assaymark.subjects.image.remembered import Remembered
from assaymark.subjects.image.survey import Places
from assaymark.subjects.image.unpacking import packing, unpacked

SPOOLED_BYTES = 4 << 30
"""Of one layer's contents in the temporary file; what is beyond is read by unpacking the layer again."""


class ImageReaderSpec(Struct, frozen=True):
    """Recipe of a reader; `places` is None where it is remembered in the cache under `key`."""

    layers: tuple[Layer, ...]
    key: str
    cache: Remembered
    places: Places | None = None

    def open(self) -> ImageReader:
        places = self.places if self.places is not None else self.cache.recall("places", self.key, Places)
        return ImageReader(self.layers, places or Places({}, {}), self.cache.folder)


class ImageReader:
    """See the module."""

    def __init__(self, layers: Sequence[Layer], places: Places, folder: str) -> None:
        self._layers = layers
        self._places = places
        self._folder = folder if os.path.isdir(folder) else None  # noqa: PTH112
        self._files: dict[str, IO[bytes]] = {}
        self._spools: dict[int, _Spool] = {}

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """See `assaymark.model.subject.Reader`; contents come in the order of the layers."""
        wanted: list[tuple[int, int, int, Digest]] = []
        for digest in dict.fromkeys(digests):
            given = self._places.given.get(digest)
            place = self._places.at.get(digest)
            if given is not None:
                yield _content(digest, given, limit)
            elif place is None:
                yield Content(digest=digest, data=None, size=-1, problem="missing")
            elif place[1] < 0:
                yield Content(digest=digest, data=None, size=place[2], problem="unreadable")
            elif place[2] > limit:
                yield Content(digest=digest, data=None, size=place[2], problem="too-large")
            else:
                wanted.append((*place, digest))
        for layer, start, size, digest in sorted(wanted):
            try:
                data = self._take(layer, start, size, limit)
            except (OSError, SubjectUnreadable, SubjectNotFound):
                data = None  # it was listed a moment ago: whatever it is now, it is not what was listed
            if data is None or len(data) < size or sha256(data) != digest:
                yield Content(digest=digest, data=None, size=size, problem="changed")
            else:
                yield Content(digest=digest, data=data, size=size)

    def close(self) -> None:
        """Lets go of files, named and nameless."""
        for file in (*self._files.values(), *(spool.file for spool in self._spools.values())):
            file.close()
        self._files.clear()
        self._spools.clear()

    def _take(self, number: int, start: int, size: int, limit: int) -> bytes | None:
        blob = self._layers[number].blob
        file = self._file(blob.path)
        if not packing(os.pread(file.fileno(), 8, blob.offset)):
            return os.pread(file.fileno(), size, blob.offset + start) if start + size <= blob.length else None
        spool = self._spools.get(number)
        if spool is None or start not in spool.at:
            spool = self._spooled(number, max(limit, size))
        place = spool.at.get(start)
        return os.pread(spool.file.fileno(), size, place) if place is not None else None

    def _file(self, path: str) -> IO[bytes]:
        if path not in self._files:
            self._files[path] = open(path, "rb")  # noqa: SIM115 - closed in `close`
        return self._files[path]

    def _spooled(self, number: int, limit: int) -> _Spool:
        old = self._spools.pop(number, None)
        if old is not None:
            old.file.close()
        blob = self._layers[number].blob
        regions = sorted({(start, size) for layer, start, size in self._places.at.values() if layer == number and 0 <= size <= limit})
        spool = _Spool(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 - closed in `close`
        spool.fill(unpacked(self._file(blob.path).fileno(), blob.offset, blob.length, "layer"), regions)
        self._spools[number] = spool
        return spool


class _Spool:
    """Regions of a stream, one behind the other in a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.at: dict[int, int] = {}

    def fill(self, pieces: Iterator[bytes], regions: Sequence[tuple[int, int]]) -> None:
        """Copy what the regions cover."""
        before = written = 0
        waiting = list(reversed(regions))
        for piece in pieces:
            end = before + len(piece)
            while waiting and waiting[-1][0] < end:
                start, size = waiting[-1]
                part = memoryview(piece)[max(0, start - before) : max(0, start + size - before)]
                if start >= before:
                    if written + size > SPOOLED_BYTES:
                        waiting.pop()
                        continue
                    self.at[start] = written
                self.file.write(part)
                written += len(part)
                if start + size > end:
                    break
                waiting.pop()
            before = end
            if not waiting:
                break
        self.file.flush()


def _content(digest: Digest, data: bytes, limit: int) -> Content:
    if len(data) > limit:
        return Content(digest=digest, data=None, size=len(data), problem="too-large")
    return Content(digest=digest, data=data, size=len(data))
