"""Which account an identity of a provider comes into, and which roles its groups give.

Guarantees: an account is found by (issuer, subject) alone. A new one is made only for a verified address in a domain, or a member of a
group, that the provider's settings name, and never in place of an account that has the login: that one is linked by who is signed in to it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from starlette.requests import Request

from assaymark.errors import UsageError
from assaymark.model.access import PersonId
from assaymark.server.people import accounts
from assaymark.server.people.accounts import By
from assaymark.server.people.provider import Provider
from assaymark.server.people.session import origin
from assaymark.server.service import Service
from assaymark.store import federation, people, teams
from assaymark.store.people import Draft, PersonRow


class NoAccount(UsageError):  # noqa: N818 - says what is wrong
    """It is proved who he is, and he has no account here."""


class Came(Struct, frozen=True):
    """Who the provider says it is."""

    provider: Provider
    subject: str
    claims: dict[str, Any]
    groups: frozenset[str] | None
    """None when groups do not count."""

    @property
    def issuer(self) -> str:
        return self.provider.issuer


def account(service: Service, connection: sa.Connection, request: Request, came: Came, wanted_by: PersonId | None) -> PersonRow:
    """The account of who came; linked to `wanted_by`, who is signed in, or made, where that is allowed.

    Raises:
        NoAccount: when there is none for him.
    """
    known = federation.person_of(connection, came.issuer, came.subject)
    if known is not None and wanted_by not in (None, known):
        raise NoAccount("this identity belongs to another account")
    if known is None and wanted_by is None:
        known = _made(service, connection, request, came)
    person = people.get(connection, known if known is not None else PersonId(wanted_by or 0))
    if person is None:
        raise NoAccount("the account is gone")
    if known is None:
        _link(service, connection, request, came, person)
    return person


def give_roles(service: Service, connection: sa.Connection, request: Request, person: PersonRow, came: Came) -> None:
    """Make what his groups give him exactly what they give now."""
    if came.groups is None:
        return
    teams.lock(connection)
    given = teams.mapped(connection, came.issuer, came.groups)
    changed = teams.replace_from(connection, person.id, came.issuer, given, at=service.now())
    if changed:
        by = By(person.login, person.id, origin(request))
        details = {"issuer": came.issuer, "changed": " ".join(changed)[:2000]}
        accounts.note(connection, by, "roles.synchronised", person.id, at=service.now(), details=details)


def _link(service: Service, connection: sa.Connection, request: Request, came: Came, person: PersonRow) -> None:
    federation.link(connection, person.id, came.issuer, came.subject, at=service.now())
    by = By(person.login, person.id, origin(request))
    accounts.note(connection, by, "identity.linked", person.id, at=service.now(), details={"issuer": came.issuer})


def _made(service: Service, connection: sa.Connection, request: Request, came: Came) -> PersonId:
    if not _is_welcome(came):
        raise NoAccount("neither your address nor a group of yours is on the list for new accounts")
    claim = came.provider.login_claim
    try:
        login = accounts.login_of(str(came.claims.get(claim) or came.claims.get("email") or ""))
    except UsageError as error:
        raise NoAccount(f"the claim {claim} holds no login") from error
    if people.by_login(connection, login) is not None:
        raise NoAccount(f"there is an account {login} already: sign in to it, and link this identity there")
    draft = Draft(login, _line(came.claims.get("name")), _line(came.claims.get("email")))
    made = accounts.make(connection, draft, (), By(login, None, origin(request)), at=service.now())
    federation.link(connection, made, came.issuer, came.subject, at=service.now())
    return made


def _is_welcome(came: Came) -> bool:
    if came.groups is not None and not came.groups.isdisjoint(came.provider.groups):
        return True
    address = came.claims.get("email")
    if came.claims.get("email_verified") is not True or not isinstance(address, str):
        return False
    _, _, domain = address.rpartition("@")
    return domain.casefold() in {each.casefold() for each in came.provider.domains}


def _line(value: object) -> str:
    try:
        return accounts.line(value, "name") if isinstance(value, str) else ""
    except UsageError:
        return ""
