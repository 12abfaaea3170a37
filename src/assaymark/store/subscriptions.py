"""Who wants to be told, and what was told: subscriptions and their messages.

Guarantees: what is sealed leaves this module only by `keys`, for who is about to use it; a message is written in the transaction of its
cause and has a number of its own that never changes, however often it is sent; an attempt is counted before it is made. Of two processes
that would send one message, one does. An ended subscription stays as a row until its messages are forgotten, and its name is free again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import HappeningKind
from assaymark.model.severity import Severity
from assaymark.store.happenings import HappeningRow
from assaymark.store.tables import subscription as table
from assaymark.verdict.globs import matches


class ChannelKind(StrEnum):
    WEBHOOK = "webhook"
    """Standard Webhooks."""
    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"


class SubscriptionState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    """By a person: nothing is written for it meanwhile."""
    DISABLED = "disabled"
    """By the server, because its receiver said that it is gone, or took nothing for days."""


class Wants(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is told; everything that is named must hold."""

    kinds: tuple[HappeningKind, ...] = ()
    """Empty: all."""
    severity: Severity | None = None
    """At least this; what weighs nothing (all is well again) is told as well."""
    subject: str = ""
    """A glob over the subject's name, e.g. ``shop/*@main``; empty: all, also what is about no subject."""

    def holds(self, row: HappeningRow) -> bool:
        """Whether this is wanted."""
        if self.kinds and row.kind not in self.kinds:
            return False
        if self.severity is not None and row.severity is not None and row.severity.rank < self.severity.rank:
            return False
        return not self.subject or matches(row.subject_name, self.subject)


class SubscriptionRow(Struct, frozen=True):
    """One as everybody may see it who may see it at all."""

    id: int
    kind: ChannelKind
    name: str
    team: TeamId | None
    host: str
    wants: Wants
    state: SubscriptionState
    problem: str
    failures: int
    failing_since: Instant | None
    resting_until: Instant
    previous_until: Instant | None
    """Until when the secret before the present one signs too."""
    public_key: str
    has_secret: bool
    created_at: Instant
    created_by: PersonId | None
    ended_at: Instant | None


class Keys(Struct, frozen=True):
    """What is sealed."""

    address: bytes | None
    secret: bytes | None
    previous_secret: bytes | None
    previous_until: Instant | None
    signing_key: bytes | None


_PLAIN = [name for name in SubscriptionRow.__struct_fields__ if name != "has_secret"]
_SEEN = (*(table.c[name] for name in _PLAIN), table.c.secret.is_not(None).label("has_secret"))


def create(link: sa.Connection, values: Mapping[str, Any]) -> int:
    """A row; what is sealed is added when its number is known, because the number is part of what it is sealed for."""
    return int(link.execute(table.insert().returning(table.c.id), dict(values)).scalar_one())


def change(link: sa.Connection, number: int, values: Mapping[str, Any]) -> None:
    """Other values for some columns."""
    link.execute(table.update().where(table.c.id == number).values(**values))


def end(link: sa.Connection, number: int, at: Instant) -> None:
    """Nothing is told to it any more; its keys are forgotten and its name is free."""
    forgotten = dict.fromkeys(Keys.__struct_fields__)
    name = table.c.name.concat(f" (ended {number})")
    link.execute(table.update().where(table.c.id == number, table.c.ended_at.is_(None)).values(ended_at=at, name=name, **forgotten))


def get(link: sa.Connection, number: int, *, lock: bool = False) -> SubscriptionRow | None:
    """One, also when it has ended."""
    query = sa.select(*_SEEN).where(table.c.id == number)
    row = link.execute(query.with_for_update(key_share=True) if lock else query).first()
    return _row(row) if row else None


def named(link: sa.Connection, name: str) -> int | None:
    """The number of the one with this name."""
    return link.execute(sa.select(table.c.id).where(table.c.name == name)).scalar()


def count(link: sa.Connection) -> int:
    """How many there are that have not ended."""
    return int(link.execute(sa.select(sa.func.count()).where(table.c.ended_at.is_(None)).select_from(table)).scalar_one())


def keys(link: sa.Connection, number: int) -> Keys:
    """What is sealed, for who is about to open it."""
    row = link.execute(sa.select(*(table.c[name] for name in Keys.__struct_fields__)).where(table.c.id == number)).first()
    return Keys(*row) if row else Keys(None, None, None, None, None)


def page(link: sa.Connection, teams: frozenset[TeamId] | None, *, after: int, limit: int) -> list[SubscriptionRow]:
    """Those of these teams that have not ended, in the order in which they were made."""
    query = sa.select(*_SEEN).where(table.c.id > after, table.c.ended_at.is_(None)).order_by(table.c.id).limit(limit)
    if teams is not None:
        query = query.where(table.c.team.in_(teams))
    return [_row(row) for row in link.execute(query)]


def wanting(link: sa.Connection, row: HappeningRow) -> Sequence[SubscriptionRow]:
    """Who is to be told of this: what is of no team only those who are told everything."""
    whose = table.c.team.is_(None) if row.team is None else sa.or_(table.c.team.is_(None), table.c.team == row.team)
    query = sa.select(*_SEEN).where(table.c.ended_at.is_(None), table.c.state == SubscriptionState.ACTIVE, whose)
    return [found for found in map(_row, link.execute(query.order_by(table.c.id))) if found.wants.holds(row)]


def _row(row: Any) -> SubscriptionRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["kind"], values["state"] = ChannelKind(values["kind"]), SubscriptionState(values["state"])
    values["wants"] = msgspec.json.decode(values["wants"], type=Wants)
    return SubscriptionRow(**values)


# --- how it fares ----------------------------------------------------------------------------------------------------

_FIRST_REST, _LONGEST_REST = 10 * SECOND, 600 * SECOND


def took(link: sa.Connection, number: int) -> None:
    """It took something: it is well."""
    well = {"failures": 0, "failing_since": None, "resting_until": 0, "problem": ""}
    link.execute(table.update().where(table.c.id == number, table.c.state != SubscriptionState.DISABLED).values(**well))


def refused(link: sa.Connection, row: SubscriptionRow, at: Instant, problem: str, *, rest: int = 0) -> Instant:
    """It took nothing: it is left alone for a while, longer each time; gives until when."""
    pause = max(min(_FIRST_REST * 2 ** min(row.failures, 10), _LONGEST_REST), rest)
    until = Instant(at + pause)
    values = {"failures": row.failures + 1, "resting_until": until, "problem": problem[:500]}
    values["failing_since"] = at if row.failing_since is None else row.failing_since
    link.execute(table.update().where(table.c.id == row.id).values(**values))
    return until


def complained(link: sa.Connection, row: SubscriptionRow, at: Instant, problem: str) -> None:
    """It took this one message not: no reason to leave it alone, but it is shown, and not for ever."""
    values = {
        "failures": row.failures + 1,
        "problem": problem[:500],
        "failing_since": at if row.failing_since is None else row.failing_since,
    }
    link.execute(table.update().where(table.c.id == row.id).values(**values))


def new_uid() -> str:
    """The name of a message for its receiver."""
    return f"msg_{secrets.token_hex(16)}"
