"""A sign-in that takes several requests: bound to the browser that began it, to be used once, for ten minutes.

The browser holds a random value in a cookie, the database its hash with whatever belongs to the ceremony. Whoever lures somebody to the
last step of a ceremony that he began himself (login CSRF) has not put the cookie there.
"""

from __future__ import annotations

import hmac

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from starlette.requests import Request

from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import cookies, credential
from assaymark.server.people.cookies import Cookie
from assaymark.server.people.session import origin
from assaymark.server.people.sign_in import count, network
from assaymark.server.service import Service
from assaymark.store import invitations
from assaymark.store.attempts import Limit
from assaymark.store.invitations import Invitation, Purpose

SECONDS = 600
_QUARTER = 900 * SECOND
_AT_ONCE = 120
"""Ceremonies that one address begins in a quarter of an hour."""


class _Details(Struct, frozen=True):
    browser: str
    """Hash of the cookie, or the number of the session."""
    sealed: str


def begin(service: Service, request: Request, purpose: Purpose, key: str, sealed: str = "") -> None:
    """Remember a ceremony under its key for this browser.

    Raises:
        ApiError: 429 when this address begins too many.
    """
    count(service, request, "", (Limit(f"ceremony:{network(origin(request))}", _AT_ONCE, _QUARTER),))
    value = cookies.read(service.settings, request, Cookie.CEREMONY)
    if not credential.is_secret(value):
        value = credential.new_secret()
    cookies.put(request, service.settings, Cookie.CEREMONY, value, seconds=SECONDS)
    with service.database.write() as connection:
        row = Invitation(purpose, None, _written(credential.hashed(value), sealed), *_times(service))
        invitations.put(connection, credential.hashed(key), row)


def begin_in_session(service: Service, purpose: Purpose, key: str, person: PersonId, session: int) -> None:
    """Remember a ceremony of somebody who is signed in."""
    with service.database.write() as connection:
        row = Invitation(purpose, person, _written(f"session:{session}", ""), *_times(service))
        invitations.put(connection, credential.hashed(key), row)


def take(service: Service, connection: sa.Connection, request: Request, purpose: Purpose, key: str) -> str | None:
    """Use a ceremony up: what was sealed with it; None when it is unknown, over, used, or another browser's."""
    value = cookies.read(service.settings, request, Cookie.CEREMONY)
    found = invitations.take(connection, credential.hashed(key), (purpose,), now=service.now())
    if found is None:
        return None
    details = msgspec.json.decode(found.details, type=_Details)
    return details.sealed if hmac.compare_digest(details.browser, credential.hashed(value)) else None


def take_in_session(service: Service, connection: sa.Connection, purpose: Purpose, key: str, session: int) -> bool:
    """Use up a ceremony that this session began; False when there is none."""
    found = invitations.take(connection, credential.hashed(key), (purpose,), now=service.now())
    return found is not None and msgspec.json.decode(found.details, type=_Details).browser == f"session:{session}"


def _times(service: Service) -> tuple[Instant, Instant]:
    now = service.now()
    return now, Instant(now + SECONDS * SECOND)


def _written(browser: str, sealed: str) -> str:
    return msgspec.json.encode(_Details(browser, sealed)).decode()
