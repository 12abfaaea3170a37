"""Make a token and end it."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import Permission, PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import accounts, credential
from assaymark.server.people.accounts import By
from assaymark.store import tokens, trail
from assaymark.store.tokens import TokenRow
from assaymark.store.trail import Action

LONGEST = 366 * 86400 * SECOND


class Wish(Struct, frozen=True):
    """What a token is to be."""

    person: PersonId
    name: str
    scopes: frozenset[Permission]
    team: TeamId | None
    lasts: int
    """Microseconds."""
    details: dict[str, str] = {}
    """What else the trail says of it."""


class Made(Struct, frozen=True):
    """A new token, the only time that it is shown."""

    id: int
    token: str
    expires_at: Instant

    def __repr__(self) -> str:
        return f"Made({self.id})"


def make(connection: sa.Connection, wish: Wish, by: By, *, at: Instant) -> Made:
    """A new token; whether it may be made is the caller's question.

    Raises:
        UsageError: when it would do nothing, or last for ever.
    """
    name = accounts.line(wish.name, "name")
    if not name or not wish.scopes:
        raise UsageError("a token needs a name and a scope", advice="say what it is for, and name what it may do")
    if not 0 < wish.lasts <= LONGEST:
        raise UsageError("a token lasts between a day and a year", advice="choose a number of days from 1 to 366")
    text = credential.new_token()
    expires_at = Instant(at + wish.lasts)
    row = TokenRow(0, wish.person, name, text[: credential.HINT], wish.scopes, wish.team, at, expires_at, None, None)
    made = tokens.add(connection, credential.hashed(text), row)
    details = {"name": name, "scopes": " ".join(sorted(wish.scopes)), "person": str(wish.person)} | wish.details
    _note(connection, by, "token.created", made, team=wish.team, at=at, details=details)
    return Made(made, text, expires_at)


def end(connection: sa.Connection, row: TokenRow, by: By, *, at: Instant) -> None:
    """Revoke it; doing so twice is no mistake."""
    if tokens.revoke(connection, row.id, at):
        _note(connection, by, "token.revoked", row.id, team=row.team, at=at, details={"name": row.name, "person": str(row.person)})


def _note(  # noqa: PLR0913 - what an entry says
    connection: sa.Connection, by: By, action: str, token: int, *, team: TeamId | None, at: Instant, details: dict[str, str]
) -> None:
    trail.record(
        connection,
        Action(
            at=at,
            actor=by.actor,
            action=action,
            outcome="success",
            person=by.person,
            object_kind="token",
            object=str(token),
            team=team,
            origin=by.origin,
            details=details,
        ),
    )
