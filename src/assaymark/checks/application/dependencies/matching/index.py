"""The compiled advisories, opened for reading.

Guarantees: what is read belongs to one snapshot, whatever is put in its place meanwhile (a new index replaces the file, the open one
stays); a damaged or foreign file is an error that says what to do, never an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from assaymark.checks.application.dependencies.matching.records import Advisory, Affects, decode_advisory, decode_affects, decode_names
from assaymark.checks.application.dependencies.matching.snapshot import open_index

_AT_ONCE = 500
"""Names per query: SQLite's smallest limit of variables is 999."""
_MAPPED = 1 << 30
"""Bytes that are read where they lie instead of being copied page by page."""


class Advisories(Protocol):
    """What the matcher asks."""

    def affecting(self, packages: Iterable[str]) -> dict[str, tuple[Affects, ...]]:
        """Of these package keys, those that any advisory speaks of."""
        ...

    def about(self, ids: Iterable[str]) -> dict[str, Advisory]:
        """What is known of alias groups."""
        ...

    def covers(self, prefix: str) -> bool:
        """Whether there is any advisory about packages whose key begins so."""
        ...


class Index:
    """An SQLite file, read only."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            EngineMissing: when there is none, or it cannot be read.
        """
        self._database, self._meta = open_index(path)
        self._database.execute(f"PRAGMA mmap_size = {_MAPPED}")
        self._covered: dict[str, bool] = {}

    @property
    def snapshot(self) -> str:
        """Digest over all that it holds."""
        return self._meta["snapshot"]

    @property
    def meta(self) -> dict[str, str]:
        """When and from what it was compiled, and how much it holds."""
        return dict(self._meta)

    def affecting(self, packages: Iterable[str]) -> dict[str, tuple[Affects, ...]]:
        """See `Advisories`."""
        rows = self._rows("SELECT name, affects FROM package WHERE name IN", packages)
        return {name: decode_affects(data) for name, data in rows}

    def about(self, ids: Iterable[str]) -> dict[str, Advisory]:
        """See `Advisories`."""
        rows = self._rows("SELECT id, about FROM advisory WHERE id IN", ids)
        return {name: decode_advisory(data) for name, data in rows}

    def covers(self, prefix: str) -> bool:
        """See `Advisories`."""
        if prefix not in self._covered:
            query = "SELECT 1 FROM package WHERE name >= ? AND name < ? LIMIT 1"
            self._covered[prefix] = self._database.execute(query, (prefix, prefix + "\U0010ffff")).fetchone() is not None
        return self._covered[prefix]

    def named(self, ids: Iterable[str]) -> dict[str, str]:
        """Of these ids, in any case of letters, the canonical ids of their alias groups."""
        asked = {each.lower(): each for each in ids}
        return {asked[name]: id_ for name, id_ in self._rows("SELECT name, advisory FROM alias WHERE name IN", asked)}

    def speaking_of(self, ids: Iterable[str]) -> dict[str, tuple[Affects, ...]]:
        """What these vulnerabilities, by whatever ids, say of which packages: package key -> their records alone."""
        groups = set(self.named(ids).values())
        rows = self._rows("SELECT advisory, packages FROM spoken_of WHERE advisory IN", groups)
        packages = {name for _, data in rows for name in decode_names(data)}
        found = self.affecting(packages)
        return {name: tuple(record for record in records if record.advisory in groups) for name, records in found.items()}

    def every(self) -> Iterator[tuple[str, tuple[Affects, ...]]]:
        """All packages with their records, in order of name."""
        for name, data in self.packed():
            yield name, decode_affects(data)

    def packed(self) -> Iterator[tuple[str, bytes]]:
        """The same, each package's records as they lie there: equal bytes are equal records."""
        yield from self._database.execute("SELECT name, affects FROM package ORDER BY name")

    def packed_advisories(self) -> Iterator[tuple[str, bytes]]:
        """What is known of every alias group, in order of its id, as it lies there."""
        yield from self._database.execute("SELECT id, about FROM advisory ORDER BY id")

    def _rows(self, query: str, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
        for some in _batches(sorted(set(names))):
            yield from self._database.execute(f"{query} ({','.join('?' * len(some))})", some)

    def close(self) -> None:
        self._database.close()


def _batches(names: Sequence[str]) -> Iterator[list[str]]:
    left = iter(names)
    while some := list(islice(left, _AT_ONCE)):
        yield some
