"""A repository that somebody names or discovery finds: looked after from now on, its default branch judged first.

Guarantees: within the caller's transaction; registering what is looked after changes nothing and queues nothing. Where the default branch
is not known, the repository is asked for it by a job (`poll-repository`), which then queues the first assessment.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import AssessmentId
from assaymark.model.trigger import RemoteRepository, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.intake import Source, accept
from assaymark.store import repositories
from assaymark.store.repositories import Keeper, RepositoryRow


class Registered(Struct, frozen=True):
    """What came of it."""

    repository: RepositoryRow
    new: bool
    assessments: tuple[AssessmentId, ...] = ()


def register(service: Service, link: sa.Connection, remote: RemoteRepository, source: Source, *, again: bool = False) -> Registered:
    """Look after it; with `again` also when somebody had ended it.

    Raises:
        Foreign: when it is looked after for another connection or team.
        UsageError: when its address is none.
    """
    at = service.now()
    row = repositories.settle(link, remote, Keeper(source.connection_id, source.team, at))
    if row.ended_at is not None and again:
        repositories.resume(link, row.id)
        row = msgspec.structs.replace(row, ended_at=None)
    elif row.created_at != at or repositories.has_subjects(link, row.id):
        return Registered(row, new=False)
    if not row.default_branch:
        service.queue.put(link, poll_job(row.id, Priority.PUSH if source.priority is None else source.priority))
        return Registered(row, new=True)
    first = Trigger(TriggerKind.CALL, remote, ref=f"refs/heads/{row.default_branch}", details={"why": "registered"})
    own = Priority.PUSH if source.priority is None else source.priority
    taken = accept(service, link, first, source=Source(source.connection_id, None, source.team, int(own), source.cause or "registration"))
    return Registered(row, new=True, assessments=taken)


def poll_job(repository: int, priority: int = Priority.SCHEDULE) -> Job:
    """Look what the repository's refs are now; while one waits, another is not added."""
    lock = f"poll:{repository}"
    return Job(kind="poll-repository", arguments={"repository": int(repository)}, key=lock, lock=lock, priority=int(priority), seconds=300)
