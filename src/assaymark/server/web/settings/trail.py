"""The trail of people's actions: search, and computing its chain again."""

from __future__ import annotations

import datetime as dt

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import SECOND
from assaymark.server.api import trail as api
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import call_of
from assaymark.server.web.screen import Screen, Visit

_FIELDS = ("actor", "action", "object_kind", "object", "outcome")
_DAY = 86400 * SECOND


def show_trail(visit: Visit) -> Response:
    """Who did what, newest first."""
    wanted = {name: visit.asked(name).strip() for name in _FIELDS}
    page = api.list_trail(
        call_of(visit),
        **wanted,
        since=_day(visit, "since"),
        until=_end(_day(visit, "until")),
        after=visit.request.query_params.get("after"),
    )
    return visit.page(
        "settings/trail.html",
        rows=page.items,
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        wanted=wanted | {"since": visit.asked("since"), "until": visit.asked("until")},
        may_verify=visit.who.may(Permission.AUDIT_READ, None),
    )


def show_verification(visit: Visit) -> Response:
    """Compute the chain again, a part at a time."""
    text = visit.asked("from")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise invalid(f"from={text!r} is no number of an entry")
    found = api.verify_trail(call_of(visit), int(text or "0"))
    return visit.page("settings/verification.html", found=found, start=int(text or "0"))


def _day(visit: Visit, name: str) -> int | None:
    text = visit.asked(name)
    if not text:
        return None
    try:
        day = dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)
    except ValueError as error:
        raise invalid(f"{name}={text!r} is no day", "write it as 2026-11-23") from error
    return int(day.timestamp()) * SECOND


def _end(begin: int | None) -> int | None:
    return None if begin is None else begin + _DAY


SCREENS = [
    Screen("GET", "/settings/trail", show_trail, Permission.AUDIT_READ),
    Screen("GET", "/settings/trail/verification", show_verification, Permission.AUDIT_READ),
]
