"""What the operations on people ask beyond a permission: whose thing it is, and whether somebody has what he gives.

Guarantees: a token, which may have leaked, touches its owner's own account only when it could touch anybody's; nobody hands out a role, or
a way into an account, that allows what he is not allowed himself.
"""

from __future__ import annotations

from collections.abc import Iterable

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Principal
from assaymark.model.assessment import SECOND
from assaymark.server.api.route import Call
from assaymark.server.people.accounts import By
from assaymark.server.people.session import origin
from assaymark.server.problem import ApiError, invalid
from assaymark.store import sessions

MOST_ROWS = 200
RECENT = 900 * SECOND


def by(call: Call) -> By:
    """The caller, for the trail."""
    return By(call.who.login, call.who.person, origin(call.request))


def need_session(call: Call) -> int:
    """The caller's session.

    Raises:
        ApiError: 403 when he came with a token.
    """
    if call.who.session is None:
        raise ApiError(403, "session-needed", "a token may not do this", advice="sign in, and do it with the session")
    return call.who.session


def need_recent(call: Call) -> int:
    """The caller's session, when he proved a moment ago that he is there: for what would outlive a session that was left open or stolen.

    Raises:
        ApiError: 403 when that was too long ago.
    """
    session = need_session(call)
    with call.service.database.read() as connection:
        row = sessions.get(connection, session)
    if row is None or row.created_at < call.service.now() - RECENT:
        raise ApiError(
            403, "sign-in-again", "this session is too old for that", advice="sign in again, and do it within a quarter of an hour"
        )
    return session


def is_his(call: Call, person: PersonId) -> bool:
    """Whether the caller may touch what is this person's."""
    who = call.who
    return (person == who.person and who.session is not None) or who.may(Permission.PEOPLE_WRITE, None)


def whose(call: Call, person: int | None) -> PersonId:
    """The person that is meant: the caller himself without a number.

    Raises:
        ApiError: 403 when he may not touch what is that person's.
    """
    if person is None or person == call.who.person:
        if call.who.session is None:
            call.need(Permission.PEOPLE_WRITE, None)
        return call.who.person
    call.need(Permission.PEOPLE_WRITE, None)
    return PersonId(person)


def covers(who: Principal, grants: Iterable[Grant]) -> bool:
    """Whether somebody may do everything that these roles allow."""
    return all(who.may(permission, grant.team) for grant in grants for permission in GRANTS[grant.role])


def need_cover(call: Call, grants: Iterable[Grant]) -> None:
    """Raise unless the caller has himself what he gives."""
    if not covers(call.who, grants):
        raise ApiError(
            403, "more-than-yours", "nobody gives more than he has", advice="ask somebody whose roles allow what you want to give"
        )


def limited(limit: int) -> int:
    """How many rows a page has.

    Raises:
        ApiError: 400 when it is no number from 1 to 200.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise invalid(f"limit is a number from 1 to {MOST_ROWS}")
    return limit
