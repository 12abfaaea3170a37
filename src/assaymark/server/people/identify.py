"""From a request to the principal who sent it: a token in ``Authorization``, or a session's cookie; nothing in a URL counts.

Guarantees: what a principal may do is read anew with each request, so that a role that was taken, an account that was disabled and a token
or session that was revoked have no effect from the next request on. A token has at most its owner's present roles, in its team only when
it names one, cut down to its scopes. A credential that is wrong is refused, never ignored, when it was given on purpose (a token); a
session that has ended is nobody.
"""

from __future__ import annotations

from starlette.requests import Request

from assaymark.model.access import Grant, Principal, TeamId
from assaymark.server.people import cookies, credential
from assaymark.server.people.cookies import Cookie
from assaymark.server.people.session import IDLE, origin
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.store import attempts, sessions, teams, tokens, trail
from assaymark.store.attempts import Limit
from assaymark.store.tokens import State
from assaymark.store.trail import Action

PRINCIPAL = "assaymark.principal"
"""Key of the request's scope under which whoever comes later finds who it was."""
_MINUTE = 60_000_000


def identify(service: Service, request: Request) -> Principal | None:
    """Who sends this; None for nobody.

    Raises:
        ApiError: 401 for a token that is none, has ended, or is not known.
    """
    given = request.headers.get("authorization")
    found = _by_session(service, request) if given is None else _by_token(service, request, given)
    request.scope[PRINCIPAL] = found
    return found


def _by_token(service: Service, request: Request, given: str) -> Principal:
    scheme, _, text = given.partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not credential.is_token(text):
        raise _refused("this is no token of this server", "send `Authorization: Bearer assay_…`, whole as it was shown")
    now = service.now()
    with service.database.read() as connection:
        opened = tokens.open_one(connection, credential.hashed(text), now=now)
        grants = teams.grants_of(connection, opened.token.person) if opened else ()
    if opened is None:
        raise _refused("this token is not known", "make a new one")
    token = opened.token
    if opened.state is not State.LIVE:
        _note_refusal(service, request, opened)
        raise _refused(f"this token is {opened.state.value}", "make a new one")
    if token.used_at is None or token.used_at <= now - tokens.WRITTEN_EVERY:
        with service.database.write() as connection:
            tokens.touch(connection, token.id, now)
    return Principal(token.person, opened.login, _within(grants, token.team), token.scopes, token=token.id)


def _within(grants: tuple[Grant, ...], team: TeamId | None) -> tuple[Grant, ...]:
    """What of these is left in one team."""
    if team is None:
        return grants
    return tuple(dict.fromkeys(Grant(grant.role, team) for grant in grants if grant.team in (None, team)))


def _by_session(service: Service, request: Request) -> Principal | None:
    secret = cookies.read(service.settings, request, Cookie.SESSION)
    if not credential.is_secret(secret):
        return None
    now = service.now()
    with service.database.read() as connection:
        opened = sessions.open_one(connection, credential.hashed(secret), now=now, idle=IDLE)
        if opened is None:
            return None
        grants = teams.grants_of(connection, opened.person)
    if opened.seen_at <= now - sessions.WRITTEN_EVERY:
        with service.database.write() as connection:
            sessions.touch(connection, opened.session, now)
    return Principal(opened.person, opened.login, grants, session=opened.session)


def _refused(title: str, advice: str) -> ApiError:
    return ApiError(401, "unauthenticated", title, advice=advice, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _note_refusal(service: Service, request: Request, opened: tokens.Opened) -> None:
    """Once a minute for a token: whoever repeats it cannot fill the trail."""
    now = service.now()
    with service.database.write() as connection:
        if attempts.begin(connection, [Limit(f"token-refused:{opened.token.id}", 1, _MINUTE)], now=now) is None:
            action = Action(
                at=now,
                actor=opened.login,
                action="token.used",
                outcome="refused",
                person=opened.token.person,
                object_kind="token",
                object=str(opened.token.id),
                team=opened.token.team,
                origin=origin(request),
                details={"because": opened.state.value},
            )
            trail.record(connection, action)
