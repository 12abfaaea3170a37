"""Subjects and a memory that live in a dictionary: the ports of the engine without disk, git or processes.

Guarantees the contracts of `model.subject` and `engine.facts.Memory`, so that what passes here passes on the real adapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from assaymark.engine import outcome as outcomes
from assaymark.engine.units import Unit
from assaymark.errors import SubjectUnreadable
from assaymark.model.check import Outcome, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.subject import Change, Content, Entry, EntryKind, ReaderSpec, Subject, SubjectRef


class MemoryReader:
    """Reads from a dictionary."""

    def __init__(self, contents: Mapping[Digest, bytes]) -> None:
        self._contents = contents

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        for digest in digests:
            data = self._contents.get(digest)
            if data is None:
                yield Content(digest, None, -1, "missing")
            elif len(data) > limit:
                yield Content(digest, None, len(data), "too-large")
            else:
                yield Content(digest, data, len(data))

    def close(self) -> None:
        pass


class MemoryReaderSpec:
    """Picklable: the contents travel with it."""

    def __init__(self, contents: Mapping[Digest, bytes]) -> None:
        self._contents = dict(contents)

    def open(self) -> MemoryReader:
        return MemoryReader(self._contents)


class MemorySubject:
    """Names and bytes; further entries (symbolic links, submodules) and units of its own may be added."""

    def __init__(
        self, files: Mapping[str, bytes], *, more: Iterable[Entry] = (), units: Iterable[Unit] = (), contents: Iterable[bytes] = ()
    ) -> None:
        listed = [Entry(path, sha256(data), EntryKind.FILE, len(data)) for path, data in files.items()]
        self._entries = sorted([*listed, *more], key=lambda entry: entry.path)
        self._contents = {sha256(data): data for data in (*files.values(), *contents)}
        self._units = tuple(units)
        names = [(entry.path.encode("utf-8", "surrogateescape").hex(), entry.digest, entry.kind) for entry in self._entries]
        self.ref = SubjectRef(kind="directory", name="memory", digest=digest_of(names))

    def entries(self) -> Iterator[Entry]:
        return iter(self._entries)

    def file(self, path: str, *, limit: int) -> bytes | None:
        found = next((entry for entry in self._entries if entry.path == path), None)
        data = self._contents.get(found.digest) if found else None
        if data is not None and len(data) > limit:
            raise SubjectUnreadable(f"{path} has {len(data)} bytes", advice="make it smaller")
        return data

    def units(self, kind: UnitKind) -> Iterator[Unit]:
        return (unit for unit in self._units if unit.kind is kind)

    def reader(self) -> ReaderSpec:
        return MemoryReaderSpec(self._contents)


class MemoryComparison:
    """Two of them side by side."""

    def __init__(self, base: MemorySubject, head: MemorySubject) -> None:
        self.base: Subject = base
        self.head: Subject = head

    def changes(self) -> Sequence[Change]:
        before = {entry.path: entry for entry in self.base.entries()}
        after = {entry.path: entry for entry in self.head.entries()}
        paths = sorted(before.keys() | after.keys())
        pairs = [(before.get(path), after.get(path)) for path in paths]
        return [Change(old, new) for old, new in pairs if not _same(old, new)]

    def passing(self) -> Sequence[Entry]:
        return ()

    def touched_lines(self, paths: Sequence[tuple[str | None, str]]) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Whole files: a dictionary knows no lines."""
        lines = {entry.path: entry for entry in self.head.entries()}
        return {after: [(1, 1 << 30)] for _, after in paths if after in lines}


class MemoryFacts:
    """A memory that ends with the process."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        return {key: outcomes.decode(self.rows[key]) for key in keys if key in self.rows}

    def put(self, facts: Iterable[tuple[bytes, bytes]]) -> None:
        self.rows.update(facts)

    def notices(self) -> Sequence[str]:
        return ()


def _same(old: Entry | None, new: Entry | None) -> bool:
    return old is not None and new is not None and (old.digest, old.kind) == (new.digest, new.kind)
