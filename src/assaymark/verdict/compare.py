"""What is new: counting first, pairing second. Pure.

The number of findings that are new, worse or gone is decided by counting cores on both sides; places only decide *which* of several equal
ones is called new. What is left over on both sides is paired one to one, best first: the same finding with its own statement edited.

Guarantees, whatever the order of the arguments: every finding of both sides appears exactly once; a pair never joins two rule classes;
the number of findings that weigh more than their partner is the least possible for each core.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from assaymark.model.finding import Core, Finding
from assaymark.verdict.similarity import similarity

Weigh = Callable[[Finding], int]
"""How much a finding counts under the policy: 0 does not stop anything, more is worse."""

PAIRING_THRESHOLD = 0.5
"""Least similarity of an edited finding; chosen on real histories, see `benchmarks/identity_replay.py`."""
_MOST_CANDIDATES = 100
"""How many vanished findings one that came is compared with in each round; beyond that it is called new, which is the safe side."""


class Matched(Struct, frozen=True):
    """Base and head side of one finding; exactly one side may be None."""

    before: Finding | None
    after: Finding | None

    @property
    def edited(self) -> bool:
        return self.before is not None and self.after is not None and self.before.fingerprint != self.after.fingerprint


def compare(
    base: Iterable[Finding],
    head: Iterable[Finding],
    *,
    weigh: Weigh,
    touched: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> list[Matched]:
    """Match the findings of two subjects that were computed under the same knowledge.

    `touched` maps a path of head to the line ranges that the change wrote; it only chooses which of several equal findings is shown as new.
    """
    before, after = _by_core(base), _by_core(head)
    matched: list[Matched] = []
    gone: list[Finding] = []
    come: list[Finding] = []
    for core in sorted(before.keys() | after.keys()):
        pairs, lost, won = _match_equal(before.get(core, []), after.get(core, []), weigh, touched or {})
        matched += pairs
        gone += lost
        come += won
    matched += _pair_edited(gone, come, weigh)
    matched.sort(key=_order)
    return matched


def _order(match: Matched) -> tuple[object, ...]:
    lead = match.after or match.before
    assert lead is not None  # noqa: S101 - one side is always there, by construction
    return (match.after is None, lead.place, lead.fingerprint)


def _by_core(findings: Iterable[Finding]) -> dict[tuple[str, ...], list[Finding]]:
    groups: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[_key(finding.core)].append(finding)
    return groups


def _key(core: Core) -> tuple[str, ...]:
    return (core.kind, core.rule_class, *core.parts)


def _match_equal(
    base: list[Finding], head: list[Finding], weigh: Weigh, touched: Mapping[str, Sequence[tuple[int, int]]]
) -> tuple[list[Matched], list[Finding], list[Finding]]:
    """Match findings of one core; leftovers stand on one side only.

    First those that weigh the same in the same file, then those that weigh the same anywhere, then the rest, heaviest with heaviest:
    so no more findings than necessary end up heavier than their partner.
    """
    if not base or not head:
        return [], base, head
    left = sorted(base, key=lambda f: (-weigh(f), f.place))
    right = sorted(head, key=lambda f: (-weigh(f), _is_touched(f, touched), f.place))
    pairs: list[Matched] = []
    keys: tuple[Callable[[Finding], object], ...] = (lambda f: (weigh(f), f.place.path), weigh, lambda _: None)
    for key in keys:
        left, right, found = _take(left, right, key)
        pairs += found
    return pairs, left, right


def _take(
    left: list[Finding], right: list[Finding], key: Callable[[Finding], object]
) -> tuple[list[Finding], list[Finding], list[Matched]]:
    """Pair in order what has the same key."""
    waiting: dict[object, deque[Finding]] = defaultdict(deque)
    for after in right:
        waiting[key(after)].append(after)
    pairs: list[Matched] = []
    rest: list[Finding] = []
    for before in left:
        queue = waiting.get(key(before))
        if queue:
            pairs.append(Matched(before, queue.popleft()))
        else:
            rest.append(before)
    taken = {id(pair.after) for pair in pairs}
    return rest, [after for after in right if id(after) not in taken], pairs


def _is_touched(finding: Finding, touched: Mapping[str, Sequence[tuple[int, int]]]) -> bool:
    first, last = finding.place.line, max(finding.place.line, finding.place.end_line)
    return any(start <= last and first <= end for start, end in touched.get(finding.place.path, ()))


def _pair_edited(gone: list[Finding], come: list[Finding], weigh: Weigh) -> list[Matched]:
    """Pair leftovers of one rule class, most alike first; in narrowing rounds, so that the cost stays bounded."""
    pairs: list[Matched] = []
    rounds: tuple[Callable[[Finding], object], ...] = (
        lambda f: (*_class(f), f.core.parts[-1]),  # moved to another scope as it was
        lambda f: (*_class(f), f.core.parts[0]),  # edited where it stood
        lambda f: (*_class(f), f.place.path),  # moved within the file and edited
        _class,
    )
    for key in rounds:
        gone, come, found = _pair_round(gone, come, key, weigh)
        pairs += found
    return pairs + [Matched(finding, None) for finding in gone] + [Matched(None, finding) for finding in come]


def _class(finding: Finding) -> tuple[str, str]:
    return finding.core.kind, finding.core.rule_class


def _pair_round(
    gone: list[Finding], come: list[Finding], key: Callable[[Finding], object], weigh: Weigh
) -> tuple[list[Finding], list[Finding], list[Matched]]:
    groups: dict[object, list[Finding]] = defaultdict(list)
    for before in gone:
        groups[key(before)].append(before)
    candidates: list[tuple[float, bool, Finding, Finding]] = []
    for after in come:
        for before in groups.get(key(after), ())[:_MOST_CANDIDATES]:
            score = similarity(before, after)
            if score >= PAIRING_THRESHOLD:
                candidates.append((score, weigh(after) > weigh(before), before, after))
    candidates.sort(key=lambda c: (-c[0], c[1], c[2].place, c[2].fingerprint, c[3].place, c[3].fingerprint))
    used: set[int] = set()
    pairs: list[Matched] = []
    for _, _, before, after in candidates:
        if id(before) not in used and id(after) not in used:
            used |= {id(before), id(after)}
            pairs.append(Matched(before, after))
    return [f for f in gone if id(f) not in used], [f for f in come if id(f) not in used], pairs
