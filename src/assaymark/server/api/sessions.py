"""Coming in and going out: the first person, passwords, one-time links, sessions."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId
from assaymark.model.assessment import Instant
from assaymark.server.api import rights
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.people import accounts, cookies, links, oidc, sign_in
from assaymark.server.people import provider as settings
from assaymark.server.people.accounts import By
from assaymark.server.people.cookies import Cookie
from assaymark.server.people.session import IDLE, origin
from assaymark.server.people.sign_in import SignedIn
from assaymark.server.problem import not_found
from assaymark.store import people, sessions
from assaymark.store.people import Draft

router = Router("sessions")


class SetUp(Struct, frozen=True, forbid_unknown_fields=True):
    """The first person, who is administrator."""

    secret: str
    """The last part of the link that `assay serve` printed."""
    login: str
    password: str
    name: str = ""
    email: str = ""


@router.add("POST", "/setup", None, public=True, status=201, most_bytes=8192)
def set_up(call: Call, body: SetUp) -> SignedIn:
    """Make the first person by the one-time link, and sign him in."""
    login = accounts.login_of(body.login)
    name, email = accounts.line(body.name, "name"), accounts.line(body.email, "address")
    with call.service.database.read() as connection:
        if not links.sets_up(call.service, connection, body.secret):
            raise links.spent()
    hashed = links.checked_hash(body.password, login)
    with call.service.database.write() as connection:
        draft = Draft(login, name, email, hashed)
        person = links.set_up(call.service, connection, body.secret, draft, By(login, None, origin(call.request)))
        made = people.get(connection, person)
        assert made is not None  # noqa: S101 - it was made in this transaction
        return sign_in.welcome(call.service, connection, call.request, made, "link")


class Credentials(Struct, frozen=True, forbid_unknown_fields=True):
    login: str
    password: str


@router.add("POST", "/sessions", None, public=True, status=201, most_bytes=8192)
def begin_session(call: Call, body: Credentials) -> SignedIn:
    """Sign in with login and password; the session comes as a cookie."""
    return sign_in.by_password(call.service, call.request, body.login, body.password)


class SessionView(Struct, frozen=True):
    """A live session."""

    id: int
    method: str
    origin: str
    agent: str
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    is_present: bool
    """Whether it is the one that asks."""


class Ended(Struct, frozen=True):
    sessions: int


@router.add("GET", "/sessions", None)
def list_sessions(call: Call, person: int | None = None) -> tuple[SessionView, ...]:
    """Your live sessions; somebody else's need people:write everywhere."""
    whose = rights.whose(call, person)
    with call.service.database.read() as connection:
        found = sessions.live_of(connection, whose, now=call.service.now(), idle=IDLE)
    mine = call.who.session
    return tuple(
        SessionView(row.id, row.method, row.origin, row.agent, row.created_at, row.seen_at, row.expires_at, row.id == mine) for row in found
    )


class SignedOut(Struct, frozen=True):
    go_to: str
    """Where the browser may end its session at the identity provider as well; empty when there is nothing to end."""


@router.add("DELETE", "/sessions/present", None)
def end_present_session(call: Call) -> SignedOut:
    """Sign out."""
    session = rights.need_session(call)
    with call.service.database.write() as connection:
        row = sessions.get(connection, session)
        named = row.method.removeprefix("oidc:") if row and row.method.startswith("oidc:") else ""
        provider = settings.provider(connection, named) if named else None
        sessions.revoke(connection, session, call.service.now())
        _note(call, connection, call.who.person, session)
    cookies.clear(call.request, call.service.settings, Cookie.SESSION)
    return SignedOut(oidc.end_address(call.service, provider) if provider else "")


@router.add("DELETE", "/sessions/{session}", None, status=204)
def end_session(call: Call, session: int) -> Nothing:
    """End one of your sessions; somebody else's needs people:write everywhere."""
    with call.service.database.write() as connection:
        found = sessions.get(connection, session)
        if found is None or not rights.is_his(call, found.person):
            raise not_found("this session")
        if sessions.revoke(connection, session, call.service.now()):
            _note(call, connection, found.person, session)
    return Nothing()


@router.add("DELETE", "/sessions", None)
def end_sessions(call: Call, person: int | None = None) -> Ended:
    """Sign out everywhere, here too; somebody else's sessions need people:write everywhere."""
    whose = rights.whose(call, person)
    with call.service.database.write() as connection:
        ended = sessions.revoke_all(connection, whose, call.service.now())
        details = {"sessions": str(ended)}
        accounts.note(connection, rights.by(call), "sessions.ended", whose, at=call.service.now(), details=details)
    if whose == call.who.person:
        cookies.clear(call.request, call.service.settings, Cookie.SESSION)
    return Ended(ended)


def _note(call: Call, connection: sa.Connection, whose: PersonId, session: int) -> None:
    accounts.note(connection, rights.by(call), "session.ended", whose, at=call.service.now(), details={"session": str(session)})


# --- passwords and links ---------------------------------------------------------------------------------------------


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    present: str
    """Empty for somebody who has none yet."""
    new: str


@router.add("POST", "/me/password", None, status=204, most_bytes=8192)
def change_password(call: Call, body: PasswordChange) -> Nothing:
    """Another password; every other session ends. A first one needs a session that is younger than a quarter of an hour."""
    rights.need_session(call)
    with call.service.database.read() as connection:
        has_one = people.password_of(connection, call.who.person) is not None
    if not has_one:  # then the session is all that shows who he is
        rights.need_recent(call)
    sign_in.change_password(call.service, call.request, call.who, present=body.present, new=body.new)
    return Nothing()


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    secret: str
    """The last part of a one-time link."""


class LinkView(Struct, frozen=True):
    purpose: str
    """``join`` or ``reset``."""
    login: str
    expires_at: Instant


@router.add("POST", "/links/look", None, public=True, most_bytes=1024)
def look_at_link(call: Call, body: Link) -> LinkView:
    """Whom a one-time link is for; it is not used by this."""
    with call.service.database.read() as connection:
        found = links.look(call.service, connection, body.secret)
    if found is None:
        raise links.spent()
    person, invitation = found
    return LinkView(invitation.purpose.value, person.login, invitation.expires_at)


class Redemption(Struct, frozen=True, forbid_unknown_fields=True):
    secret: str
    password: str


@router.add("POST", "/links/redeem", None, public=True, status=201, most_bytes=8192)
def redeem_link(call: Call, body: Redemption) -> SignedIn:
    """Choose a password by a one-time link, and sign in; older sessions end."""
    with call.service.database.read() as connection:
        found = links.look(call.service, connection, body.secret)
    if found is None:
        raise links.spent()
    hashed = links.checked_hash(body.password, found[0].login)
    with call.service.database.write() as connection:
        person = links.redeem(call.service, connection, body.secret, hashed, By("", None, origin(call.request)))
        sessions.revoke_all(connection, person.id, call.service.now())
        return sign_in.welcome(call.service, connection, call.request, person, "link")
