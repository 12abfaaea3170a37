"""Items as lists and pages ask for them: what one repair removes, whose it is, since when, and how many findings it removes where.

Guarantees: every list is a keyset page over an index, asked for one severity at a time, as that of findings; as of an instant the answer is
the same whenever it is asked. Whoever may see a team's findings may see its items, and of an item only what stands in those teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Kind, Layer
from assaymark.model.severity import Severity
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_COUNTED, MOST_ROWS, Teams, behind, counted, of_teams, standing, unled
from assaymark.store.tables import issue, item, item_span, item_subject, occurrence, person, repository, subject, team

_WORST_FIRST = tuple(reversed(Severity))
_BY_RANK = tuple(Severity)
s = item_span.c


class ItemState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class OwnerSource(StrEnum):
    """How it is known whose an item is."""

    HAND = "hand"
    """Somebody said so; this overrides the others."""
    CODEOWNERS = "codeowners"
    BLAME = "blame"
    """Who wrote the lines."""
    TEAM = "team"
    """Nobody in particular: the team's."""


class Filter(Struct, frozen=True):
    """What is asked for; everything is joined by "and"."""

    state: ItemState = ItemState.OPEN
    severities: tuple[Severity, ...] = ()
    least: Severity | None = None
    """This severity and worse ones."""
    kinds: tuple[Kind, ...] = ()
    causes: tuple[CauseKind, ...] = ()
    team: TeamId | None = None
    person: PersonId | None = None
    unowned: bool = False
    """Only what is no person's."""
    repository: RepositoryId | None = None
    at: Instant | None = None
    """As of when; None is now."""


class ItemRow(Struct, frozen=True):
    """An item as it stands, or stood."""

    id: int
    cause: CauseKind
    title: str
    kind: Kind
    layer: Layer
    rule_class: str
    severity: Severity
    """Of its worst finding."""
    state: ItemState
    team: TeamId | None
    team_name: str
    repository: RepositoryId | None
    """Where it was found first."""
    repository_name: str
    person: PersonId | None
    owner: str
    """A login, or as CODEOWNERS or the commit names him or them; empty for the team's."""
    owner_source: OwnerSource
    since: Instant
    """When it was opened, the last time."""
    closed_at: Instant | None
    findings: int
    """That stand open; of a closed one, those that stood open last."""
    subjects: int


class Place(Struct, frozen=True):
    """Where a page ended: the sort key of its last row."""

    severity: int
    since: int
    id: int


class Part(Struct, frozen=True):
    """Which part of a list."""

    after: Place | None = None
    limit: int = 50


class SubjectPart(Struct, frozen=True):
    """A subject in which an item stands."""

    id: SubjectId
    kind: str
    name: str
    team: TeamId | None
    findings: int
    severity: Severity


class IssueRow(Struct, frozen=True):
    """An issue in a tracker that tells of an item."""

    connection: int
    remote: str
    """Its number or key there."""
    url: str
    state: ItemState


class Span(Struct, frozen=True):
    """A part of an item's history."""

    opened_at: Instant
    closed_at: Instant | None
    continued: bool
    """It did not end there: it went on with other numbers, another severity, team or owner."""
    severity: Severity
    findings: int
    subjects: int
    owner: str
    owner_source: OwnerSource


def page(connection: sa.Connection, teams: Teams, asked: Filter, part: Part | None = None) -> tuple[list[ItemRow], Place | None]:
    """A part of the list, worst first and then newest, and where it ended when there is more."""
    part = part or Part()
    limit = max(1, min(part.limit, MOST_ROWS))
    given = _narrowed(teams, asked)
    wanted = limit + 1
    places = (
        _walked(connection, given, asked, part.after, wanted)
        if asked.repository is None
        else _sorted(connection, given, part.after, wanted)
    )
    rows = _rows(connection, [place.id for place in places[:limit]], asked.at)
    return rows, places[limit - 1] if len(places) > limit else None


def _walked(connection: sa.Connection, given: list[sa.ColumnElement[bool]], asked: Filter, after: Place | None, wanted: int) -> list[Place]:
    """Severity by severity, each a walk along an index from where the instant or the last page lies in it."""
    places: list[Place] = []
    for severity in _severities(asked):
        if len(places) >= wanted or (after is not None and severity.rank > after.severity):
            continue
        where = (*given, *_behind(after, severity.rank), s.severity == severity.rank)
        query = sa.select(s.since, s.id).where(*where).order_by(s.since.desc(), s.id.desc()).limit(wanted - len(places))
        places += [Place(severity.rank, row[0], row[1]) for row in connection.execute(query)]
    return places


