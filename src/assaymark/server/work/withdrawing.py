"""What was approved is withdrawn by itself when the subject, judged again, would not pass any more (decision 41).

A verdict calls what new knowledge finds in old content debt, and stops no change for it: nobody's change brought it. An endorsement says
more, that what has this digest was adequately assessed; so it ends when something that was not known is at or above what the policy stops
and nothing lets it through. Likewise when what let it through ended.

Guarantees: within the transaction that recorded the judgement; asked again it changes nothing; only what the judged subject's policy speaks
of: endorsements of the digest that was judged, of the subject's own team, and of the subject's other heads that hold the same package sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from assaymark.model.assessment import AssessmentId, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import Kind
from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Judged, Outcome, State, Verdict
from assaymark.server.service import Service
from assaymark.server.work import revoking
from assaymark.server.work.holdings import grounds_of
from assaymark.server.work.revoking import Why
from assaymark.store import bulk, withdrawals
from assaymark.store.running import named
from assaymark.store.tables import (
    assessment,
    endorsed_digest,
    endorsement,
    endorsement_part,
    finding,
    holding,
    occurrence,
    package_set,
    subject,
)
from assaymark.verdict.policy import APPETITE, Gate, Level
from assaymark.verdict.weight import weight

_NAMED = 5
_DECIDED = "what let it through has ended"
e, o = endorsement.c, occurrence.c


def revisit(service: Service, link: sa.Connection, number: SubjectId, judged: AssessmentId) -> None:
    """Withdraw what would not be given any more after this assessment of the subject."""
    row = _judged(link, number, judged)
    if row is None or not row.verdict:
        return
    about = _about(row, service.now())
    same_sets = _of_subject(number, service.now())
    if link.execute(about.union_all(same_sets).limit(1)).first() is None:
        return
    verdict = msgspec.json.decode(service.blobs.get(Digest(row.verdict)), type=Verdict)
    stopping = _standing(link, number, broken(verdict, _gate(service, row.grounds, verdict)))
    if not stopping and verdict.outcome is not Outcome.FAIL:
        return
    chosen = set(withdrawals.portion(link, about, after=0))
    if stopping:
        chosen |= set(withdrawals.portion(link, _holding(link, number, same_sets, stopping), after=0))
    why = Why(cause=row.cause or ", ".join(_names(stopping)) or _DECIDED, assessment=judged)
    if chosen:
        revoking.revoke_judged(service, link, sorted(chosen), sentence(row.name, verdict, stopping), why)


def broken(verdict: Verdict, gate: Gate) -> tuple[Judged, ...]:
    """What became known, or counts again, and is at or above what the policy stops. Pure."""
    return tuple(
        each
        for each in verdict.findings
        if each.waiver is None
        and (each.gates or (each.state is State.NEWLY_KNOWN and weight(each.finding, gate) > 0))
        and each.state is not State.FIXED
        and each.finding.core.kind is not Kind.UNCHECKED
    )


def sentence(name: str, verdict: Verdict, stopping: Sequence[Judged]) -> str:
    """Why, for people."""
    if not stopping:
        reason = next((each.text for each in verdict.reasons if each.stops), "it does not pass")
        return f"{name} was judged again and does not pass any more: {reason}"
    names = _names(stopping)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    worst = max((each.finding.severity for each in stopping), key=lambda each: each.rank)
    return f"{name} holds what became known or is not let through any more: {', '.join(names[:_NAMED])}{more} ({worst})"


def _names(stopping: Sequence[Judged]) -> list[str]:
    return list(dict.fromkeys(str(each.finding.core.parts[-1] if each.finding.core.parts else each.finding.rule) for each in stopping))


def _judged(link: sa.Connection, number: SubjectId, judged: AssessmentId) -> Any:
    a, s = assessment.c, subject.c
    query = sa.select(a.verdict, a.head, a.cause, s.name, s.team, s.grounds).join(subject, s.id == a.subject)
    return link.execute(query.where(a.id == judged, a.subject == number)).first()


def _gate(service: Service, grounds: str, verdict: Verdict) -> Gate:
    """What the policy stops: as the verdict says, which knows the organisation's floors, and the confidence that the repository asks."""
    gate = grounds_of(service, grounds).read()[0].gate if grounds else replace(APPETITE[Level.PRODUCTION], min_confidence=Confidence.LOW)
    return replace(gate, fail_on=Severity(verdict.fail_on)) if verdict.fail_on else gate


def _in_force(now: int) -> list[sa.ColumnElement[bool]]:
    return [e.expires_at > now]


def _about(row: Any, now: int) -> sa.Select[Any]:
    """Endorsements of the very digest that was judged, whoever's subject it was endorsed as, of the same team."""
    digests = sa.select(endorsed_digest.c.endorsement).where(endorsed_digest.c.digest == named(row.head))
    return withdrawals.not_withdrawn(sa.select(e.id).where(e.id.in_(digests), e.team.is_not_distinct_from(row.team), *_in_force(now)))


def _of_subject(number: SubjectId, now: int) -> sa.Select[Any]:
    return withdrawals.not_withdrawn(sa.select(e.id).where(e.subject == number, *_in_force(now)))


def _holding(link: sa.Connection, number: SubjectId, chosen: sa.Select[Any], stopping: Sequence[Judged]) -> sa.Select[Any]:
    """Of these, what holds a package set in which something stands that stops."""
    paths = sorted({each.finding.place.path for each in stopping})
    sets = sa.select(package_set.c.digest).join(holding, holding.c.package_set == package_set.c.id)
    sets = sets.where(holding.c.subject == number, holding.c.closed_at.is_(None), bulk.among(link, holding.c.path, paths))
    return chosen.where(e.id.in_(sa.select(endorsement_part.c.endorsement).where(endorsement_part.c.digest.in_(sets))))


def _standing(link: sa.Connection, number: SubjectId, found: Sequence[Judged]) -> tuple[Judged, ...]:
    """Without what people decided about: a judgement of new knowledge does not ask them, the rows of the subject know."""
    if not found:
        return ()
    names = sorted({each.finding.fingerprint for each in found})
    query = sa.select(finding.c.fingerprint, o.path).join(occurrence, o.finding == finding.c.id)
    query = query.where(o.subject == number, o.closed_at.is_(None), o.waived == 1, bulk.among(link, finding.c.fingerprint, names))
    decided = {(row[0], row[1]) for row in link.execute(query)}
    return tuple(each for each in found if (each.finding.fingerprint, each.finding.place.path) not in decided)
