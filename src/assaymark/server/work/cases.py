"""An assessment's rows: taken up, and ended in one of its ways. Each function is one transaction, and asks whether it was done already."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import AssayError
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.trigger import SubjectKind, Trigger
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service
from assaymark.server.work import endorsing_jobs
from assaymark.server.work.bases import Ends
from assaymark.server.work.deliver import announce, announce_progress
from assaymark.server.work.items import follow
from assaymark.server.work.telling import tell_change
from assaymark.store import progress, repositories
from assaymark.store.recording import Recording, record
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import assessment, repository, subject
from assaymark.views.encoding import packed

_ALIVE = (AssessmentState.QUEUED, AssessmentState.RUNNING)
_MOST_EARLIER = 20
_HELD_WHOLE = frozenset({SubjectKind.BRANCH, SubjectKind.TAG, SubjectKind.RELEASE, SubjectKind.IMAGE, SubjectKind.REPOSITORY})
"""Of these an inventory is made; a merge request holds what its change brings, an environment what runs in it."""


class Case(Struct, frozen=True):
    """An assessment with what it is about."""

    assessment: AssessmentId
    subject: SubjectId
    team: TeamId | None
    kind: SubjectKind
    ref: str
    name: str
    trigger: Trigger
    base: str
    head: str
    repository: RepositoryRow | None
    earlier: tuple[str, ...] = ()


def take_up(service: Service, number: AssessmentId, attempt: int) -> Case | None:
    """Mark it as running; None when it has ended (or never was), so that there is nothing to do."""
    with service.database.write() as link:
        started = sa.func.coalesce(assessment.c.started_at, service.now())
        mine = assessment.update().where(assessment.c.id == number, assessment.c.state.in_(_ALIVE))
        if not link.execute(mine.values(state=AssessmentState.RUNNING, started_at=started, attempts=attempt)).rowcount:
            return None
        return case_of(link, number)


def write_down(service: Service, case: Case, verdict: Verdict, ends: Ends) -> bool:
    """The verdict is what there is to say; False when the assessment had ended meanwhile."""
    data = packed(verdict)
    blob = service.blobs.put(data)
    whole = not ends.base
    with service.database.write() as link:
        now = service.now()
        alive = (assessment.c.id == case.assessment, assessment.c.state.in_(_ALIVE))
        link.execute(assessment.update().where(*alive).values(base=ends.base, head=ends.head, grounds=verdict.grounds))
        if not record(link, Recording(case.assessment, case.subject, verdict, blob, whole, now)):
            return False
        follow(service, link)
        _follow(service, link, case, verdict)
        endorsing_jobs.after_verdict(service, link, (case.assessment, case.kind, case.team), verdict)
        if case.kind in _HELD_WHOLE:
            put_inventory(service, link, case.subject, ends.head)
        if case.repository is not None:
            link.execute(repository.update().where(repository.c.id == case.repository.id).values(fetched_at=now))
    return True


def give_up(service: Service, case: Case, error: AssayError) -> None:
    """It cannot be proved, and this is why."""
    sentence = f"{error.what}: {error.why}" if error.why else error.what
    end_unproven(service, case, f"{sentence}; {error.advice}" if error.advice else sentence)


def end_unproven(service: Service, case: Case, summary: str) -> None:
    """End without a verdict."""
    with service.database.write() as link:
        blob: Digest | str = ""
        if record(link, Recording(case.assessment, case.subject, None, blob, whole=False, at=service.now(), summary=summary)):
            _follow(service, link, case, None)


def end_cancelled(service: Service, link: sa.Connection, number: AssessmentId, why: str) -> bool:
    """Within the caller's transaction; False when it has ended already."""
    alive = assessment.update().where(assessment.c.id == number, assessment.c.state.in_(_ALIVE))
    values: dict[str, Any] = {"state": AssessmentState.CANCELLED, "finished_at": service.now(), "summary": why[:1000]}
    if not link.execute(alive.values(values)).rowcount:
        return False
    progress.forget(link, number)
    announce_progress(service, link, number)
    return True


def look_at(service: Service, number: AssessmentId) -> Case | None:
    """As it stands, without taking it up."""
    with service.database.read() as link:
        return case_of(link, number)


def put_inventory(service: Service, link: sa.Connection, number: SubjectId, head: str) -> None:
    """Let everything in the subject be looked at, once the ones that wait are done; within the caller's transaction."""
    key = f"inventory:{number}"
    service.queue.put(
        link, Job("inventory", {"subject": number, "head": head}, key=key, lock=key, priority=Priority.INVENTORY, seconds=1800)
    )


def _follow(service: Service, link: sa.Connection, case: Case, verdict: Verdict | None) -> None:
    progress.forget(link, case.assessment)
    tell_change(service, link, case.assessment, verdict)
    announce(service, link, case.assessment)


def case_of(link: sa.Connection, number: AssessmentId) -> Case | None:
    """As its rows say, within the caller's transaction."""
    a, s = assessment.c, subject.c
    asked = sa.select(a.subject, a.team, a.trigger_details, a.base, a.head, s.kind, s.ref, s.name, s.repository)
    row = link.execute(asked.join(subject, s.id == a.subject).where(a.id == number)).first()
    if row is None:
        return None
    return Case(
        assessment=number,
        subject=SubjectId(row.subject),
        team=row.team,
        kind=SubjectKind(row.kind),
        ref=row.ref,
        name=row.name,
        trigger=msgspec.json.decode(row.trigger_details, type=Trigger),
        base=row.base,
        head=row.head,
        repository=repositories.get(link, row.repository) if row.repository is not None else None,
        earlier=_earlier(link, row.subject, row.repository) if row.kind in {SubjectKind.TAG, SubjectKind.RELEASE} else (),
    )


def _earlier(link: sa.Connection, number: int, of: int | None) -> tuple[str, ...]:
    s = subject.c
    mine = (s.repository == of, s.id != number, s.kind.in_((SubjectKind.TAG, SubjectKind.RELEASE)), s.head != "")
    return tuple(link.execute(sa.select(s.head).where(*mine).order_by(s.judged_at.desc(), s.id.desc()).limit(_MOST_EARLIER)).scalars())
