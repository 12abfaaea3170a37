"""What was taken back: rows that only grow, and the list of them that verification and distribution read.

A row either stands in the distributed list (`Target`), or only leads to others (`Asked`): a package asked by name, a subject that was
judged again. Those it led to name it as their parent.

Guarantees: the same is there once (target, name, window), however often and by how many at once it is asked; nothing is changed or deleted.
Not here: which endorsements a row covers (`store.withdrawals`), and who may make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.approval import instant, stamp
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.store import bulk, trail
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import revocation as table

LONGEST_NAME, LONGEST_REASON, LONGEST_CAUSE = 500, 1000, 300
_LISTED = tuple(each.value for each in Target)
r = table.c


class Asked(StrEnum):
    """What only leads to revocations of endorsements."""

    PACKAGE = "package"
    """``pkg:…`` with a version, or ``pkg:…|<range>``: whoever holds it is known to the server alone."""
    JUDGEMENT = "judgement"
    """``assessment:<number>`` after which a subject would not pass any more."""


class Draft(Struct, frozen=True):
    """A row to be."""

    target: Target | Asked
    name: str
    reason: str
    at: Instant
    actor: str
    since: str = ""
    until: str = ""
    person: PersonId | None = None
    team: TeamId | None = None
    cause: str = ""
    assessment: AssessmentId | None = None
    parent: int | None = None

    def revocation(self) -> Revocation:
        """As it is distributed; its number is the log's to give."""
        return Revocation(Target(self.target), self.name, self.reason, stamp(self.at), self.since, self.until)


class RevocationRow(Struct, frozen=True):
    """One of them."""

    id: int
    parent: int | None
    target: str
    name: str
    reason: str
    at: Instant
    since: str
    until: str
    actor: str
    person: PersonId | None
    team: TeamId | None
    cause: str
    assessment: AssessmentId | None
    log_number: int | None

    @property
    def listed(self) -> bool:
        """Whether it stands in the list that is distributed."""
        return self.target in _LISTED

    def revocation(self) -> Revocation:
        """As it is distributed."""
        return Revocation(Target(self.target), self.name, self.reason, stamp(self.at), self.since, self.until, self.log_number or 0)


class Child(Struct, frozen=True):
    """A revocation of an endorsement that another row led to."""

    name: str
    team: TeamId | None
    log_number: int | None


class Filter(Struct, frozen=True):
    """Which rows; empty is all that somebody asked for."""

    target: str = ""
    name: str = ""
    by_itself: bool | None = None
    """Only those that the server made by itself, or only those of people."""
    parent: int | None = None
    """Only what this one led to."""


_columns = tuple(r[name] for name in RevocationRow.__struct_fields__)


def lock(connection: sa.Connection) -> None:
    """One at a time asks whether something was revoked, and revokes it; held until the transaction ends.

    It is the lock of the trail and the log, to which each of them writes: another one would be taken in another order by somebody.
    """
    trail.lock(connection)


def packages(connection: sa.Connection) -> list[RevocationRow]:
    """What was asked by name, which what comes later may hold."""
    rows = connection.execute(sa.select(*_columns).where(r.target == Asked.PACKAGE.value).order_by(r.id))
    return [RevocationRow(**row._asdict()) for row in rows]


def find(connection: sa.Connection, target: Target | Asked, name: str, since: str = "", until: str = "") -> RevocationRow | None:
    """The one that says this."""
    same = (r.target == target.value, r.name == name, r.since == since, r.until == until)
    return _first(connection, sa.select(*_columns).where(*same))


def one(connection: sa.Connection, number: int) -> RevocationRow | None:
    """By its number."""
    return _first(connection, sa.select(*_columns).where(r.id == number))


def add(connection: sa.Connection, draft: Draft, log_number: int | None) -> RevocationRow:
    """Write one that was not found, under `lock`.

    Raises:
        ValueError: when an end of its window is no time.
    """
    values: dict[str, Any] = {name: getattr(draft, name) for name in Draft.__struct_fields__}
    values |= {"target": draft.target.value, "log_number": log_number}
    values |= {f"{end}_at": instant(values[end]) if values[end] else None for end in ("since", "until")}
    made = connection.execute(table.insert().returning(*_columns), values).one()
    return RevocationRow(**made._asdict())


def add_children(connection: sa.Connection, parent: RevocationRow, found: Sequence[Child]) -> None:
    """What a row led to: revocations of endorsements, each once whoever asks for it; under `lock`."""
    at = parent.at
    shared = (parent.reason, at, parent.actor, parent.person, parent.cause, parent.assessment, parent.id)
    names = ("target", "name", "team", "log_number", "reason", "at", "actor", "person", "cause", "assessment", "parent")
    rows = ((Target.ENDORSEMENT.value, each.name, each.team, each.log_number, *shared) for each in found)
    bulk.add(connection, table, names, rows)


def revoked_names(connection: sa.Connection, target: Target, names: Sequence[str]) -> dict[str, int]:
    """Which of these are revoked without a window: name -> number of the row."""
    query = sa.select(r.name, r.id).where(r.target == target.value, r.since == "", r.until == "", bulk.among(connection, r.name, names))
    return {row[0]: row[1] for row in connection.execute(query)}


def page(connection: sa.Connection, teams: Teams, asked: Filter, *, before: int | None, limit: int) -> list[RevocationRow]:
    """Newest first; what has no team is about everybody and seen by everybody who may see any."""
    query = sa.select(*_columns).where(*_conditions(asked))
    if teams is not None:
        query = query.where(sa.or_(r.team.is_(None), *of_teams(r.team, teams)))
    if before is not None:
        query = query.where(r.id < before)
    rows = connection.execute(query.order_by(r.id.desc()).limit(limit))
    return [RevocationRow(**row._asdict()) for row in rows]


def _conditions(asked: Filter) -> list[sa.ColumnElement[bool]]:
    found = [r.parent.is_(None) if asked.parent is None else r.parent == asked.parent]
    if asked.target:
        found.append(r.target == asked.target)
    if asked.name:
        found.append(r.name == asked.name)
    if asked.by_itself is not None:
        found.append(r.cause != "" if asked.by_itself else r.cause == "")
    return found


def may_see(teams: Teams, row: RevocationRow) -> bool:
    """Whether somebody with the permission in these teams may see it."""
    return teams is None or row.team is None or row.team in teams


def entries(connection: sa.Connection) -> tuple[Revocation, ...]:
    """The whole list, in the order in which it grew: for verification and distribution."""
    query = sa.select(*_columns).where(r.target.in_(_LISTED)).order_by(r.id)
    return tuple(RevocationRow(**row._asdict()).revocation() for row in connection.execute(query))


def number(connection: sa.Connection) -> int:
    """Rises with each entry of the list: whoever keeps the list asks whether it grew."""
    query = sa.select(r.id).where(r.target.in_(_LISTED)).order_by(r.id.desc()).limit(1)
    return int(connection.execute(query).scalar() or 0)


def of_ids(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, RevocationRow]:
    """Those with these numbers."""
    rows = connection.execute(sa.select(*_columns).where(r.id.in_(sorted(set(numbers)))))
    return {row.id: RevocationRow(**row._asdict()) for row in rows}


def _first(connection: sa.Connection, query: sa.Select[Any]) -> RevocationRow | None:
    row = connection.execute(query.limit(1)).first()
    return None if row is None else RevocationRow(**row._asdict())
