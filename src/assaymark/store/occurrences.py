"""What stands in a subject beside what a verdict sees in it: which occurrences begin, go on, move and end. Pure.

Guarantees: the outcome does not depend on the order of either side; a finding stands afterwards as often as it is seen; an occurrence ends
only when every check that saw it looked at its place to the end and did not see it. A finding that moves, or changes its severity, leading
rule, waiver or decision, ends in one row and goes on in the next, which keeps `since`: so the past can be asked, and age is not lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from assaymark.model.decision import Decision
from assaymark.model.verdict import Judged

UNSAID = -1
"""Of `Sighted.own`: who sees it knows no waivers, so that one that stands goes on."""


class Standing(Struct, frozen=True, gc=False):
    """An open occurrence."""

    id: int
    finding: int
    path: str
    severity: int
    rule: str
    own: int
    decision: int | None
    line: int
    checks: str
    ordinal: int
    since: int


class Sighted(Struct, frozen=True):
    """A finding that a verdict sees in the subject."""

    finding: int
    path: str
    severity: int
    rule: str
    own: int
    """Whether the repository itself lets it through."""
    line: int
    checks: str
    judged: Judged


Decided = Callable[[Sighted], Decision | None]
"""What people decided that counts for it."""


class Opening(Struct, frozen=True):
    """A row to add."""

    sighted: Sighted
    ordinal: int
    since: int | None = None
    """None for what begins now."""
    checks: str = ""
    decision: Decision | None = None


class Difference(Struct):
    """What to write."""

    opened: list[Opening]
    closed: list[int]
    """Gone: no check sees them any more."""
    continued: list[int]
    """Closed because they go on in one of `opened`."""
    touched: list[tuple[int, int, str]]
    """(id, line, checks) of those that stay where only that changed."""


class _Found:
    """What is written so far, and who says what was decided."""

    def __init__(self, decided: Decided) -> None:
        self.opened: list[Opening] = []
        self.closed: list[int] = []
        self.continued: list[int] = []
        self.touched: list[tuple[int, int, str]] = []
        self._decided = decided

    def decision(self, seen: Sighted) -> Decision | None:
        """What counts for it; what the repository lets through by itself needs no decision."""
        return None if seen.own > 0 else self._decided(seen)

    def open(self, seen: Sighted, ordinal: int, *, since: int | None, checks: str) -> None:
        """A row to add."""
        self.opened.append(Opening(seen, ordinal, since, checks, self.decision(seen)))


class Reach:
    """How far the checks of a verdict saw."""

    def __init__(self, finished: Iterable[str], gaps: Mapping[str, frozenset[str]]) -> None:
        """`finished` are the checks that ran; `gaps` the paths (of files or whole folders, empty for all) that each could not look at."""
        self._finished = frozenset(finished)
        self._gaps = gaps

    def blind(self, checks: str, path: str) -> list[str]:
        """Those of the checks that cannot say whether something is still at the path."""
        return [check for check in checks.split() if check not in self._finished or self._is_gap(self._gaps.get(check), path)]

    @staticmethod
    def _is_gap(gaps: frozenset[str] | None, path: str) -> bool:
        if not gaps:
            return False
        if path in gaps or "" in gaps:
            return True
        at = path.rfind("/")
        while at > 0:
            if path[:at] in gaps:
                return True
            at = path.rfind("/", 0, at)
        return False


def difference(standing: Iterable[Standing], sighted: Iterable[Sighted], reach: Reach, decided: Decided = lambda _seen: None) -> Difference:
    """What has to be written so that what is seen stands, with what was decided about it."""
    found = _Found(decided)
    old = _by_finding(standing)
    new = _by_finding(sighted)
    for finding, rows in new.items():
        _one(old.pop(finding, []), rows, reach, found)
    for left in old.values():
        _one(left, [], reach, found)
    return Difference(found.opened, found.closed, found.continued, found.touched)


def _by_finding(rows: Iterable[Any]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.finding].append(row)
    return dict(groups)


def _one(standing: list[Standing], sighted: list[Sighted], reach: Reach, found: _Found) -> None:
    """One finding, which may stand at several places: those at the same path belong together first, then what is left may have moved."""
    standing.sort(key=lambda row: (row.path, row.line, row.ordinal))
    sighted.sort(key=lambda row: (row.path, row.line, row.severity, row.rule))
    places: dict[str, list[Standing]] = defaultdict(list)
    for row in reversed(standing):
        places[row.path].append(row)
    come: list[Sighted] = []
    for seen in sighted:
        if places.get(seen.path):
            _stay(places[seen.path].pop(), seen, reach, found)
        else:
            come.append(seen)
    left = sorted((row for rows in places.values() for row in rows), key=lambda row: (row.path, row.line, row.ordinal))
    gone: list[Standing] = []
    for row in left:
        still = reach.blind(row.checks, row.path)
        if not still:
            gone.append(row)
        elif (checks := " ".join(still)) != row.checks:
            found.touched.append((row.id, row.line, checks))
    moved = min(len(gone), len(come))
    for before, after in zip(gone, come, strict=False):
        found.continued.append(before.id)
        found.open(after, before.ordinal, since=before.since, checks=after.checks)
    found.closed += [row.id for row in gone[moved:]]
    _begin(come[moved:], standing, found)


def _begin(come: Sequence[Sighted], standing: Sequence[Standing], found: _Found) -> None:
    taken = {row.ordinal for row in standing}
    ordinal = 0
    for row in come:
        while ordinal in taken:
            ordinal += 1
        found.open(row, ordinal, since=None, checks=row.checks)
        ordinal += 1


def _stay(before: Standing, after: Sighted, reach: Reach, found: _Found) -> None:
    """At the same path: the checks that see it now, and those that saw it and could not look."""
    blind = reach.blind(before.checks, before.path)
    checks = " ".join(sorted({*after.checks.split(), *blind}))
    after = replace(after, own=before.own if after.own == UNSAID else after.own)
    if blind and after.severity <= before.severity:
        after = replace(after, severity=before.severity, rule=before.rule)  # who rated it worse did not take that back
    decision = found.decision(after)
    now = (after.severity, after.rule, after.own, decision.id if decision else None)
    if (before.severity, before.rule, before.own, before.decision) != now:
        found.continued.append(before.id)
        found.opened.append(Opening(after, before.ordinal, before.since, checks, decision))
    elif (before.line, before.checks) != (after.line, checks):
        found.touched.append((before.id, after.line, checks))
