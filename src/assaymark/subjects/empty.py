"""Nothing as a subject: what a first commit is compared with. And how one entry of any subject is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest
from assaymark.model.subject import Change, Content, Entry, ReaderSpec, Subject, SubjectRef
from assaymark.subjects.listing import digest_of_entries, printable_name

_WHY = {
    "too-large": "it is larger than such a file may be",
    "missing": "its content is not here, as in a partial clone",
    "unreadable": "it is damaged, or may not be read",
    "changed": "it was modified meanwhile",
}


class EmptySubject:
    """No names."""

    def __init__(self) -> None:
        self.ref = SubjectRef(kind="empty", name="nothing", digest=digest_of_entries(()))

    def entries(self) -> Iterator[Entry]:
        return iter(())

    def file(self, path: str, *, limit: int) -> bytes | None:
        """There is no file."""
        del path, limit
        return None

    def reader(self) -> ReaderSpec:
        return NothingSpec()


class NothingSpec:
    """Recipe of a reader that has nothing, and that reader."""

    def open(self) -> NothingSpec:
        return self

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """Every digest is missing."""
        del limit
        return (Content(digest=digest, data=None, size=-1, problem="missing") for digest in digests)

    def close(self) -> None:
        """Nothing was opened."""


class Nothing:
    """Nothing compared with nothing."""

    def __init__(self) -> None:
        self.base: Subject = EmptySubject()
        self.head: Subject = EmptySubject()

    def changes(self) -> Sequence[Change]:
        return ()

    def passing(self) -> Sequence[Entry]:
        return ()

    def touched_lines(self, paths: Sequence[tuple[str | None, str]]) -> Mapping[str, Sequence[tuple[int, int]]]:
        """There are no lines."""
        del paths
        return {}


NOTHING = Nothing()


def read_one(spec: ReaderSpec, entry: Entry | None, *, limit: int) -> bytes | None:
    """Content of an entry; None when there is none.

    Raises:
        SubjectUnreadable: when it is larger than `limit` bytes or cannot be read.
    """
    if entry is None:
        return None
    reader = spec.open()
    try:
        (content,) = reader.read([entry.digest], limit=limit)
    finally:
        reader.close()
    if content.data is None:
        raise unreadable_file(entry.path, content.problem)
    return content.data


def unreadable_file(path: str, problem: str) -> SubjectUnreadable:
    """The error for one file that is needed and cannot be had."""
    return SubjectUnreadable(f"{printable_name(path)} cannot be read", why=_WHY.get(problem, problem), advice="restore it, then try again")
