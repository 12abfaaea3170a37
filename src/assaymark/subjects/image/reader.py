"""Reads contents of an image by digest.

A layer that is not packed is read by place, a packed one through a `assaymark.subjects.image.spool`: unpacked once more, by the first
worker that needs one of its contents. Every content is hashed again when it is handed out.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Content
from assaymark.subjects.image.layout import Layer
from assaymark.subjects.image.remembered import Remembered
from assaymark.subjects.image.spool import Spool, SpoolFile
from assaymark.subjects.image.survey import LARGE, Places
from assaymark.subjects.image.unpacking import packing, unpacked


class ImageReaderSpec(Struct, frozen=True):
    """Recipe of a reader; `places` is None where it is remembered in the cache under `key`."""

    layers: tuple[Layer, ...]
    key: str
    cache: Remembered
    places: Places | None = None
    spools: tuple[SpoolFile | None, ...] = ()
    """For each layer, see `assaymark.subjects.image.spool`; none where it is not packed."""

    def open(self) -> ImageReader:
        places = self.places if self.places is not None else self.cache.recall("places", self.key, Places)
        return ImageReader(self, places or Places({}, {}))


class ImageReader:
    """See the module."""

    def __init__(self, spec: ImageReaderSpec, places: Places) -> None:
        self._spec = spec
        self._places = places
        self._files: dict[str, IO[bytes]] = {}
        self._spools: dict[int, Spool] = {}

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

    def prepare(self) -> None:
        """Unpack the packed layers of which something may be asked, before anybody waits for them with a deadline.

        Raises:
            OSError, SubjectUnreadable: when that cannot be done; the reading itself will say so of each content.
        """
        for number, spool in enumerate(self._spec.spools):
            if spool is not None and any(place[0] == number for place in self._places.at.values()):
                self._spool(number)

    def close(self) -> None:
        """Lets go of files, named and nameless."""
        for file in self._files.values():
            file.close()
        for spool in self._spools.values():
            spool.close()
        self._files.clear()
        self._spools.clear()

    def _take(self, number: int, start: int, size: int, limit: int) -> bytes | None:
        blob = self._spec.layers[number].blob
        file = self._file(blob.path)
        if not packing(os.pread(file.fileno(), 8, blob.offset)):
            return os.pread(file.fileno(), size, blob.offset + start) if start + size <= blob.length else None
        found = self._spool(number).read(start, size)
        if found is None:  # larger than what is usually read: by itself
            return self._alone(number, start, min(size, limit))
        return found

    def _file(self, path: str) -> IO[bytes]:
        if path not in self._files:
            self._files[path] = open(path, "rb")  # noqa: SIM115 - closed in `close`
        return self._files[path]

    def _spool(self, number: int) -> Spool:
        if number not in self._spools:
            shared = self._spec.spools[number] if number < len(self._spec.spools) else None
            self._spools[number] = Spool(shared, self._spec.cache.usable_folder, lambda: self._filling(number))
        return self._spools[number]

    def _filling(self, number: int) -> tuple[Iterator[bytes], Sequence[tuple[int, int]]]:
        regions = {(start, size) for layer, start, size in self._places.at.values() if layer == number and start >= 0 and size <= LARGE}
        return self._stream(number), sorted(regions)

    def _stream(self, number: int) -> Iterator[bytes]:
        blob = self._spec.layers[number].blob
        return unpacked(self._file(blob.path).fileno(), blob.offset, blob.length, "layer")

    def _alone(self, number: int, start: int, size: int) -> bytes:
        found = bytearray()
        before = 0
        for piece in self._stream(number):
            found += memoryview(piece)[max(0, start - before) : max(0, start + size - before)]
            before += len(piece)
            if before >= start + size:
                break
        return bytes(found)


def is_packed(layer: Layer) -> bool:
    """Whether its contents cannot be read by place; what cannot be opened is found out later, and said there."""
    try:
        with open(layer.blob.path, "rb") as file:
            return bool(packing(os.pread(file.fileno(), 8, layer.blob.offset)))
    except OSError:
        return False


def _content(digest: Digest, data: bytes, limit: int) -> Content:
    if len(data) > limit:
        return Content(digest=digest, data=None, size=len(data), problem="too-large")
    return Content(digest=digest, data=data, size=len(data))
