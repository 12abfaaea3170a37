"""The sentences of a verdict: each reason says what happened and what to do about it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from assaymark.model.finding import Finding, Kind
from assaymark.model.verdict import Judged, Reason, ReasonKind, State
from assaymark.verdict.policy import Waiver, Weakening
from assaymark.verdict.ratchet import Allowed
from assaymark.verdict.vex import Statement
from assaymark.verdict.waivers import covers


def about_finding(judged: Sequence[Judged]) -> Iterator[Reason]:
    """What stops the line, worst first; `judged` may have any order."""
    for one in sorted(
        (j for j in judged if j.gates), key=lambda j: (-j.finding.severity.rank, -j.finding.confidence.rank, j.finding.place)
    ):
        finding = one.finding
        fix = finding.fix.advice if finding.fix else f"see `assay explain {finding.short_id}`"
        if one.state is State.NEW:
            kind, text = ReasonKind.NEW_FINDING, finding.message
        else:
            kind, text = ReasonKind.WORSENED, f"{finding.message.rstrip('.')} ({_why_again(one)})"
        yield Reason(kind, text, fix, stops=True, finding=finding.fingerprint, path=finding.place.path, line=finding.place.line)


def _why_again(judged: Judged) -> str:
    before, now = judged.previous, judged.finding
    if before is not None and (before.severity, before.confidence) != (now.severity, now.confidence):
        return f"known before as {before.severity} with {before.confidence} confidence, now {now.severity} with {now.confidence}"
    return "known before; the waiver that let it through has ended"


def about_weakening(
    weakenings: Sequence[Weakening], allowed: Allowed, finding: Finding | None = None, *, chosen_first: bool = False
) -> Iterator[Reason]:
    """Policy, checks or inline comments that fell below the base's.

    `chosen_first`: the change brings the repository's first policy. What it asks for below the default is shown, not stopped.
    """
    path, line, name = (finding.place.path, finding.place.line, finding.fingerprint) if finding else ("", 0, "")
    for weakening in weakenings:
        row = allowed.for_(weakening.name)
        if chosen_first:
            yield Reason(
                ReasonKind.EXCEPTION,
                f"the first policy asks for less than the default: {weakening.text}",
                "choose a stricter level when you can",
                stops=False,
            )
        elif row:
            text = f"{weakening.text}: let through until {row.until} by {row.owner} ({row.reason})"
            yield Reason(ReasonKind.EXCEPTION, text, "repair it before the exception ends", stops=False, finding=name, path=path, line=line)
        else:
            advice = (
                f"repair the finding and drop the comment, or record it: `assay waive {finding.short_id} --reason … --days 90`"
                if finding
                else f'undo it, or record an [[exception]] with weakens = "{weakening.name}" in assay.toml'
            )
            yield Reason(ReasonKind.WEAKENED, weakening.text, advice, stops=True, finding=name, path=path, line=line)


def about_gaps(gaps: Sequence[Judged], *, stops: bool) -> Iterator[Reason]:
    """What changed and could not be checked, one reason per check and cause."""
    groups: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    for gap in gaps:
        if gap.gates:
            check, _, cause = gap.finding.core.parts
            groups[check, cause].append(gap)
    for (check, cause), rows in sorted(groups.items()):
        first = min((row.finding for row in rows), key=lambda f: f.place)
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        yield Reason(
            ReasonKind.UNPROVEN,
            f"{check} could not check {first.place.path or 'its input'}{more}: {first.message}",
            f'see `assay explain {first.short_id}` ({cause}), or waive it with rule = "unchecked" and a path',
            stops=stops,
            finding=first.fingerprint,
            path=first.place.path,
            line=first.place.line,
        )


def about_decision(judged: Sequence[Judged]) -> Iterator[Reason]:
    """What would stop, and does not because people decided about it."""
    for one in sorted((j for j in judged if j.held_back and j.waiver), key=lambda j: (-j.finding.severity.rank, j.finding.place)):
        finding, waiver = one.finding, one.waiver
        assert waiver is not None  # noqa: S101 - asked above
        how = f"let through until {waiver.until} by decision {waiver.decision} of {waiver.owner} ({waiver.reason})"
        text = f"{finding.message.rstrip('.')}: {how}"
        yield Reason(
            ReasonKind.DECIDED,
            text,
            "see whether it is still true before the decision ends",
            stops=False,
            finding=finding.fingerprint,
            path=finding.place.path,
            line=finding.place.line,
        )


def about_waiver(grown: Sequence[tuple[Waiver, str]]) -> Iterator[Reason]:
    """Waivers that the change adds or stretches: recorded, so they do not stop, and shown because they are debt."""
    for waiver, how in grown:
        what = waiver.finding or waiver.rule or waiver.path
        yield Reason(
            ReasonKind.EXCEPTION,
            f"waiver for {what} {how}: {waiver.owner} accepts it until {waiver.until} ({waiver.reason})",
            "repair it before the waiver ends",
            stops=False,
        )


def about_vex(added: Sequence[Statement]) -> Iterator[Reason]:
    """VEX statements that the change adds: somebody's word that a vulnerability does no harm here, shown like a waiver."""
    for one in added:
        names = ", ".join(name for name, _ in one.products) or "no component"
        yield Reason(
            ReasonKind.EXCEPTION,
            f"VEX statement added: {one.author} says {one.status} of {one.vulnerabilities[0]} in {names} ({one.said})",
            "see whether it is true; it has to be renewed like a waiver",
            stops=False,
        )


def about_secret_left(judged: Sequence[Judged], rotated: Sequence[Waiver]) -> Iterator[Reason]:
    """Secrets that left the tree: deletion does not make a leaked value secret again."""
    for one in judged:
        finding = one.finding
        if one.state is not State.FIXED or finding.core.kind is not Kind.SECRET or any(covers(w, finding) for w in rotated):
            continue
        yield Reason(
            ReasonKind.UNROTATED,
            f"{finding.message.rstrip('.')}: it left the tree, the history still holds it",
            f"make it worthless at its issuer, then record it: `assay waive {finding.short_id} --rotated --reason … --days 90`",
            stops=False,
            finding=finding.fingerprint,
            path=finding.place.path,
            line=finding.place.line,
        )
