"""What is assayed: content by digest, under names.

A subject knows how to list its entries and how to read their bytes. Listing is cheap and carries digests, so two subjects are compared
without reading either; reading goes through a `Reader`, which a worker process opens for itself from a picklable `ReaderSpec`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from assaymark.model.digest import Digest


class EntryKind(StrEnum):
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    LFS = "lfs"
    """A Git LFS pointer whose content is not in this repository."""
    SPECIAL = "special"
    """Fifo, socket or device: listed, never opened."""
    VENDOR = "vendor"
    """A file of an image that an installed package brought and nobody changed: its package is judged, not its text."""
    BINARY = "large-binary"
    """A file of an image that is no text and larger than what checks read."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One name of a subject."""

    path: str
    """``/``-separated, relative to the subject's root; undecodable bytes surrogate-escaped."""
    digest: Digest
    kind: EntryKind = EntryKind.FILE
    size: int = -1
    """Bytes, or -1 when finding out would cost a read."""
    executable: bool = False


class Change(Struct, frozen=True):
    """One name that differs between base and head; an absent side is None. Renames are not guessed here."""

    before: Entry | None
    after: Entry | None


class SubjectRef(Struct, frozen=True, omit_defaults=True):
    """A subject's name in reports and evidence."""

    kind: str
    """``commit``, ``index``, ``worktree``, ``directory``, ``archive``, ``image``, ``empty``."""
    name: str
    """What the user would call it: a short commit id and subject line, a path."""
    digest: str
    """``git-sha1:<commit>``, or the digest of the listing for subjects without an id of their own."""


class Content(Struct, frozen=True):
    """Bytes of a digest, or why there are none."""

    digest: Digest
    data: bytes | None
    size: int
    problem: str = ""
    """``too-large``, ``missing``, ``unreadable``, ``changed`` (the file no longer has this digest)."""


class Reader(Protocol):
    """Reads content by digest. Not safe for several threads; every worker opens its own."""

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """One `Content` per digest, in whatever order is fastest; larger than `limit` bytes gives ``too-large`` without loading it."""
        ...

    def close(self) -> None: ...


class ReaderSpec(Protocol):
    """Picklable recipe of a reader."""

    def open(self) -> Reader: ...


class Subject(Protocol):
    """Something with names and content."""

    ref: SubjectRef

    def entries(self) -> Iterator[Entry]:
        """All entries, sorted by path."""
        ...

    def file(self, path: str, *, limit: int) -> bytes | None:
        """The content of one file, or None when there is no such file; without listing the others where that can be had.

        Raises:
            SubjectUnreadable: when it is larger than `limit` bytes or cannot be read.
        """
        ...

    def reader(self) -> ReaderSpec: ...


@runtime_checkable
class Buries(Protocol):
    """A subject that carries contents which none of its names shows: what a later layer of an image deleted or replaced."""

    def buried(self) -> Sequence[Entry]:
        """Them, each under the name that it had."""
        ...


class Comparison(Protocol):
    """Two subjects side by side, so that only what differs is looked at."""

    base: Subject
    head: Subject

    def changes(self) -> Sequence[Change]:
        """Names that differ in digest or kind, sorted by path."""
        ...

    def passing(self) -> Sequence[Entry]:
        """Contents that came and went between base and head: in neither, but for ever in the history that head brings along."""
        ...

    def touched_lines(self, paths: Sequence[tuple[str | None, str]]) -> Mapping[str, Sequence[tuple[int, int]]]:
        """For (path before, path after) pairs: line ranges of head, both ends inclusive, that the change wrote. For display only."""
        ...
