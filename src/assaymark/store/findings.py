"""Lists of findings where they stand, one finding with everywhere that it stands, and what a list consists of.

Guarantees: every list is a keyset page over an index, asked for one severity at a time, so that its cost depends on what is shown and not
on what is there; counts are bounded; as of an instant the answer is the same whenever it is asked, so it leaves out what moves without a
new row (the present line and the present witnesses). Names of subjects are those of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.finding import Kind, Layer
from assaymark.model.severity import Confidence, Severity
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_COUNTED, MOST_ROWS, Teams, behind, counted, of_teams, unled
from assaymark.store.recording import Detail
from assaymark.store.sieving import NOBODY, Filter, Narrowed, Standing, narrowed
from assaymark.store.tables import finding, occurrence, repository, subject

__all__ = [
    "NOBODY",
    "By",
    "Filter",
    "FindingInfo",
    "FindingRow",
    "Narrowed",
    "OccurrenceInfo",
    "Order",
    "Part",
    "Place",
    "Standing",
    "SubjectName",
    "by_fingerprint",
    "by_id",
    "count",
    "counted_page",
    "everywhere",
    "may_see",
    "narrowed",
    "occurrence_of",
    "page",
    "repository_name",
    "rows_of",
    "severities",
]


_WORST_FIRST = tuple(reversed(Severity))
_CONFIDENCES = tuple(Confidence)
_BY_RANK = tuple(Severity)
_STRIDE, _STRIDES = 500, 10
"""How a list is read for words that many hold: so many rows at once, so many times."""
c = occurrence.c


class Order(StrEnum):
    WORST = "worst"
    """Most severe first, then newest."""
    NEWEST = "newest"


class SubjectName(Struct, frozen=True):
    """A subject as a list names it."""

    id: SubjectId
    kind: str
    name: str


class FindingRow(Struct, frozen=True):
    """A finding in a subject."""

    id: int
    """Of the occurrence."""
    finding: int
    fingerprint: str
    kind: Kind
    layer: Layer
    rule_class: str
    rule: str
    title: str
    severity: Severity
    confidence: Confidence
    message: str
    path: str
    line: int
    """Where it is; as of an instant, where it was opened."""
    subject: SubjectName
    team: TeamId | None
    waived: bool
    since: Instant
    """When it came into the subject."""
    closed_at: Instant | None
    checks: tuple[str, ...] = ()
    """Who sees it; empty as of an instant."""


class Place(Struct, frozen=True):
    """Where a page ended: the sort key of its last row."""

    severity: int
    since: int
    id: int


class Part(Struct, frozen=True):
    """Which part of a list."""

    order: Order = Order.WORST
    after: Place | None = None
    limit: int = 50


class FindingInfo(Struct, frozen=True):
    """A weakness, wherever it is."""

    id: int
    fingerprint: str
    kind: Kind
    layer: Layer
    rule_class: str
    rule: str
    title: str
    first_seen_at: Instant


class OccurrenceInfo(Struct, frozen=True):
    """One occurrence with all that is known of it."""

    row: FindingRow
    detail: Detail
    opened_at: Instant
    """Of this row; it may have stood elsewhere before, see `FindingRow.since`."""
    opened_by: AssessmentId | None
    closed_by: AssessmentId | None
    continued: bool
    """It did not end there: it went on with another path, severity, rule or waiver."""


def page(connection: sa.Connection, teams: Teams, asked: Filter, part: Part | None = None) -> tuple[list[FindingRow], Place | None]:
    """A part of the list, and where it ended when there is more."""
    return _page(connection, narrowed(connection, teams, asked), asked, part or Part())


def counted_page(
    connection: sa.Connection, teams: Teams, asked: Filter, part: Part | None = None
) -> tuple[list[FindingRow], Place | None, int]:
    """The same with `count`, for little more than the page alone."""
    given = narrowed(connection, teams, asked)
    rows, end = _page(connection, given, asked, part or Part())
    return rows, end, _count(connection, given, asked, MOST_COUNTED) if rows else 0


def _page(connection: sa.Connection, given: Narrowed, asked: Filter, part: Part) -> tuple[list[FindingRow], Place | None]:
    limit = max(1, min(part.limit, MOST_ROWS))
    by = By(connection, asked, part.order)
    places = by.holding(given, part.after, limit + 1) if given.wording else by.part(given, part.after, limit + 1)
    rows = rows_of(connection, [place.id for place in places[:limit]], asked.at)
    return rows, places[limit - 1] if len(places) > limit else None


def severities(asked: Filter) -> Sequence[Severity]:
    """Those that are asked for, worst first."""
    return [severity for severity in _WORST_FIRST if not asked.severities or severity in asked.severities]


def _of_severities(asked: Filter) -> list[sa.ColumnElement[bool]]:
    return [c.severity.in_([severity.rank for severity in asked.severities])] if asked.severities else []


class By:
    """A list in its order."""

    def __init__(self, connection: sa.Connection, asked: Filter, order: Order) -> None:
        self._connection, self._asked, self._order = connection, asked, order

    def part(self, given: Narrowed, after: Place | None, wanted: int) -> list[Place]:
        """So many from behind a place, without regard to words that many hold."""
        if self._order is Order.WORST and not given.is_few:
            return self._sought(given.where, after, wanted)
        return self._ordered(given.where, after, wanted, sort=given.is_few)

    def holding(self, given: Narrowed, after: Place | None, wanted: int) -> list[Place]:
        """Of words that many hold: walk the list and read, which soon fills a page; where it does not, ask the index of words for all."""
        assert given.wording is not None  # noqa: S101 - the caller asked
        found: list[Place] = []
        place = after
        for _ in range(_STRIDES):
            read = self.part(given, place, _STRIDE)
            held = given.wording.held(self._connection, [each.id for each in read])
            found += [each for each in read if each.id in held]
            if len(found) >= wanted or len(read) < _STRIDE:
                return found[:wanted]
            place = read[-1]
        return self._ordered(given.all, after, wanted, sort=False)

    def _sought(self, where: list[sa.ColumnElement[bool]], after: Place | None, wanted: int) -> list[Place]:
        """Severity by severity, each a walk along an index from where the instant or the last page lies in it."""
        found: list[Place] = []
        for severity in severities(self._asked):
            if len(found) >= wanted or (after is not None and severity.rank > after.severity):
                continue
            begin = [behind((c.since, c.id), (after.since, after.id), descending=True)] if after and severity.rank == after.severity else []
            query = sa.select(c.since, c.id).where(*where, *begin, c.severity == severity.rank, *_begun(self._asked))
            query = query.order_by(c.since.desc(), c.id.desc()).limit(wanted - len(found))
            found += [Place(severity.rank, row[0], row[1]) for row in self._connection.execute(query)]
        return found

    def _ordered(self, where: list[sa.ColumnElement[bool]], after: Place | None, wanted: int, *, sort: bool) -> list[Place]:
        """In one question."""
        columns: tuple[sa.ColumnElement[Any], ...] = (c.severity, c.since, c.id)
        if sort:
            columns = (unled(c.severity), unled(c.since), unled(c.id))
        columns = columns if self._order is Order.WORST else columns[1:]
        values = (after.severity, after.since, after.id)[-len(columns) :] if after else ()
        begin = [behind(columns, values, descending=True)] if after else [] if self._order is Order.WORST else _begun(self._asked)
        query = sa.select(c.severity, c.since, c.id).where(*where, *_of_severities(self._asked), *begin)
        query = query.order_by(*(column.desc() for column in columns)).limit(wanted)
        return [Place(*tuple[Any, ...](row)) for row in self._connection.execute(query)]


def _begun(asked: Filter) -> list[sa.ColumnElement[bool]]:
    """Said for the index, which is in this order: what was opened by then came by then."""
    return [] if asked.at is None else [c.since <= asked.at]


def rows_of(connection: sa.Connection, ids: Sequence[int], at: Instant | None) -> list[FindingRow]:
    """These occurrences, in this order."""
    names = (finding.c.fingerprint, finding.c.title, subject.c.name.label("subject_name"), subject.c.kind.label("subject_kind"))
    query = sa.select(occurrence, *names).join(finding, finding.c.id == c.finding).join(subject, subject.c.id == c.subject)
    found = {row.id: row for row in connection.execute(query.where(bulk.among(connection, c.id, ids)))} if ids else {}
    return [_row(found[number], at) for number in ids]


def _row(row: Any, at: Instant | None) -> FindingRow:
    closed = row.closed_at if at is None or (row.closed_at is not None and row.closed_at <= at) else None
    return FindingRow(
        id=row.id,
        finding=row.finding,
        fingerprint=row.fingerprint,
        kind=Kind(row.kind),
        layer=Layer(row.layer),
        rule_class=row.rule_class,
        rule=row.rule,
        title=row.title,
        severity=_BY_RANK[row.severity],
        confidence=_CONFIDENCES[row.confidence],
        message=row.message,
        path=row.path,
        line=row.line_now if at is None else row.line,
        subject=SubjectName(SubjectId(row.subject), row.subject_kind, row.subject_name),
        team=row.team,
        waived=bool(row.waived),
        since=row.since,
        closed_at=closed,
        checks=tuple(row.checks.split()) if at is None else (),
    )


def count(connection: sa.Connection, teams: Teams, asked: Filter, most: int = MOST_COUNTED) -> int:
    """How many there are, counted up to `most`; with words that many hold, of the first that a walk reads."""
    return _count(connection, narrowed(connection, teams, asked), asked, most)


def _count(connection: sa.Connection, given: Narrowed, asked: Filter, most: int) -> int:
    if given.wording is not None:
        ids = [place.id for place in By(connection, asked, Order.WORST).part(given, None, _STRIDE * _STRIDES)]
        return min(most, len(given.wording.held(connection, ids)))
    return counted(connection, sa.select(c.id).where(*given.where, *_of_severities(asked)), most)


def by_id(connection: sa.Connection, number: int) -> FindingInfo | None:
    """One weakness; the caller shows it only beside an occurrence that may be seen."""
    columns = [finding.c[name] for name in FindingInfo.__struct_fields__]
    row = connection.execute(sa.select(*columns).where(finding.c.id == number)).first()
    if row is None:
        return None
    values = {name: getattr(row, name) for name in FindingInfo.__struct_fields__}
    return FindingInfo(**values | {"kind": Kind(row.kind), "layer": Layer(row.layer)})


def by_fingerprint(connection: sa.Connection, text: str, schemes: Sequence[str], most: int = 20) -> list[int]:
    """Ids of the weaknesses whose fingerprint is this, or whose hex digits begin so."""
    digits = text.rpartition(":")[2]
    ranges = [sa.and_(finding.c.fingerprint >= f"{s}:{digits}", finding.c.fingerprint < f"{s}:{digits}g") for s in schemes]
    return [row[0] for row in connection.execute(sa.select(finding.c.id).where(sa.or_(*ranges)).order_by(finding.c.id).limit(most))]


def may_see(connection: sa.Connection, teams: Teams, number: int) -> bool:
    """Whether the weakness stands, or stood, in anything of these teams."""
    query = sa.select(c.id).where(c.finding == number, *of_teams(c.team, teams)).limit(1)
    return connection.execute(query).first() is not None


def everywhere(
    connection: sa.Connection, teams: Teams, asked: Filter, *, after: int = 0, limit: int = 50
) -> tuple[list[FindingRow], int | None]:
    """Where a weakness (`Filter.finding`) stands, in the order in which it came there."""
    limit = max(1, min(limit, MOST_ROWS))
    query = sa.select(c.id).where(*narrowed(connection, teams, asked).all, c.id > after).order_by(c.id).limit(limit + 1)
    ids = [row[0] for row in connection.execute(query)]
    return rows_of(connection, ids[:limit], asked.at), ids[limit - 1] if len(ids) > limit else None


def occurrence_of(connection: sa.Connection, number: int) -> OccurrenceInfo | None:
    """One occurrence; the caller asks whether its team's things may be seen."""
    row = connection.execute(sa.select(occurrence).where(c.id == number)).first()
    if row is None:
        return None
    return OccurrenceInfo(
        row=rows_of(connection, [number], None)[0],
        detail=msgspec.json.decode(row.detail, type=Detail),
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        closed_by=row.closed_by,
        continued=bool(row.continued),
    )


def repository_name(connection: sa.Connection, of: SubjectId) -> str:
    """Name of the repository that a subject belongs to; empty for none."""
    query = sa.select(repository.c.name).join(subject, subject.c.repository == repository.c.id).where(subject.c.id == of)
    return str(connection.execute(query).scalar() or "")
