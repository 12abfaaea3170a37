"""The trail of people's actions, to be read and checked."""

from __future__ import annotations

from msgspec import Struct

from assaymark.model.access import Permission, PersonId
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import invalid
from assaymark.store import trail
from assaymark.store.trail import Event, Filter

router = Router("trail")
_AT_ONCE = 100_000


@router.add("GET", "/trail", Permission.AUDIT_READ)
def list_trail(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    person: int | None = None,
    actor: str = "",
    action: str = "",
    object_kind: str = "",
    object: str = "",  # noqa: A002 - name of the parameter in the URL
    outcome: str = "",
    since: int | None = None,
    until: int | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Event]:
    """Who did what, newest first; `action` may end with a dot for all of a kind, `since` and `until` are microseconds since 1970."""
    limit = rights.limited(limit)
    wanted = Filter(
        None if person is None else PersonId(person),
        actor,
        action,
        object_kind,
        object,
        outcome,
        None if since is None else Instant(since),
        None if until is None else Instant(until),
        call.who.teams_with(Permission.AUDIT_READ),
    )
    before = cursor.decode(after, (int, int)) if after else None
    with call.service.database.read() as connection:
        events = trail.page(connection, wanted, before=(Instant(before[0]), before[1]) if before else None, limit=limit + 1)
    last = events[limit - 1] if len(events) > limit else None
    return Page(tuple(events[:limit]), next=cursor.encode((last.at, last.id)) if last else None)


class Verification(Struct, frozen=True):
    """What was computed again."""

    holds: bool
    entries: int
    last: int
    """Give it as `after` to go on."""
    digest: str
    """Of the last entry: what was noted elsewhere earlier must be found here again."""
    broken_at: int | None
    is_whole: bool
    """Whether the end was reached."""


@router.add("GET", "/trail/verification", Permission.AUDIT_READ)
def verify_trail(call: Call, after: int = 0, most: int = _AT_ONCE) -> Verification:
    """Compute the chain of digests again; needs audit:read everywhere."""
    call.need(Permission.AUDIT_READ, None)
    if not 1 <= most <= _AT_ONCE or not 0 <= after < 1 << 63:
        raise invalid(f"most is a number from 1 to {_AT_ONCE}, after is the number of an entry")
    with call.service.database.read() as connection:
        check = trail.verify(connection, after=after, most=most)
    whole = check.broken_at is None and check.entries < most
    return Verification(check.broken_at is None, check.entries, check.last, check.digest, check.broken_at, whole)
