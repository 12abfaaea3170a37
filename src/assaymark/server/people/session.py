"""Begin and end a session.

Guarantees: a session's secret is made when somebody signs in and never taken from the request, and what the browser came with is revoked:
whoever planted a cookie has nothing. A session ends after eight hours without a request and after seven days in any case.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from starlette.requests import Request

from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import cookies, credential
from assaymark.server.people.cookies import Cookie
from assaymark.server.service import Service
from assaymark.store import sessions
from assaymark.store.sessions import SessionRow

IDLE = 8 * 3600 * SECOND
LONGEST = 7 * 86400 * SECOND
_AGENT_LENGTH = 200


class Begun(Struct, frozen=True):
    """A new session; the secret goes into the cookie and nowhere else."""

    id: int
    secret: str
    expires_at: Instant

    def __repr__(self) -> str:
        return f"Begun({self.id})"


def begin(service: Service, connection: sa.Connection, request: Request, person: PersonId, method: str) -> Begun:
    """In the transaction in which he proved who he is."""
    now = service.now()
    end_present(service, connection, request)
    secret = credential.new_secret()
    agent = request.headers.get("user-agent", "")[:_AGENT_LENGTH]
    row = SessionRow(0, person, method, origin(request), agent, now, now, Instant(now + LONGEST), None)
    return Begun(sessions.start(connection, credential.hashed(secret), row), secret, row.expires_at)


def end_present(service: Service, connection: sa.Connection, request: Request) -> None:
    """Revoke the session of the request's cookie, whoever's it is."""
    now = service.now()
    secret = cookies.read(service.settings, request, Cookie.SESSION)
    if credential.is_secret(secret):
        present = sessions.open_one(connection, credential.hashed(secret), now=now, idle=IDLE)
        if present is not None:
            sessions.revoke(connection, present.session, now)


def origin(request: Request) -> str:
    """Address that the request came from, as the server sees it."""
    return request.client.host if request.client else ""
