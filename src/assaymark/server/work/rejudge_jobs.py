"""Jobs that judge subjects again after the advisories changed, and how many of them may be under way."""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SECOND, Instant, SubjectId
from assaymark.server.service import Service

MOST_FLYING = 100
"""Subjects that are judged again at the same time or wait for a worker: the rest waits in its own table, so that the queue stays short."""
FLIGHT = Instant(3600 * SECOND)
"""After this long a subject that was taken up is not counted as under way any more: its job is among the dead ones."""
AGAIN = Instant(60 * SECOND)
"""When it is looked again whether there is room, whatever happened to those that were taken up."""


def one(subject: SubjectId) -> Job:
    """Judge what a subject holds again; however often it is asked for, once."""
    key = f"rejudge:{subject}"
    return Job("rejudge", {"subject": subject}, key=key, lock=f"subject:{subject}", priority=Priority.ADVISORY, seconds=300)


def put_next(service: Service, connection: sa.Connection, *, due_at: Instant | None = None) -> None:
    """Let the subjects that wait be taken up; within the caller's transaction."""
    service.queue.put(connection, Job("rejudge-hits", {}, key="rejudge-hits", priority=Priority.ADVISORY, seconds=60, due_at=due_at))
