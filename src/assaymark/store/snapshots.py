"""Advisories as the whole installation knows them, and the subjects that a change of them hits, until each is judged again.

Guarantees: a subject is hit by a snapshot once; one that is hit by a later snapshot before it was judged is judged once, for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.store import bulk
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import advisory_hit as hits
from assaymark.store.tables import advisory_snapshot as snapshots
from assaymark.store.tables import holding, subject

WAITING, QUEUED, JUDGED = "waiting", "queued", "judged"
MOST_NAMED = 100
"""Advisories that are kept by name for one subject of one snapshot; the rest is counted."""


class Snapshot(Struct, frozen=True):
    """One compiled index."""

    id: int
    digest: Digest
    """Of the file, in the blobs."""
    snapshot: str
    """Equal for equal advisories."""
    meta: dict[str, str]
    """What the index says of itself: when and from what it was compiled, counts."""
    created_at: Instant
    news: int
    """Vulnerabilities of which something changed."""
    hits: int
    """Subjects that hold what they speak of."""


class Hit(Struct, frozen=True):
    """A subject of a snapshot."""

    id: int
    subject: SubjectId
    subject_kind: str
    subject_name: str
    team: TeamId | None
    advisories: tuple[str, ...]
    advisory_count: int
    state: str
    """``waiting``, ``queued``, ``judged``."""
    judged_at: Instant | None
    assessment: AssessmentId | None
    """What came of it; None also when it changed nothing there."""


def newest(connection: sa.Connection) -> Snapshot | None:
    """What is known now."""
    row = connection.execute(sa.select(snapshots).order_by(snapshots.c.id.desc()).limit(1)).first()
    return None if row is None else _snapshot(row)


def page(connection: sa.Connection, *, before: int | None, limit: int) -> list[Snapshot]:
    """Newest first."""
    query = sa.select(snapshots).order_by(snapshots.c.id.desc()).limit(limit)
    return [_snapshot(row) for row in connection.execute(query if before is None else query.where(snapshots.c.id < before))]


def _snapshot(row: Any) -> Snapshot:
    return Snapshot(row.id, row.digest, row.snapshot, msgspec.json.decode(row.meta), row.created_at, row.news, row.hits)


def holders(connection: sa.Connection, hit: Mapping[str, frozenset[int]]) -> dict[SubjectId, list[str]]:
    """Subject -> the advisories that hit a package set which it holds now, sorted."""
    by_set: dict[int, list[str]] = {}
    for advisory, sets in sorted(hit.items()):
        for number in sets:
            by_set.setdefault(number, []).append(advisory)
    found: dict[SubjectId, set[str]] = {}
    for some in bulk.portions(sorted(by_set)):
        query = sa.select(holding.c.subject, holding.c.package_set).join(subject, subject.c.id == holding.c.subject)
        query = query.where(
            bulk.among(connection, holding.c.package_set, some), holding.c.closed_at.is_(None), subject.c.ended_at.is_(None)
        )
        for row in connection.execute(query):
            found.setdefault(row.subject, set()).update(by_set[row.package_set])
    return {number: sorted(advisories) for number, advisories in sorted(found.items())}


def add(connection: sa.Connection, snapshot: Snapshot, found: Mapping[SubjectId, Sequence[str]]) -> int:
    """A new snapshot with whom it hits; the database gives its number."""
    row = {
        "digest": snapshot.digest,
        "snapshot": snapshot.snapshot,
        "meta": msgspec.json.encode(snapshot.meta).decode(),
        "created_at": snapshot.created_at,
        "news": snapshot.news,
        "hits": len(found),
    }
    number = int(connection.execute(snapshots.insert().returning(snapshots.c.id), row).scalar_one())
    rows = (
        (number, each, msgspec.json.encode(list(advisories[:MOST_NAMED])).decode(), len(advisories), WAITING)
        for each, advisories in found.items()
    )
    bulk.add(connection, hits, ("snapshot", "subject", "advisories", "advisory_count", "state"), rows)
    return number


def take(connection: sa.Connection, *, most: int, at: Instant, alive_since: Instant) -> list[SubjectId]:
    """Subjects to judge next: as many as keep at most `most` in flight; one that was taken before `alive_since` is not counted any more."""
    flying = sa.select(hits.c.subject).where(hits.c.state == QUEUED, hits.c.queued_at >= alive_since).distinct().limit(most).subquery()
    room = most - int(connection.execute(sa.select(sa.func.count()).select_from(flying)).scalar_one())
    if room <= 0:
        return []
    oldest = sa.select(hits.c.id, hits.c.subject).where(hits.c.state == WAITING).order_by(hits.c.id).limit(room).with_for_update()
    rows = connection.execute(oldest).all()
    chosen = sorted({SubjectId(row.subject) for row in rows})
    bulk.change_all(connection, hits, [row.id for row in rows], {"state": QUEUED, "queued_at": at})
    return chosen


def some_wait(connection: sa.Connection) -> bool:
    """Whether any subject has not been taken yet."""
    return connection.execute(sa.select(hits.c.id).where(hits.c.state == WAITING).limit(1)).first() is not None


def judged(connection: sa.Connection, of: SubjectId, assessment: AssessmentId | None, at: Instant) -> None:
    """The subject was judged with the newest snapshot: nothing of it waits any more."""
    open_ = hits.c.subject == of, hits.c.state.in_((WAITING, QUEUED))
    connection.execute(hits.update().where(*open_).values(state=JUDGED, judged_at=at, assessment=assessment))


def causes(connection: sa.Connection, of: SubjectId) -> list[str]:
    """The advisories for which a subject waits to be judged, as far as they are kept by name."""
    open_ = hits.c.subject == of, hits.c.state.in_((WAITING, QUEUED))
    rows = connection.execute(sa.select(hits.c.advisories).where(*open_).order_by(hits.c.id)).scalars()
    return list(dict.fromkeys(name for row in rows for name in msgspec.json.decode(row, type=list[str])))


def page_of_hits(connection: sa.Connection, snapshot: int, teams: Teams, *, after: int | None, limit: int) -> list[Hit]:
    """Whom a snapshot hits, in order of subjects' numbers, of these teams (None for all)."""
    columns = (hits, subject.c.kind, subject.c.name, subject.c.team)
    query = sa.select(*columns).join(subject, subject.c.id == hits.c.subject).where(hits.c.snapshot == snapshot)
    query = query.where(*of_teams(subject.c.team, teams))
    if after is not None:
        query = query.where(hits.c.subject > after)
    return [
        Hit(
            id=row.id,
            subject=row.subject,
            subject_kind=row.kind,
            subject_name=row.name,
            team=row.team,
            advisories=tuple(msgspec.json.decode(row.advisories, type=list[str])),
            advisory_count=row.advisory_count,
            state=row.state,
            judged_at=row.judged_at,
            assessment=row.assessment,
        )
        for row in connection.execute(query.order_by(hits.c.subject).limit(limit))
    ]


def superseded(connection: sa.Connection, *, keep: int) -> list[Digest]:
    """Files of snapshots that nobody reads any more: all but the newest few."""
    return [
        Digest(each)
        for each in connection.execute(sa.select(snapshots.c.digest).order_by(snapshots.c.id.desc()).offset(keep).limit(100)).scalars()
    ]
