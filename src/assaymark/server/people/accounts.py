"""Accounts: how a login is written, making one, and what is recorded of it."""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import Grant, PersonId, Role
from assaymark.model.assessment import Instant
from assaymark.store import people, teams, trail
from assaymark.store.people import Draft
from assaymark.store.trail import Action

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_LONGEST = 200


class By(Struct, frozen=True):
    """Who does something, for the trail."""

    actor: str
    person: PersonId | None = None
    origin: str = ""


ON_THE_MACHINE = By("machine")
"""Somebody with a shell on the server's machine."""


def login_of(text: str) -> str:
    """As it is kept: small letters.

    Raises:
        UsageError: when it cannot be one.
    """
    login = unicodedata.normalize("NFKC", text).strip().casefold()
    if not _LOGIN.fullmatch(login):
        raise UsageError(
            f"{text[:100]!r} cannot be a login", advice="use letters a to z, digits and . _ @ + -, beginning with a letter or digit"
        )
    return login


def line(text: str, what: str) -> str:
    """A name or an address: one line, not long.

    Raises:
        UsageError: when it is not.
    """
    if len(text) > _LONGEST or not text.isprintable():
        raise UsageError(f"the {what} is no single line of at most {_LONGEST} letters")
    return text.strip()


def make(connection: sa.Connection, draft: Draft, grants: tuple[Grant, ...], by: By, *, at: Instant) -> PersonId:
    """A new account with its first roles.

    Raises:
        UsageError: when the login is taken.
    """
    person = people.add(connection, draft, at=at)
    if person is None:
        raise UsageError(f"the login {draft.login} is taken")
    note(connection, by, "person.created", person, at=at)
    for grant in grants:
        give(connection, person, grant, by, at=at)
    return person


def give(connection: sa.Connection, person: PersonId, grant: Grant, by: By, *, at: Instant) -> int | None:
    """Let him hold a role; None when he does."""
    made = teams.give(connection, person, grant, source=teams.LOCAL, at=at)
    if made is not None:
        note(connection, by, "role.given", person, grant=grant, at=at)
    return made


def note(  # noqa: PLR0913 - what an entry says
    connection: sa.Connection, by: By, action: str, person: PersonId | None, *, at: Instant, grant: Grant | None = None,
    outcome: str = "success", details: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Record what was done to a person."""
    more = {"role": grant.role.value} if grant else {}
    trail.record(
        connection,
        Action(
            at=at,
            actor=by.actor,
            action=action,
            outcome=outcome,
            person=by.person,
            object_kind="person",
            object="" if person is None else str(person),
            team=grant.team if grant else None,
            origin=by.origin,
            details=more | (details or {}),
        ),
    )


ADMIN_EVERYWHERE = Grant(Role.ADMIN)
