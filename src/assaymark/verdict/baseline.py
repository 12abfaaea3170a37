"""A recorded baseline: what was known of a subject when, for subjects whose base can't be computed again, and the memory of findings. Pure.

A baseline holds findings under one or several schemes, the digests of the content it was made from, and the knowledge of every check. So a
later comparison can tell three cases apart: caused by changed content (*new*), shown by new knowledge in unchanged content (*newly known*),
and known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.digest import Digest, canonical
from assaymark.model.finding import CheckId, Finding, Fingerprint
from assaymark.verdict.compare import Matched

FORMAT = "assaymark-baseline/1"
_MOST_BYTES = 256 << 20


class Remembered(Struct, frozen=True, omit_defaults=True):
    """A finding with what people attached to it."""

    finding: Finding
    first_seen: str
    """ISO date of the baseline that held it first."""
    names: tuple[Fingerprint, ...] = ()
    """Its fingerprints under further schemes, while two are written side by side."""
    owner: str = ""
    ticket: str = ""


class Baseline(Struct, frozen=True, omit_defaults=True):
    """The file that `assay baseline write` makes."""

    format: str
    made: str
    """ISO date."""
    subject: str
    scheme: str
    knowledge: dict[str, str]
    """Check -> digest of everything its answers depended on."""
    inputs: tuple[Digest, ...]
    """Content that was looked at, sorted."""
    findings: tuple[Remembered, ...]
    gaps: tuple[Finding, ...] = ()
    """What could not be checked then; nobody remembers anything about it, but it is no new gap either."""

    def tried(self) -> frozenset[tuple[CheckId, Digest]]:
        """(check, input) of what could not be checked."""
        return frozenset((gap.witnesses[0].check, gap.input) for gap in self.gaps)


def dump(baseline: Baseline) -> bytes:
    """Canonical JSON, one line end at the end: equal baselines are equal files."""
    return msgspec.json.format(canonical(baseline), indent=1) + b"\n"


def load(data: bytes, name: str) -> Baseline:
    """Read a baseline.

    Raises:
        UsageError: when it is none, or of a format that this version does not know.
    """
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"{name} has {len(data)} bytes", why="a baseline larger than 256 MiB is not read", advice="write it again per part"
        )
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name} is no baseline", why=str(error), advice="write one with `assay baseline write`") from error
    if baseline.format != FORMAT:
        raise UsageError(f"{name} is of format {baseline.format!r}", advice=f"this version reads {FORMAT}: write it again")
    return baseline


def newly_known(baseline: Baseline, head: Iterable[Finding], knowledge: Mapping[str, str]) -> frozenset[str]:
    """Fingerprints of findings in content that the baseline had seen, by a check that knows more now."""
    seen = frozenset(baseline.inputs)
    return frozenset(
        f.fingerprint
        for f in head
        if f.input in seen and all(baseline.knowledge.get(w.check) != knowledge.get(w.check) for w in f.witnesses)
    )


def remember(baseline: Baseline | None, matched: Sequence[Matched], today: str) -> tuple[Remembered, ...]:
    """Carry first-seen dates, owners and tickets over to the findings of head; an edited finding keeps its memory."""
    old: dict[tuple[Fingerprint, str], list[Remembered]] = defaultdict(list)
    for row in baseline.findings if baseline else ():
        old[row.finding.fingerprint, row.finding.place.path].append(row)
    rows: list[Remembered] = []
    for match in matched:
        if match.after is None:
            continue
        queue = old.get((match.before.fingerprint, match.before.place.path), []) if match.before else []
        memory = queue.pop(0) if queue else Remembered(match.after, today)
        rows.append(msgspec.structs.replace(memory, finding=match.after, names=()))
    return tuple(sorted(rows, key=lambda r: (r.finding.place, r.finding.fingerprint)))


class Migration(Struct, frozen=True):
    """What a change of scheme would do to the names of open findings."""

    old: str
    new: str
    kept: int
    """Old names that become exactly one new name, and it theirs alone."""
    merged: tuple[tuple[Fingerprint, tuple[Fingerprint, ...]], ...]
    """New name <- old names that fall together."""
    split: tuple[tuple[Fingerprint, tuple[Fingerprint, ...]], ...]
    """Old name -> new names it falls apart into."""


def preview(old: Sequence[Finding], new: Sequence[Finding], schemes: tuple[str, str]) -> Migration:
    """Relate the same findings under two schemes; both sequences are in order of place, as `identify` gives them."""
    pairs = _same_places(old, new)
    forward: dict[Fingerprint, set[Fingerprint]] = defaultdict(set)
    backward: dict[Fingerprint, set[Fingerprint]] = defaultdict(set)
    for before, after in pairs:
        forward[before].add(after)
        backward[after].add(before)
    merged = tuple(sorted((name, tuple(sorted(olds))) for name, olds in backward.items() if len(olds) > 1))
    split = tuple(sorted((name, tuple(sorted(news))) for name, news in forward.items() if len(news) > 1))
    kept = sum(len(news) == 1 and len(backward[next(iter(news))]) == 1 for news in forward.values())
    return Migration(*schemes, kept, merged, split)


def names_under(findings: Sequence[Finding], other: Sequence[Finding]) -> dict[tuple[str, Fingerprint], tuple[Fingerprint, ...]]:
    """(path, fingerprint) -> the names that the same findings have under another scheme."""
    table: dict[tuple[str, Fingerprint], tuple[Fingerprint, ...]] = {}
    by_path: dict[str, tuple[list[Finding], list[Finding]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((findings, other)):
        for finding in rows:
            by_path[finding.place.path][side].append(finding)
    for path, (here, there) in by_path.items():
        for before, after in _same_places(here, there):
            table[path, before] = tuple(dict.fromkeys((*table.get((path, before), ()), after)))
    return table


def _same_places(old: Sequence[Finding], new: Sequence[Finding]) -> list[tuple[Fingerprint, Fingerprint]]:
    """Findings under two schemes that have a witness at one place in common."""
    by_witness: dict[tuple[object, ...], list[Fingerprint]] = defaultdict(list)
    for finding in new:
        for witness in finding.witnesses:
            by_witness[finding.place.path, witness].append(finding.fingerprint)
    pairs: list[tuple[Fingerprint, Fingerprint]] = []
    position: Counter[tuple[object, ...]] = Counter()
    for finding in old:
        for witness in finding.witnesses:
            key = (finding.place.path, witness)
            names = by_witness.get(key, [])
            if names:
                pairs.append((finding.fingerprint, names[min(position[key], len(names) - 1)]))
                position[key] += 1
    return pairs
