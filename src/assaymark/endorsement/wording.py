"""What an endorsement says, out of a verdict and what it is about. Pure: no clock, no database, no key.

Guarantees: nothing but a pass is put into words; it ends no later than the earliest of what was let through; a check is called clean only
when it ran to its end without a gap and nothing that it sees stands open at a severity that the policy stops.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from msgspec import Struct

from assaymark.endorsement.approval import APPROVED, APPROVED_SOURCE, PASSED, Approval, Extension, Source, Verifier, WaiverNote, stamp
from assaymark.endorsement.statement import Named
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, Outcome, State, Verdict

_DAY = 86_400 * SECOND
_DEPENDENCIES = "dependencies"
"""The check whose knowledge is a snapshot of advisories."""
_OTHER = re.compile(r"[^A-Z0-9]+")
_RANKS = {each.value: each.rank for each in Severity}


class Ground(Struct, frozen=True):
    """What is endorsed and on what it rests, besides the verdict."""

    subjects: tuple[Named, ...]
    resource: str
    is_source: bool
    """A commit, and no artifact."""
    verifier: str
    """Id of whoever judged."""
    policy: str
    """Where the policy can be read; its digest is the verdict's."""
    verified_at: Instant
    days: int
    """How long it holds."""
    environments: tuple[str, ...] = ()
    base: str = ""
    """``<algorithm>:<hex>`` of what it was compared with."""
    lineage: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    evidence: tuple[Source, ...] = ()
    """Evidence statements, by digest."""
    approved_by: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """Of an image for several: those that were judged, and the others."""
    platforms_unjudged: tuple[str, ...] = ()


def refusal(verdict: Verdict, now: Instant) -> str:
    """Why a verdict is not endorsed, in words; empty when nothing speaks against it."""
    if verdict.outcome is not Outcome.PASS:
        return f"its verdict is {verdict.outcome.value}, and only a pass is endorsed"
    fresh = [each for each in _open(verdict) if each.state is State.NEWLY_KNOWN and _weighs(each, verdict)]
    if fresh:
        names = ", ".join(dict.fromkeys(str(each.finding.core.parts[-1]) for each in fresh[:3]))
        return f"new knowledge says that it is weak ({names}); repair it, or decide about it"
    ends = _waived_until(verdict)
    if ends is not None and ends <= now:
        return "something that was let through has passed its last day; have it judged again"
    return ""


def write(verdict: Verdict, ground: Ground) -> Approval:
    """The approval.

    Raises:
        ValueError: when the verdict is anything but a pass.
    """
    if verdict.outcome is not Outcome.PASS:
        raise ValueError("only a pass is endorsed")
    return Approval(
        verifier=Verifier(ground.verifier, {"assaymark": verdict.tool_version, "rules": verdict.knowledge}),
        time_verified=stamp(ground.verified_at),
        resource_uri=ground.resource,
        policy=Source(ground.policy, digest_of(verdict.policy_digest)),
        verification_result=PASSED,
        verified_levels=levels(verdict, is_source=ground.is_source),
        extension=Extension(
            expires=stamp(_ends(verdict, ground)),
            environments=ground.environments,
            lineage=ground.lineage,
            baseline=ground.base,
            waivers=_waivers(verdict),
            advisories=next((run.knowledge for run in verdict.checks if run.check == _DEPENDENCIES), ""),
            approved_by=ground.approved_by,
            packages=ground.packages,
            platforms=ground.platforms,
            platforms_unjudged=ground.platforms_unjudged,
        ),
        input_attestations=ground.evidence,
    )


def levels(verdict: Verdict, *, is_source: bool) -> tuple[str, ...]:
    """What was verified: that it passed, and each check that came to its end with nothing to stop it. Of what was judged, that is: a
    comparison says nothing of what both sides hold.
    """
    dirty = {witness.check for each in _open(verdict) if _weighs(each, verdict) for witness in each.finding.witnesses}
    gaps = {w.check for each in verdict.findings if each.finding.core.kind is Kind.UNCHECKED for w in each.finding.witnesses}
    clean = {run.check for run in verdict.checks if not run.unchecked} - dirty - gaps
    prefix = "ORG_SOURCE_" if is_source else "ORG_"
    names = sorted(f"{prefix}{_OTHER.sub('_', str(check).upper()).strip('_')}_CLEAN" for check in clean)
    return (APPROVED_SOURCE if is_source else APPROVED, *names)


def _open(verdict: Verdict) -> list[Judged]:
    """What stands open and was not let through."""
    return [
        each
        for each in verdict.findings
        if each.state is not State.FIXED and each.waiver is None and each.finding.core.kind is not Kind.UNCHECKED
    ]


def _weighs(each: Judged, verdict: Verdict) -> bool:
    """Whether the policy would stop it if it was new."""
    return each.gates or each.finding.severity.rank >= _RANKS.get(verdict.fail_on, 1 << 10)


def _waivers(verdict: Verdict) -> tuple[WaiverNote, ...]:
    """Each decision once, in a fixed order."""
    found = {
        WaiverNote(f"decision:{w.decision}" if w.decision else f"{w.source}:{each.finding.fingerprint}", w.until)
        for each in verdict.findings
        if each.state is not State.FIXED and (w := each.waiver) is not None
    }
    return tuple(sorted(found, key=lambda note: (note.id, note.until)))


def _waived_until(verdict: Verdict) -> Instant | None:
    """The first moment at which something that was let through is not any more."""
    ends = [_after(note.until) for note in _waivers(verdict) if note.until]
    return min(ends, default=None)


def _after(day: str) -> Instant:
    """The end of a day, in UTC; a day that is none ended long ago."""
    try:
        found = dt.datetime.combine(dt.date.fromisoformat(day[:10]), dt.time(), dt.UTC) + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return Instant(0)
    return Instant(int(found.timestamp()) * SECOND)


def _ends(verdict: Verdict, ground: Ground) -> Instant:
    usual = Instant(ground.verified_at + ground.days * _DAY)
    waived = _waived_until(verdict)
    return usual if waived is None else min(usual, waived)


def digest_of(text: str) -> dict[str, str]:
    """``<algorithm>:<hex>`` as in-toto writes it."""
    kind, _, value = text.partition(":")
    return {kind: value}


def main_digest(subjects: Sequence[Named]) -> str:
    """By which evidence about it is found: the first digest of the first subject."""
    kind, value = next(iter(subjects[0].digest.items()))
    return f"{kind}:{value}"


def digests(subjects: Sequence[Named]) -> tuple[str, ...]:
    """All by which it is found."""
    return tuple(f"{kind}:{value}" for each in subjects for kind, value in each.digest.items())
