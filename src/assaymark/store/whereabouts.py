"""Where a package is, and who is affected by an advisory: subjects, paths and versions, now or as of a day.

Guarantees: an answer names what a subject held then, and nothing of teams that were not asked for; lists go on after a cursor, in the order
of subjects; what is said of a version is what the matcher says of it. Answers as of a day before `components.known_since` may be short.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.matcher import is_affected
from assaymark.checks.application.dependencies.matching.records import Affects
from assaymark.checks.application.dependencies.matching.upgrades import fixed_in
from assaymark.checks.application.dependencies.packages import Package
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store import components
from assaymark.store.affected import Question
from assaymark.store.component_rows import ecosystem_of, known_packages, shown
from assaymark.store.narrowing import behind, counted, of_teams, standing
from assaymark.store.tables import component, holding, package, subject, unordered_component

MOST = 10_000
"""Up to which subjects are counted."""
Cursor = tuple[int, int, int, str]
"""(subject, holding, package, version) of the last row."""


class Scope(Struct, frozen=True):
    """Who asks, about when, and how far he has read."""

    teams: frozenset[TeamId] | None = None
    """None for all, also what has no team."""
    as_of: Instant | None = None
    """None for now."""
    after: Cursor | None = None
    limit: int = 100


class Held(Struct, frozen=True):
    """A package in a subject."""

    subject: SubjectId
    subject_kind: str
    subject_name: str
    team: TeamId | None
    holding: int
    path: str
    package: str
    """As the index of advisories names it."""
    package_number: int
    version: str
    since: Instant
    until: Instant | None

    @property
    def cursor(self) -> Cursor:
        return (self.subject, self.holding, self.package_number, self.version)


class Affected(Struct, frozen=True):
    """A package in a subject that an advisory speaks of."""

    held: Held
    advisories: tuple[str, ...]
    """Canonical ids, sorted."""
    fixed: str
    """The first repaired version after this one; empty when none is known."""


def forgotten(connection: sa.Connection, at: Instant | None) -> str:
    """Why an answer as of this instant would be short; empty when it is whole."""
    since = components.known_since(connection)
    if at is None or at >= since:
        return ""
    day = dt.datetime.fromtimestamp(since / 1_000_000, dt.UTC).date().isoformat()
    return f"before {day} not all components are remembered any more"


def affected_by(connection: sa.Connection, ids: Iterable[str], index: Index, scope: Scope) -> list[Affected]:
    """Who is affected by any of these vulnerabilities, by whatever ids they go."""
    spoken_of = index.speaking_of(ids)
    rows = _page(connection, question_about(connection, spoken_of), scope)
    return [_told(row, spoken_of[row.package]) for row in rows]


def count_affected(connection: sa.Connection, ids: Iterable[str], index: Index, scope: Scope) -> int:
    """How many subjects that are, counted up to `MOST`."""
    return count(connection, question_about(connection, index.speaking_of(ids)), scope)


def question_about(connection: sa.Connection, spoken_of: Mapping[str, Sequence[Affects]]) -> Question:
    """What these records ask of the packages that anything holds."""
    question = Question([], [])
    for name, number in known_packages(connection, spoken_of).items():
        for record in spoken_of[name]:
            question.add(0, number, ecosystem_of(name), record)
    return question


def _told(row: Held, records: Sequence[Affects]) -> Affected:
    ecosystem, _, name = shown(row.package)
    key = key_of(ecosystem, newest_of_line(ecosystem, row.version))
    saying = [record for record in records if is_affected(record, ecosystem, row.version, key)]
    fixed = fixed_in(Package(name, row.version, ecosystem), saying)
    return Affected(row, tuple(sorted({record.advisory for record in saying})), fixed)


def where(connection: sa.Connection, question: Question, scope: Scope) -> list[Held]:
    """Who holds what is asked for (`wanted.question_of`)."""
    return _page(connection, question, scope)


def count(connection: sa.Connection, question: Question, scope: Scope) -> int:
    """How many subjects hold it, counted up to `MOST`."""
    if not (question.ranges or question.words):
        return 0
    hits = hits_of(question)
    some = sa.select(holding.c.subject).select_from(hits).join(holding, holding.c.package_set == hits.c.package_set)
    some = some.join(subject, subject.c.id == holding.c.subject)
    return counted(connection, some.where(*_within(scope)).distinct(), MOST)


def _page(connection: sa.Connection, question: Question, scope: Scope) -> list[Held]:
    """The narrow rows first, sorted and cut; names only for what is left."""
    if not (question.ranges or question.words):
        return []
    hits = hits_of(question)
    order = (holding.c.subject, holding.c.id.label("holding"), hits.c.package, hits.c.version)
    narrow = (
        sa.select(*order)
        .distinct()
        .select_from(hits)
        .join(holding, holding.c.package_set == hits.c.package_set)
        .join(subject, subject.c.id == holding.c.subject)
        .where(*_within(scope))
        .order_by(*order)
        .limit(scope.limit)
    )
    if scope.after is not None:
        # The first part alone lets an index or an early filter do it, the tuple decides.
        columns = (holding.c.subject, holding.c.id, hits.c.package, hits.c.version)
        narrow = narrow.where(holding.c.subject >= scope.after[0], behind(columns, scope.after, descending=False))
    row = narrow.subquery("row").c
    of_subject = (subject.c.kind, subject.c.name.label("subject_name"), subject.c.team)
    of_holding = (holding.c.path, holding.c.opened_at, holding.c.closed_at)
    query = (
        sa.select(row.subject, row.holding, row.package, row.version, package.c.name, *of_subject, *of_holding)
        .join(subject, subject.c.id == row.subject)
        .join(holding, holding.c.id == row.holding)
        .join(package, package.c.id == row.package)
        .order_by(row.subject, row.holding, row.package, row.version)
    )
    return [_held(each) for each in connection.execute(query)]


def _held(row: Any) -> Held:
    return Held(
        subject=SubjectId(row.subject),
        subject_kind=row.kind,
        subject_name=row.subject_name,
        team=row.team,
        holding=row.holding,
        path=row.path,
        package=row.name,
        package_number=row.package,
        version=row.version,
        since=row.opened_at,
        until=row.closed_at,
    )


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The time and the teams that are asked for."""
    at = scope.as_of
    alive = subject.c.ended_at.is_(None) if at is None else sa.or_(subject.c.ended_at.is_(None), subject.c.ended_at > at)
    return [*standing(holding, at), alive, *of_teams(subject.c.team, scope.teams)]


