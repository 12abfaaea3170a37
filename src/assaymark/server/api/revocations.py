"""Taking back what was endorsed: the list, what each entry withdrew, what runs on that, and what one would hit before it is made.

What is about more than a single thing (a key, an engine, a policy, a component) is revoked by whoever may do so everywhere; an endorsement
or a subject by whoever may in the teams of what it covers. Lists show of endorsements and places only what the caller's teams hold.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.endorsement.revocation import Revocation, Target
from assaymark.model.access import Permission
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.server.work import revoking
from assaymark.server.work.instead import instead
from assaymark.server.work.revoking import Package
from assaymark.store import doubts, revocations, running, withdrawals
from assaymark.store.doubts import DoubtRow
from assaymark.store.narrowing import MOST_COUNTED
from assaymark.store.revocations import LONGEST_NAME, LONGEST_REASON, Filter, RevocationRow
from assaymark.store.running import Runs
from assaymark.store.withdrawals import Covered, Mark

router = Router("revocations")
_READ, _REVOKE = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_REVOKE
_SHOWN = 20
_NARROW = frozenset({Target.ENDORSEMENT, Target.SUBJECT})


class Aim(Struct, frozen=True, forbid_unknown_fields=True):
    """What is, or would be, revoked."""

    target: Target
    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    """Of the target; a component also as a package URL."""
    versions: Annotated[str, Meta(max_length=200)] = ""
    """Of a package: a version, or terms as ``>=4,<4.17.21``."""
    since: Annotated[str, Meta(max_length=40)] = ""
    """Only what was verified from then on (RFC 3339); empty: from the beginning."""
    until: Annotated[str, Meta(max_length=40)] = ""


class NewRevocation(Aim, frozen=True, forbid_unknown_fields=True, kw_only=True):
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]


class Made(Struct, frozen=True):
    """What became of it."""

    id: int
    fresh: bool
    """False: it was revoked before."""
    withdrawn: int
    """Endorsements that were withdrawn at once."""
    more: bool
    """Others follow within seconds; all of them are refused from now on."""


class Instead(Struct, frozen=True):
    """An approved one of the same resource."""

    endorsement: str
    head: str


class Withdrawn(Struct, frozen=True):
    """An endorsement that is, or would be, withdrawn."""

    endorsement: Covered
    instead: Instead | None
    """The newest of the same resource that verifies now."""


class Hits(Struct, frozen=True):
    """What a revocation would hit."""

    endorsements: int
    """Not withdrawn yet, of the caller's teams, counted up to 1000."""
    at_least: bool
    first: tuple[Withdrawn, ...]
    runs: tuple[Runs, ...]
    """Where they run, the first of them."""
    revoked: bool
    """It was revoked already."""


class Wanted(Struct, frozen=True):
    """Which revocations."""

    target: str = ""
    name: Annotated[str, Meta(max_length=LONGEST_NAME)] = ""
    parent: Annotated[int | None, Meta(description="Only what this one led to.")] = None
    by_itself: Annotated[bool | None, Meta(description="Only those that the server made by itself, or only those of people.")] = None


