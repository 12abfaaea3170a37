"""What a later index of advisories says that an earlier one did not: what those who hold packages have to be asked about after an update.

Guarantees: asked the other way round it tells what was taken back; both indexes are read once, side by side in the order of their packages,
and only what differs is decoded, so memory is that of the news.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.records import Advisory, Affects, decode_advisory, decode_affects

_Row = tuple[str, bytes]


def news(before: Index | None, after: Index) -> dict[str, tuple[Affects, ...]]:
    """Records of the later index, by package, that the earlier one did not hold as they are."""
    found: dict[str, tuple[Affects, ...]] = {}
    for package, old, data in _side_by_side(before.packed() if before is not None else iter(()), after.packed()):
        known = frozenset(decode_affects(old)) if old is not None else frozenset()
        fresh = tuple(record for record in decode_affects(data) if record not in known)
        if fresh:
            found[package] = fresh
    return found


def rerated(before: Index, after: Index) -> frozenset[str]:
    """Vulnerabilities of both that weigh otherwise now: another severity or nature, or known to be exploited since then.

    Predictions (EPSS) change every day for all of them and weigh nothing.
    """
    found = set()
    for id_, old, data in _side_by_side(before.packed_advisories(), after.packed_advisories()):
        if old is not None and _weight(decode_advisory(old)) != _weight(decode_advisory(data)):
            found.add(id_)
    return frozenset(found)


def _weight(advisory: Advisory) -> tuple[object, ...]:
    exploited = advisory.exploited
    return advisory.nature, advisory.severity, exploited is not None, exploited is not None and exploited.ransomware


def _side_by_side(left: Iterator[_Row], right: Iterator[_Row]) -> Iterator[tuple[str, bytes | None, bytes]]:
    """Rows of the right that are not equally on the left, each with the one of its name there."""
    old = next(left, None)
    for name, data in right:
        while old is not None and old[0].encode() < name.encode():  # the order of the file is that of bytes
            old = next(left, None)
        known = old[1] if old is not None and old[0] == name else None
        if known != data:
            yield name, known, data
