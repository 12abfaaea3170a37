"""An image as a subject: the files of its merged layers, what it says of itself, and what it still carries of deleted files.

Guarantees
* nothing is unpacked to disk under any name of the archive: layers are read as streams, and their contents by place or by reading them
  again;
* every layer is proved by its diff-id before anything of it is believed (`assaymark.subjects.image.proving`);
* a listing depends on nothing but the image: it is remembered by the image's id, and with it looked up in milliseconds.

Entries besides plain files: the image's own facts (`assaymark.subjects.image.described`); files of installed packages are
`EntryKind.VENDOR`; large binaries, which no check of texts could read, are `EntryKind.BINARY`. Folders are not entries.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec.structs import replace

from assaymark.errors import SubjectUnreadable
from assaymark.model.subject import Entry, ReaderSpec, SubjectRef
from assaymark.subjects.confined import read_below
from assaymark.subjects.empty import read_one
from assaymark.subjects.image.layout import Layout, read_layout
from assaymark.subjects.image.proving import all_proved, indexes
from assaymark.subjects.image.reader import ImageReaderSpec, is_packed
from assaymark.subjects.image.remembered import Remembered
from assaymark.subjects.image.spool import SpoolFile, make_spool
from assaymark.subjects.image.survey import Listing, Places, survey
from assaymark.subjects.listing import printable_name


class ImageSubject:
    """The files of an image."""

    def __init__(self, path: str, *, image: str = "", cache: str = "", name: str = "", policies: str = "") -> None:
        """Proves and lists its layers.

        Args:
            path: a docker archive, or an OCI layout in a folder or a tar.
            image: which one, when it holds several.
            cache: folder of what is remembered; empty remembers nothing.
            name: what the user calls it.
            policies: folder of whoever checks, where the policy is; empty for none.

        Raises:
            SubjectNotFound: when there is no such image.
            SubjectUnreadable: when it is damaged, hostile, or not what it says of itself.
        """
        self._memory = Remembered(cache)
        self._path = path
        self._policies = policies
        self._prepared = False
        self._spools: tuple[SpoolFile | None, ...] | None = None
        self._layout = read_layout(path, image)
        self._listing, self._places = _listing(self._layout, path, self._memory)
        shown = printable_name(name or path)
        called = f"{shown} ({printable_name(self._layout.name)})" if self._layout.name else shown
        self.ref = SubjectRef(kind="image", name=called, digest=self._layout.image_id)

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`."""
        return iter(self._listing.entries)

    @property
    def layers(self) -> tuple[str, ...]:
        """Ids of its layers, the lowest first."""
        return tuple(layer.diff_id for layer in self._layout.layers)

    def beginning(self, count: int) -> ImageSubject:
        """The image as far as its lowest layers go, e.g. those of the image that it was built on."""
        made = copy.copy(self)
        made._layout = replace(self._layout, layers=self._layout.layers[:count])  # noqa: SLF001 - another of its own kind
        read = indexes(made._layout, self._path, self._memory)  # noqa: SLF001
        made._listing, made._places = survey(read, made._layout.config, printable_name(self._path))  # noqa: SLF001
        made._spools, made._prepared = None, True  # noqa: SLF001
        return made

    def buried(self) -> Sequence[Entry]:
        """See `assaymark.model.subject.Buries`: files of earlier layers that a later one deleted or replaced."""
        return self._listing.buried

    def file(self, path: str, *, limit: int) -> bytes | None:
        """A fact of the image, or a file of whoever checks.

        An image has no policy of its own: it may come from a stranger, who would decide in it what is overlooked.
        """
        if "//" not in path:
            return read_below(self._policies, path, limit=limit) if self._policies else None
        return read_one(self._spec(), next((entry for entry in self._listing.entries if entry.path == path), None), limit=limit)

    def reader(self) -> ReaderSpec:
        """See `assaymark.model.subject.Subject`. An image that is new is likely to be read, and then at once by several workers."""
        spec = self._spec()
        if self._places is not None and not self._prepared:
            self._prepared = True
            reader = spec.open()
            with suppress(OSError, SubjectUnreadable):
                reader.prepare()
            reader.close()
        return spec

    def _spec(self) -> ImageReaderSpec:
        if self._spools is None:
            self._spools = tuple(make_spool(self._memory.usable_folder) if is_packed(layer) else None for layer in self._layout.layers)
        return ImageReaderSpec(
            layers=self._layout.layers, key=self._layout.image_id, cache=self._memory, places=self._places, spools=self._spools
        )


def _listing(layout: Layout, path: str, memory: Remembered) -> tuple[Listing, Places | None]:
    """The listing, and the places if they are not remembered."""
    key = layout.image_id
    known = memory.recall("listing", key, Listing) if all_proved(layout, memory) else None
    if known is not None and memory.holds("places", key):
        return known, None
    listing, places = survey(indexes(layout, path, memory), layout.config, printable_name(path))
    memory.keep("places", key, places)
    memory.keep("listing", key, listing)
    return listing, places
