"""What lists of findings are narrowed by, as conditions of their rows.

Guarantees: one meaning for lists, counts, facets and exports; says of each narrowing whether few rows are left, which are then sorted, or
many, which are walked in the order of an index.
"""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.finding import Kind, Layer
from assaymark.model.severity import Severity
from assaymark.store import bulk, fulltext
from assaymark.store.lateness import late
from assaymark.store.narrowing import Teams, ended, of_teams, standing, unled
from assaymark.store.tables import item, occurrence, person, subject

NOBODY = "-"
_FEW_ITEMS = 2_000
"""Up to here an owner's findings are sorted; above it the list is walked in its order."""
c = occurrence.c


class Standing(StrEnum):
    """Which part of the history."""

    OPEN = "open"
    CLOSED = "closed"


class Filter(Struct, frozen=True):
    """What is asked for; everything is joined by "and"."""

    kinds: tuple[Kind, ...] = ()
    severities: tuple[Severity, ...] = ()
    layer: Layer | None = None
    rule: str = ""
    rule_class: str = ""
    team: TeamId | None = None
    subject: SubjectId | None = None
    repository: RepositoryId | None = None
    finding: int | None = None
    state: Standing = Standing.OPEN
    waived: bool | None = None
    text: str = ""
    """Words, all of which stand in its path, rule, title or message; the last one may be unfinished."""
    at: Instant | None = None
    """As of when; None is now."""
    came_from: Instant | None = None
    """Not in the subject before then."""
    came_until: Instant | None = None
    """In the subject by then."""
    late: bool | None = None
    """Longer there than was promised for its severity, or not."""
    late_at: Instant | None = None
    """As of when that is asked."""
    item: int | None = None
    """What one repair removes."""
    owner: str = ""
    """Of its item: a login, or as CODEOWNERS names him or them; `NOBODY` for what is nobody's in particular."""


class Narrowed(Struct, frozen=True):
    """What is asked, as conditions, and what is known of how much it is."""

    where: list[sa.ColumnElement[bool]]
    is_few: bool = False
    """Few enough to be sorted; otherwise an index gives the order."""
    wording: fulltext.Wording | None = None
    """Words that many occurrences hold."""

    @property
    def all(self) -> list[sa.ColumnElement[bool]]:
        return [*self.where, self.wording.condition] if self.wording else self.where


def narrowed(connection: sa.Connection, teams: Teams, asked: Filter) -> Narrowed:
    """Everything but the severity."""
    found = of_teams(c.team, teams)
    found += standing(occurrence, asked.at) if asked.state is Standing.OPEN else [*ended(occurrence, asked.at), c.continued == 0]
    exact = {
        c.rule: asked.rule,
        c.rule_class: asked.rule_class,
        c.team: asked.team,
        c.subject: asked.subject,
        c.finding: asked.finding,
        c.item: asked.item,
    }
    found += [column == value for column, value in exact.items() if value not in ("", None)]
    if asked.kinds:
        found.append(c.kind.in_([kind.value for kind in asked.kinds]))
    if asked.layer is not None:
        found.append(c.layer == asked.layer.value)
    if asked.waived is not None:
        found.append(c.waived == sa.literal_column(str(int(asked.waived))))  # as a literal, which the index of the waived ones asks for
    found += [c.since >= asked.came_from] if asked.came_from is not None else []
    found += [c.since <= asked.came_until] if asked.came_until is not None else []
    if asked.late is not None:
        is_late = late(connection, asked.late_at or asked.at or Instant(0))
        found.append(is_late if asked.late else sa.not_(is_late))
    if asked.repository is not None:
        found.append(c.subject.in_(sa.select(subject.c.id).where(subject.c.repository == asked.repository)))
    few_items, owned = _owned(connection, asked.owner) if asked.owner else (False, [])
    found += owned
    wording = fulltext.look(connection, asked.text) if asked.text else None
    if wording is not None and wording.is_few:
        return Narrowed([*found, wording.condition], is_few=True)
    is_few = few_items or asked.repository is not None or asked.finding is not None or bool(asked.waived)
    return Narrowed(found, is_few, wording)


def _owned(connection: sa.Connection, owner: str) -> tuple[bool, list[sa.ColumnElement[bool]]]:
    """Whether the items of this owner are few, and the condition that a finding is of one of them."""
    if owner == NOBODY:
        mine = sa.select(item.c.id).where(item.c.owner == "", item.c.person.is_(None))
        return False, [sa.or_(c.item.is_(None), unled(c.item).in_(mine))]
    known = sa.select(person.c.id).where(person.c.login == owner).scalar_subquery()
    his = sa.union(sa.select(item.c.id).where(item.c.owner == owner), sa.select(item.c.id).where(item.c.person == known))
    ids = list(connection.execute(his.limit(_FEW_ITEMS + 1)).scalars())
    few = len(ids) <= _FEW_ITEMS
    return few, [bulk.among(connection, c.item, ids) if few else unled(c.item).in_(his)]