@router.add("GET", "/revocations", _READ)
def list_revocations(call: Call, wanted: Wanted, after: str | None = None, limit: int = 50) -> Page[RevocationRow]:
    """What was taken back, the newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        asked = Filter(wanted.target, wanted.name, wanted.by_itself, wanted.parent)
        rows = revocations.page(link, call.who.teams_with(_READ), asked, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/revocations/doubts", _READ)
def list_doubts(call: Call, after: str | None = None, limit: int = 50) -> Page[DoubtRow]:
    """Endorsements in force that were given by milder rules than a policy asks for since, the newest first: have these judged again."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int, int)) if after else None
    with call.service.database.read() as link:
        rows = doubts.page(link, call.who.teams_with(_READ), call.service.now(), before=before, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(tuple(rows[:limit]), next=cursor.encode((last.endorsement_id, last.policy_id)) if last else None)


@router.add("GET", "/revocations/{revocation}", _READ)
def get_revocation(call: Call, revocation: int) -> RevocationRow:
    """One of them."""
    with call.service.database.read() as link:
        return visible(call, link, revocation)


@router.add("GET", "/revocations/{revocation}/withdrawn", _READ)
def list_withdrawn(call: Call, revocation: int, after: str | None = None, limit: int = 50) -> Page[Withdrawn]:
    """Endorsements that it withdrew, each with what to use instead."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        query = withdrawals.of_teams_only(withdrawals.under(visible(call, link, revocation)), call.who.teams_with(_READ))
        ids = withdrawals.portion(link, query, after=start, limit=limit + 1)
        rows = _told(call, link, ids[:limit])
    return Page(rows, next=cursor.encode((ids[limit - 1],)) if len(ids) > limit else None)


@router.add("GET", "/revocations/{revocation}/runs", _READ)
def list_running(call: Call, revocation: int, after: str | None = None, limit: int = 50) -> Page[Runs]:
    """Environments and hosts that run what it withdrew, with their teams and who deployed it."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        query = withdrawals.under(visible(call, link, revocation))
        rows = running.places(link, query, call.who.teams_with(Permission.SUBJECTS_READ), after=start, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/revocations/preview", _REVOKE)
def preview_revocation(call: Call, body: Aim) -> Hits:
    """What a revocation would withdraw, and what runs on that; nothing is changed."""
    teams = call.who.teams_with(_REVOKE)
    with call.service.database.read() as link:
        query, known = _covered(link, body)
        query = withdrawals.not_withdrawn(withdrawals.of_teams_only(query, teams))
        count = withdrawals.count(link, query)
        first = _told(call, link, withdrawals.portion(link, query, after=0, limit=_SHOWN))
        runs = running.places(link, query, call.who.teams_with(Permission.SUBJECTS_READ), after=0, limit=_SHOWN)
    return Hits(count, count >= MOST_COUNTED, first, tuple(runs), known)


@router.add("POST", "/revocations", _REVOKE, status=201)
def make_revocation(call: Call, body: NewRevocation) -> Made:
    """Take it back. It holds from now on wherever the list is known; nothing is deleted, and nothing takes it back again."""
    with call.service.database.write() as link:
        _allowed(call, link, body)
        if is_package(body):
            package = Package(body.name, body.versions, body.since, body.until)
            done = revoking.revoke_package(call.service, link, package, body.reason, by=rights.by(call))
        else:
            asked = Revocation(body.target, body.name, body.reason, "", body.since, body.until)
            done = revoking.revoke(call.service, link, asked, by=rights.by(call))
    return Made(done.row.id, done.fresh, done.withdrawn, done.more)


def is_package(aim: Aim) -> bool:
    """Whether a component is asked for by its name."""
    return aim.target is Target.COMPONENT and aim.name.strip().startswith("pkg:")


def _covered(link: sa.Connection, aim: Aim) -> tuple[sa.Select[tuple[int]], bool]:
    """(endorsements that it covers, whether it was revoked already)."""
    if is_package(aim):
        window = revoking.window(aim.since, aim.until)
        package = Package(aim.name, aim.versions)
        row = revocations.find(link, revocations.Asked.PACKAGE, package.written, **window)
        return withdrawals.within(revoking.package_question(link, package), *window.values()), row is not None
    asked = revoking.checked(Revocation(aim.target, aim.name, "preview", "", aim.since, aim.until))
    row = revocations.find(link, asked.target, asked.name, asked.since, asked.until)
    return withdrawals.within(withdrawals.covering(Mark(asked.target, asked.name)), asked.since, asked.until), row is not None


def _allowed(call: Call, link: sa.Connection, aim: Aim) -> None:
    """Whether the caller may revoke this."""
    if aim.target not in _NARROW:
        call.need(_REVOKE, None)
        return
    query, _ = _covered(link, aim)
    for team in withdrawals.by_team(link, query) or {None: 0}:
        call.need(_REVOKE, team)


def _told(call: Call, link: sa.Connection, ids: list[int]) -> tuple[Withdrawn, ...]:
    rows = withdrawals.rows_of(link, ids)
    other = instead(call.service, link, frozenset(row.resource for row in rows), call.who.teams_with(_READ))
    return tuple(
        Withdrawn(row, Instead(other[row.resource].digest, other[row.resource].head) if row.resource in other else None) for row in rows
    )


def visible(call: Call, link: sa.Connection, number: int) -> RevocationRow:
    """The revocation.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = revocations.one(link, number)
    if row is None or not revocations.may_see(call.who.teams_with(_READ), row):
        raise not_found(f"revocation {number}")
    return row