def _sorted(connection: sa.Connection, given: list[sa.ColumnElement[bool]], after: Place | None, wanted: int) -> list[Place]:
    """Of one repository, whose items are few enough to be sorted."""
    columns = (unled(s.severity), unled(s.since), unled(s.id))
    begin = [behind(columns, (after.severity, after.since, after.id), descending=True)] if after is not None else []
    query = sa.select(s.severity, s.since, s.id).where(*given, *begin).order_by(*(column.desc() for column in columns)).limit(wanted)
    return [Place(*tuple[Any, ...](row)) for row in connection.execute(query)]


def count(connection: sa.Connection, teams: Teams, asked: Filter, most: int = MOST_COUNTED) -> int:
    """How many there are, counted up to `most`."""
    ranks = [severity.rank for severity in _severities(asked)]
    narrow = [s.severity.in_(ranks)] if len(ranks) < len(_WORST_FIRST) else []
    return counted(connection, sa.select(s.id).where(*_narrowed(teams, asked), *narrow), most)


def one(connection: sa.Connection, number: int, at: Instant | None = None) -> ItemRow | None:
    """One item, now or as of an instant; the caller asks whether its team's things may be seen."""
    query = sa.select(s.id).where(s.item == number).order_by(s.id.desc()).limit(1)
    if at is not None:
        query = query.where(s.opened_at <= at)
    return next(iter(_rows(connection, list(connection.execute(query).scalars()), at)), None)


def history(connection: sa.Connection, number: int, *, at: Instant | None = None, limit: int = MOST_ROWS) -> list[Span]:
    """How it stood, newest first."""
    query = sa.select(item_span).where(s.item == number, *([s.opened_at <= at] if at is not None else []))
    return [
        Span(
            opened_at=row.opened_at,
            closed_at=_ended(row, at),
            continued=bool(row.continued) and _ended(row, at) is not None,
            severity=_BY_RANK[row.severity],
            findings=row.findings,
            subjects=row.subjects,
            owner=row.owner,
            owner_source=OwnerSource(row.owner_source),
        )
        for row in connection.execute(query.order_by(s.id.desc()).limit(limit))
    ]


def advice(connection: sa.Connection, number: int) -> str:
    """What to do, as the finding that opened it said."""
    return str(connection.execute(sa.select(item.c.advice).where(item.c.id == number)).scalar() or "")


def forget_basis(connection: sa.Connection, number: int) -> None:
    """Let it be asked again whose it is."""
    connection.execute(item.update().where(item.c.id == number).values(basis=""))


def subjects_of(connection: sa.Connection, teams: Teams, number: int, *, at: Instant | None = None, limit: int = 50) -> list[SubjectPart]:
    """Where it stands, in the order in which these subjects came."""
    c, limit = occurrence.c, max(1, min(limit, MOST_ROWS))
    columns = (subject.c.id, subject.c.kind, subject.c.name, subject.c.team)
    if at is None:
        k = item_subject.c
        kept = sa.select(*columns, k.findings, k.severity).join(subject, subject.c.id == k.subject)
        rows = connection.execute(kept.where(k.item == number, *of_teams(subject.c.team, teams)).order_by(k.subject).limit(limit))
        return [SubjectPart(row[0], row[1], row[2], row[3], row[4], _BY_RANK[row[5]]) for row in rows]
    where = [c.item == number, c.waived == 0, *standing(occurrence, at), *of_teams(c.team, teams)]
    query = sa.select(*columns, sa.func.count(), sa.func.max(c.severity)).join(subject, subject.c.id == c.subject).where(*where)
    query = query.group_by(*columns).order_by(subject.c.id).limit(limit)
    return [SubjectPart(row[0], row[1], row[2], row[3], row[4], _BY_RANK[row[5]]) for row in connection.execute(query)]


def occurrences_of(
    connection: sa.Connection, teams: Teams, number: int, part: Part, *, at: Instant | None = None
) -> tuple[list[int], Place | None]:
    """Ids for `findings.rows_of`, worst first, and where they ended when there are more."""
    c = occurrence.c
    after, limit = part.after, max(1, min(part.limit, MOST_ROWS))
    columns = (c.severity, c.since, c.id)
    query = sa.select(*columns).where(c.item == number, c.waived == 0, *standing(occurrence, at), *of_teams(c.team, teams))
    if after is not None:
        query = query.where(behind(columns, (after.severity, after.since, after.id), descending=True))
    rows = connection.execute(query.order_by(*(column.desc() for column in columns)).limit(limit + 1)).all()
    return [row.id for row in rows[:limit]], Place(*tuple[Any, ...](rows[limit - 1])) if len(rows) > limit else None


