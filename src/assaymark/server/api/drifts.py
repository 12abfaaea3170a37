"""Drifts that deployers told of, and looking away from one for a time. There is no way to accept one."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.endorsement.approval import instant
from assaymark.model.access import Permission
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import invalid, not_found
from assaymark.server.work import drifting
from assaymark.server.work.drifting import LONGEST_REASON
from assaymark.store import drifts
from assaymark.store.drifts import DriftRow, Filter

router = Router("drifts")
_READ, _PROMOTE = Permission.DEPLOYMENTS_READ, Permission.DEPLOYMENTS_PROMOTE


class LookAway(Struct, frozen=True, forbid_unknown_fields=True):
    """Until when, and why."""

    until: Annotated[str, Meta(max_length=40)]
    """RFC 3339."""
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]


@router.add("GET", "/deployments/drifts", _READ)
def list_drifts(
    call: Call,
    environment: int | None = None,
    resolved: bool | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[DriftRow]:
    """The newest first; only those that stand open, or only those that do not, where that is asked."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        asked = Filter(environment=environment, open=None if resolved is None else not resolved)
        rows = drifts.page(link, call.who.teams_with(_READ), asked, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/deployments/drifts/{drift}", _READ)
def get_drift(call: Call, drift: int) -> DriftRow:
    """One, with who did it as far as anybody saw."""
    with call.service.database.read() as link:
        return visible(call, link, drift)


@router.add("POST", "/deployments/drifts/{drift}/ignore", _PROMOTE)
def ignore_drift(call: Call, drift: int, body: LookAway) -> DriftRow:
    """Look away from it until an instant, with a reason.

    Afterwards it counts again; the end lies at most as many days after the first time that anybody looked away as the environment's terms
    say, so that this never becomes acceptance.
    """
    try:
        until = Instant(instant(body.until))
    except (ValueError, OverflowError) as error:
        raise invalid(f"{body.until[:40]!r} is no time", "write it as 2026-11-28T09:00:00Z") from error
    with call.service.database.write() as link:
        call.need(_PROMOTE, visible(call, link, drift).team)
        return drifting.ignore(call.service, link, drift, until, (rights.by(call), body.reason))


@router.add("DELETE", "/deployments/drifts/{drift}/ignore", _PROMOTE)
def look_at_drift_again(call: Call, drift: int) -> DriftRow:
    """Look away no more, from now on."""
    with call.service.database.write() as link:
        call.need(_PROMOTE, visible(call, link, drift).team)
        return drifting.look_again(call.service, link, drift, rights.by(call))


def visible(call: Call, link: sa.Connection, number: int) -> DriftRow:
    """The drift.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = drifts.one(link, number)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"drift {number}")
    return row
