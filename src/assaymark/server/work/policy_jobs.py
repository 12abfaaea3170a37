"""Jobs that read policies from git: put by the clock, by a push, by a person."""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import RepositoryId
from assaymark.server.service import Service
from assaymark.store import policy_sources


def job_for(source: int, priority: int = Priority.SCHEDULE) -> Job:
    """Read a source; while one waits, another is not added."""
    lock = f"policies:{source}"
    return Job("read-policies", {"source": source}, key=lock, lock=lock, priority=int(priority), seconds=300)


def put_for(service: Service, link: sa.Connection, repository: RepositoryId) -> None:
    """Something was pushed there: read what lives in it; within the caller's transaction."""
    for each in policy_sources.of_repository(link, repository):
        service.queue.put(link, job_for(each.id, Priority.PUSH))