def issues_of(connection: sa.Connection, number: int) -> list[IssueRow]:
    """The issues that tell of it."""
    columns = [issue.c[name] for name in IssueRow.__struct_fields__]
    rows = connection.execute(sa.select(*columns).where(issue.c.item == number, issue.c.remote != "").order_by(issue.c.id))
    return [IssueRow(row.connection, row.remote, row.url, ItemState(row.state)) for row in rows]


# --- parts -----------------------------------------------------------------------------------------------------------


def _severities(asked: Filter) -> Sequence[Severity]:
    least = asked.least.rank if asked.least is not None else 0
    return [each for each in _WORST_FIRST if each.rank >= least and (not asked.severities or each in asked.severities)]


def _behind(after: Place | None, rank: int) -> list[sa.ColumnElement[bool]]:
    if after is None or rank != after.severity:
        return []
    return [behind((s.since, s.id), (after.since, after.id), descending=True)]


def _narrowed(teams: Teams, asked: Filter) -> list[sa.ColumnElement[bool]]:
    found = of_teams(s.team, teams)
    if asked.state is ItemState.OPEN:
        found += standing(item_span, asked.at)
    else:
        found += _closed(asked.at)
    found += [s.since <= asked.at] if asked.at is not None else []
    exact = {s.team: asked.team, s.person: asked.person}
    found += [column == value for column, value in exact.items() if value is not None]
    if asked.unowned:
        found.append(s.person.is_(None))
    for column, values in ((s.kind, asked.kinds), (s.cause, asked.causes)):
        if values:
            found.append(column.in_([value.value for value in values]))
    if asked.repository is not None:
        found.append(s.item.in_(sa.select(item.c.id).where(item.c.repository == asked.repository)))
        found.append(unled(s.severity).in_([severity.rank for severity in _severities(asked)]))
    return found


def _closed(at: Instant | None) -> list[sa.ColumnElement[bool]]:
    """The last rows of those that were closed and had not been opened again."""
    later = item_span.alias("later")
    newer = [later.c.item == s.item, later.c.id > s.id]
    if at is None:
        return [s.closed_at.is_not(None), s.continued == 0, ~sa.exists().where(*newer)]
    return [s.closed_at <= at, s.continued == 0, ~sa.exists().where(*newer, later.c.opened_at <= at)]


def _ended(row: Any, at: Instant | None) -> Instant | None:
    return row.closed_at if at is None or (row.closed_at is not None and row.closed_at <= at) else None


def _rows(connection: sa.Connection, ids: Sequence[int], at: Instant | None) -> list[ItemRow]:
    if not ids:
        return []
    names = (
        item.c.title, item.c.rule_class, item.c.repository, repository.c.name.label("repository_name"), team.c.name.label("team_name"),
        person.c.login,
    )  # fmt: skip
    query = (
        sa.select(item_span, *names)
        .join(item, item.c.id == s.item)
        .join(repository, repository.c.id == item.c.repository, isouter=True)
        .join(team, team.c.id == s.team, isouter=True)
        .join(person, person.c.id == s.person, isouter=True)
        .where(bulk.among(connection, s.id, ids))
    )
    found = {row.id: _row(row, at) for row in connection.execute(query)}
    return [found[number] for number in ids]


def _row(row: Any, at: Instant | None) -> ItemRow:
    closed = _ended(row, at)
    return ItemRow(
        id=row.item,
        cause=CauseKind(row.cause),
        title=row.title,
        kind=Kind(row.kind),
        layer=Layer(row.layer),
        rule_class=row.rule_class,
        severity=_BY_RANK[row.severity],
        state=ItemState.OPEN if closed is None else ItemState.CLOSED,
        team=row.team,
        team_name=row.team_name or "",
        repository=row.repository,
        repository_name=row.repository_name or "",
        person=row.person,
        owner=row.login or row.owner,
        owner_source=OwnerSource(row.owner_source),
        since=row.since,
        closed_at=closed,
        findings=row.findings,
        subjects=row.subjects,
    )
