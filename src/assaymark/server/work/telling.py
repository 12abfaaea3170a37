"""Tells that a subject's verdict is another one than before, and nothing when it is not.

Guarantees: part of the transaction that ended the assessment; compared is with what was judged last of the same subject, so that the same
push twice, a replay and a nightly look tell nothing. A first verdict that passes is no news; a first one that does not is.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, RepositoryId, SubjectId
from assaymark.model.finding import Kind
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.model.trigger import TriggerKind
from assaymark.model.verdict import Outcome, State, Verdict
from assaymark.server.service import Service
from assaymark.server.work.publish import publish
from assaymark.store.tables import assessment, happening, repository, subject

_JUDGED = (AssessmentState.PASS, AssessmentState.FAIL, AssessmentState.UNPROVEN)


def tell_change(service: Service, link: sa.Connection, number: AssessmentId, verdict: Verdict | None) -> bool:
    """Publish it if it is a change; called after the assessment was recorded."""
    a, s = assessment.c, subject.c
    asked = sa.select(
        a.state, a.summary, a.trigger, a.actor, a.head, a.finished_at, a.new_findings, a.fixed_findings, s.id, s.name, s.team, s.repository
    )
    row = link.execute(asked.join(subject, s.id == a.subject).where(a.id == number)).first()
    if row is None or row.trigger == TriggerKind.IMPORT or row.state not in _JUDGED:
        return False
    before = _before(link, row.id, number)
    if row.state == (before or AssessmentState.PASS):
        return False
    could = verdict is not None
    kind = HappeningKind.VERDICT_CHANGED if could else HappeningKind.ASSESSMENT_UNPROVEN
    facts = {"before": before, "after": row.state, "assessment": str(number), "head": row.head, "trigger": row.trigger}
    facts |= {"new_findings": str(row.new_findings), "fixed_findings": str(row.fixed_findings)}
    told = Happening(
        kind,
        Instant(row.finished_at),
        row.team,
        f"{row.name}: {row.summary or row.state}",
        f"/changes/{number}",
        subject=SubjectId(row.id),
        repository=None if row.repository is None else RepositoryId(row.repository),
        severity=_worst(verdict),
        actor=row.actor,
        data={name: value for name, value in facts.items() if value},
    )
    publish(service, link, told)
    return True


def tell_hit(service: Service, link: sa.Connection, number: AssessmentId, verdict: Verdict) -> bool:
    """Publish that new knowledge found something in a subject; called after the assessment was recorded."""
    found = [each.finding for each in verdict.findings if each.state is State.NEWLY_KNOWN and each.finding.core.kind is not Kind.UNCHECKED]
    if not found:
        return False
    a, s = assessment.c, subject.c
    asked = sa.select(a.cause, a.finished_at, s.id, s.name, s.team, s.repository).join(subject, s.id == a.subject).where(a.id == number)
    row = link.execute(asked).one()
    told = Happening(
        HappeningKind.ADVISORY_HIT,
        Instant(row.finished_at),
        row.team,
        f"{row.name} holds {len(found)} weakness{'es' if len(found) > 1 else ''} that became known: {row.cause}",
        f"/changes/{number}",
        subject=SubjectId(row.id),
        repository=None if row.repository is None else RepositoryId(row.repository),
        severity=max((each.severity for each in found), key=lambda each: each.rank),
        data={"assessment": str(number), "advisories": row.cause, "findings": str(len(found))},
    )
    publish(service, link, told)
    return True


def tell_problem(service: Service, link: sa.Connection, number: RepositoryId, problem: str) -> bool:
    """Publish that a repository cannot be asked any more, or (empty) that it can again, once each: compared with what was told last."""
    row = link.execute(sa.select(repository.c.name, repository.c.team).where(repository.c.id == number)).first()
    mine = (happening.c.repository == number, happening.c.kind == HappeningKind.CONNECTION_PROBLEM)
    last = link.execute(sa.select(happening.c.data).where(*mine).order_by(happening.c.id.desc()).limit(1)).scalar()
    was_failing = last is not None and msgspec.json.decode(last).get("state") == "failing"
    if row is None or was_failing == bool(problem):
        return False
    title = f"{row.name} cannot be asked: {problem}" if problem else f"{row.name} can be asked again"
    told = {"repository": str(number), "state": "failing" if problem else "well"}
    publish(
        service,
        link,
        Happening(HappeningKind.CONNECTION_PROBLEM, service.now(), row.team, title, "/repositories", repository=number, data=told),
    )
    return True


def _before(link: sa.Connection, of: int, number: AssessmentId) -> str:
    """State of what was judged last before this; empty when nothing was. Imports are no verdicts."""
    a = assessment.c
    earlier = (a.subject == of, a.id != number, a.state.in_(_JUDGED), a.trigger != TriggerKind.IMPORT, a.finished_at.is_not(None))
    newest = sa.select(a.state).where(*earlier).order_by(a.finished_at.desc(), a.id.desc()).limit(1)
    return link.execute(newest).scalar() or ""


def _worst(verdict: Verdict | None) -> Severity | None:
    """Of what stops the line; None where nothing does, or nobody knows."""
    if verdict is None or verdict.outcome is Outcome.PASS:
        return None
    gating = [judged.finding.severity for judged in verdict.findings if judged.gates]
    return max(gating, key=lambda each: each.rank) if gating else None
