"""The head of an assessment once more, as its trigger told of it; what the engine remembers is not read again."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import AssessmentId
from assaymark.model.trigger import RemoteRepository, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.intake import Source, accept
from assaymark.store import repositories
from assaymark.store.assessments import AssessmentPage


class Asked(Struct, frozen=True):
    """Why, and how soon."""

    cause: str
    priority: int
    kind: TriggerKind | None = None
    """That it is, between the very ends that were judged; None: the trigger as it was told."""


def judge_again(service: Service, link: sa.Connection, page: AssessmentPage, asked: Asked) -> tuple[AssessmentId, ...]:
    """Queue it, within the caller's transaction; the repository as it is called now.

    Raises:
        UsageError: when the trigger does not say what it is about.
        Foreign: when that belongs to another connection or team by now.
    """
    trigger = msgspec.json.decode(page.trigger_details, type=Trigger)
    repository = repositories.get(link, page.repository) if page.repository is not None else None
    if repository is not None:
        now = RemoteRepository(
            repository.name, repository.clone_url, repository.web_url, repository.forge_id, repository.default_branch
        )  # fmt: skip
        trigger = msgspec.structs.replace(trigger, repository=now)
    if asked.kind is not None:
        trigger = msgspec.structs.replace(trigger, kind=asked.kind, before=page.row.base, after=page.row.head)
    connection = repository.connection if repository is not None else None
    source = Source(connection_id=connection, team=page.row.team, priority=asked.priority, cause=asked.cause)
    return accept(service, link, trigger, source=source)
