"""One-time links: to set the server up, to join, to choose a password anew.

Guarantees: a link works once, until its time is over; a newer one of the same kind for the same person makes the older useless; while there
is anybody, no link sets up.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import Grant, PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import accounts, credential, password
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.store import invitations, people, teams
from assaymark.store.invitations import Invitation, Purpose
from assaymark.store.people import Draft, PersonRow

DAY = 86400 * SECOND
LASTS = {Purpose.SETUP: DAY, Purpose.JOIN: 7 * DAY, Purpose.RESET: DAY}
FOR_PEOPLE = (Purpose.JOIN, Purpose.RESET)


def setup_link(service: Service) -> str | None:
    """The link by which the first person comes in; None when somebody is there. The one before no longer works."""
    with service.database.write() as connection:
        if people.anybody(connection):
            return None
        return _made(service, connection, Purpose.SETUP, None)


def personal_link(
    service: Service, connection: sa.Connection, purpose: Purpose, person: PersonId, *, within: tuple[Grant, ...] | None = None
) -> str:
    """A link for somebody; the one before no longer works.

    `within` are the roles that whoever makes it may have given: when the person holds others by the time the link is used, it does not
    work, so that who made it does not come into an account that others made powerful meanwhile. None for whoever may everything.
    """
    return _made(service, connection, purpose, person, within)


class _Details(Struct, frozen=True):
    within: tuple[Grant, ...] | None = None


def _made(
    service: Service, connection: sa.Connection, purpose: Purpose, person: PersonId | None, within: tuple[Grant, ...] | None = None
) -> str:
    now = service.now()
    # A person has one link at a time: one to join that lies in a mailbox must not outlive a reset.
    invitations.withdraw(connection, FOR_PEOPLE if person is not None else (Purpose.SETUP,), person=person, now=now)
    secret = credential.new_secret()
    row = Invitation(purpose, person, msgspec.json.encode(_Details(within)).decode(), now, Instant(now + LASTS[purpose]))
    invitations.put(connection, credential.hashed(secret), row)
    return f"{service.settings.url}/{'setup' if purpose is Purpose.SETUP else 'link'}/{secret}"


def sets_up(service: Service, connection: sa.Connection, secret: str) -> bool:
    """Whether a link would set up; asked before a password is hashed for it, so that strangers cannot make the server work."""
    known = credential.is_secret(secret) and invitations.look(connection, credential.hashed(secret), (Purpose.SETUP,), now=service.now())
    return bool(known) and not people.anybody(connection)


def set_up(service: Service, connection: sa.Connection, secret: str, draft: Draft, by: By) -> PersonId:
    """Make the first person, administrator everywhere.

    Raises:
        UsageError: when the link does not work, or there is somebody.
    """
    now = service.now()
    if _taken(connection, secret, (Purpose.SETUP,), now) is None or people.anybody(connection):
        raise spent()
    grants: tuple[Grant, ...] = (accounts.ADMIN_EVERYWHERE,)
    return accounts.make(connection, draft, grants, By(draft.login, None, by.origin), at=now)


def look(service: Service, connection: sa.Connection, secret: str) -> tuple[PersonRow, Invitation] | None:
    """Whom a personal link is for, without using it."""
    found = None
    if credential.is_secret(secret):
        found = invitations.look(connection, credential.hashed(secret), FOR_PEOPLE, now=service.now())
    person = people.get(connection, found.person) if found and found.person is not None else None
    return (person, found) if found and person and person.disabled_at is None else None


def redeem(service: Service, connection: sa.Connection, secret: str, hashed: str, by: By) -> PersonRow:
    """Use a personal link: the person's password is this from now on.

    Raises:
        UsageError: when it does not work.
    """
    now = service.now()
    found = _taken(connection, secret, FOR_PEOPLE, now)
    person = people.get(connection, found.person) if found and found.person is not None else None
    if found is None or person is None or person.disabled_at is not None or not _is_within(connection, found, person):
        raise spent()
    people.set_password(connection, person.id, hashed)
    action = "person.joined" if found.purpose is Purpose.JOIN else "password.reset"
    accounts.note(connection, By(person.login, person.id, by.origin), action, person.id, at=now)
    return person


def _is_within(connection: sa.Connection, found: Invitation, person: PersonRow) -> bool:
    within = msgspec.json.decode(found.details, type=_Details).within
    return within is None or set(teams.grants_of(connection, person.id)) <= set(within)


def _taken(connection: sa.Connection, secret: str, purposes: tuple[Purpose, ...], now: Instant) -> Invitation | None:
    return invitations.take(connection, credential.hashed(secret), purposes, now=now) if credential.is_secret(secret) else None


def spent() -> UsageError:
    return UsageError("this link does not work", why="it was used, has ended, or a newer one was made", advice="ask for a new one")


def checked_hash(text: str, login: str) -> str:
    """The hash of a new password; made before the transaction, because it takes time.

    Raises:
        UsageError: when it may not be one.
    """
    password.check_rules(text, login)
    return password.hash_of(text)
