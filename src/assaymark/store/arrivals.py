"""Subjects and their queued assessments, as triggers bring them.

Guarantees: a subject's kind and key are unique, and its row is locked until the caller's transaction ends; of one subject at most one
assessment is queued after `queue`; the others are superseded by it, which then covers what they would have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, RepositoryId, SubjectId
from assaymark.store.departures import depart
from assaymark.store.new_rows import insert_new
from assaymark.store.pasts import remember
from assaymark.store.tables import assessment as table
from assaymark.store.tables import subject

_JUDGED = (AssessmentState.RUNNING, AssessmentState.PASS, AssessmentState.FAIL)


class Place(Struct, frozen=True):
    """What identifies and describes a subject."""

    kind: str
    key: str
    name: str
    ref: str
    repository: RepositoryId | None
    team: TeamId | None
    url: str = ""
    details: str = "{}"


class SubjectRow(Struct, frozen=True):
    id: SubjectId
    team: TeamId | None
    details: str
    ended_at: Instant | None


class Arrival(Struct, frozen=True):
    """An assessment that is to be queued."""

    subject: SubjectId
    team: TeamId | None
    trigger: str
    trigger_details: str
    actor: str
    base: str
    head: str
    delivery: int | None
    cause: str
    at: Instant


class Earlier(Struct, frozen=True):
    """An assessment that came before."""

    id: AssessmentId
    state: str
    trigger: str
    trigger_details: str
    base: str
    head: str


_EARLIER = tuple(table.c[name] for name in Earlier.__struct_fields__)


def find(connection: sa.Connection, kind: str, key: str) -> SubjectRow | None:
    """The subject, locked."""
    columns = [subject.c[name] for name in SubjectRow.__struct_fields__]
    query = sa.select(*columns).where(subject.c.kind == kind, subject.c.key == key).with_for_update(key_share=True)
    row = connection.execute(query).first()
    return SubjectRow(*row) if row else None


def settle(connection: sa.Connection, place: Place, at: Instant) -> SubjectRow:
    """The subject as it was before this (without details when it is new), alive again and described as it is now; locked."""
    row = find(connection, place.kind, place.key)
    if row is None:
        made = insert_new(connection, subject, _columns(place) | {"created_at": at}, "kind", "key")
        if made is not None:
            return SubjectRow(SubjectId(made), place.team, "{}", None)
        row = find(connection, place.kind, place.key)
    assert row is not None  # noqa: S101 - the insert waited for whoever made it
    if row.ended_at is not None:
        remember(connection, subject.c.id == row.id, at)
    changed: dict[str, Any] = {"name": place.name, "ref": place.ref, "ended_at": None}
    changed |= {"url": place.url} if place.url else {}
    changed |= {"details": place.details} if place.details != "{}" else {}
    connection.execute(subject.update().where(subject.c.id == row.id).values(**changed))
    return row


def _columns(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in Place.__struct_fields__}


def newest(connection: sa.Connection, of: SubjectId, *, but: Iterable[str] = ()) -> Earlier | None:
    """The assessment that came last, was not cancelled, and was set off by none of these kinds of triggers."""
    wanted = table.c.state != AssessmentState.CANCELLED, table.c.trigger.not_in([str(kind) for kind in but])
    query = sa.select(*_EARLIER).where(table.c.subject == of, *wanted)
    row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).first()
    return Earlier(*row) if row else None


def judged_head(connection: sa.Connection, of: SubjectId) -> str:
    """Head of what was judged last or is being judged; empty when nothing was."""
    proven = table.c.state.in_(_JUDGED) | ((table.c.state == AssessmentState.UNPROVEN) & (table.c.verdict != ""))
    query = sa.select(table.c.head).where(table.c.subject == of, proven, table.c.head != "").order_by(table.c.id.desc()).limit(1)
    return str(connection.execute(query).scalar() or "")


def insert(connection: sa.Connection, arrival: Arrival, **more: Any) -> AssessmentId:
    """A row in state queued, unless `more` says otherwise."""
    values: Mapping[str, Any] = {name: getattr(arrival, name) for name in Arrival.__struct_fields__ if name != "at"}
    row = {**values, "state": AssessmentState.QUEUED, "queued_at": arrival.at, **more}
    return AssessmentId(connection.execute(table.insert().returning(table.c.id), row).scalar_one())


def supersede(connection: sa.Connection, of: SubjectId, by: AssessmentId, at: Instant) -> Sequence[Earlier]:
    """End what is still queued of a subject, in favour of a newer one; gives what was ended, oldest first."""
    done = connection.execute(
        table.update()
        .where(table.c.subject == of, table.c.state == AssessmentState.QUEUED, table.c.id != by)
        .values(state=AssessmentState.SUPERSEDED, superseded_by=by, finished_at=at, summary=f"assessment {by} covers it")
        .returning(*_EARLIER)
    )
    return sorted((Earlier(*row) for row in done), key=lambda each: each.id)


def rebase(connection: sa.Connection, number: AssessmentId, base: str) -> None:
    """Let a queued assessment begin elsewhere."""
    connection.execute(table.update().where(table.c.id == number, table.c.state == AssessmentState.QUEUED).values(base=base))


def end(connection: sa.Connection, of: SubjectId, at: Instant) -> Sequence[AssessmentId]:
    """The subject is no more; gives the assessments that were queued and are cancelled by that."""
    connection.execute(subject.update().where(subject.c.id == of, subject.c.ended_at.is_(None)).values(ended_at=at))
    depart(connection, subject.c.id == of, at)
    return cancel(connection, table.c.subject == of, at, "its subject is no more")


def end_all(connection: sa.Connection, of: RepositoryId, at: Instant) -> Sequence[AssessmentId]:
    """Cancel what is queued of a repository's subjects."""
    mine = sa.select(subject.c.id).where(subject.c.repository == of)
    return cancel(connection, table.c.subject.in_(mine), at, "its repository is no more")


def cancel(connection: sa.Connection, which: sa.ColumnElement[bool], at: Instant, why: str) -> Sequence[AssessmentId]:
    """End queued assessments without a verdict."""
    done = connection.execute(
        table.update()
        .where(which, table.c.state == AssessmentState.QUEUED)
        .values(state=AssessmentState.CANCELLED, finished_at=at, summary=why)
        .returning(table.c.id)
    )
    return sorted(AssessmentId(row.id) for row in done)


def came_since(connection: sa.Connection, kind: str, key: str, head: str, since: Instant) -> bool:
    """Whether something came in for a subject since then, or ever with this head."""
    same = sa.select(subject.c.id).where(subject.c.kind == kind, subject.c.key == key).scalar_subquery()
    came = table.c.queued_at >= since
    query = sa.select(table.c.id).where(table.c.subject == same, came | (table.c.head == head) if head else came).limit(1)
    return connection.execute(query).first() is not None