def hits_of(question: Question) -> sa.Subquery:
    """Packages, versions and sets that are asked for."""
    parts: list[sa.Select[Any]] = []
    held, loose = component.c, unordered_component.c
    if question.ranges:
        columns = (sa.column("package", sa.BigInteger), sa.column("low", sa.LargeBinary), sa.column("high", sa.LargeBinary))
        asked = sa.values(*columns).data(list({(row.package, row.low, row.high) for row in question.ranges})).cte("asked")
        inside = sa.and_(held.package == asked.c.package, held.version_key >= asked.c.low, held.version_key < asked.c.high)
        parts.append(sa.select(held.package, held.version, held.package_set).select_from(asked).join(component, inside))
    tags = {(word.package, word.key, word.version) for word in question.words if word.key is not None}
    if tags:
        chosen = sa.tuple_(held.package, held.version_key, held.version).in_(tags)
        parts.append(sa.select(held.package, held.version, held.package_set).where(chosen))
    words = {(word.package, word.version) for word in question.words if word.key is None and word.version is not None}
    if words:
        chosen = sa.tuple_(loose.package, loose.version).in_(words)
        parts.append(sa.select(loose.package, loose.version, loose.package_set).where(chosen))
    every = {word.package for word in question.words if word.version is None}
    if every:
        parts.append(sa.select(loose.package, loose.version, loose.package_set).where(loose.package.in_(every)))
    return sa.union(*parts).subquery("hits")
