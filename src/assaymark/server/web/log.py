"""The transparency log on pages: its entries, each with its proof, its key and checkpoint, and where it was pinned."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from assaymark.endorsement.log.entry import EntryType
from assaymark.model.access import Permission
from assaymark.server.api import log as api
from assaymark.server.api.route import Call
from assaymark.server.logbook import heads
from assaymark.server.web import asking
from assaymark.server.web.posture import asking_number
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import log, log_heads

_READ, _TRUST = Permission.ENDORSEMENTS_READ, Permission.TRUST_WRITE
_AT_ONCE = 50


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


def show_log(visit: Visit) -> Response:
    """Newest first."""
    kind = asking.choice(visit, "type", EntryType)
    subject, before = visit.asked("subject").strip(), asking_number(visit, "before")
    wanted = log.Filter(kind, subject=subject, teams=visit.who.teams_with(_READ))
    may_audit = visit.who.may(Permission.AUDIT_READ, None)
    identity = heads.identity(visit.service)[0]
    with visit.service.database.read() as connection:
        rows = log.page(connection, wanted, before=before, limit=_AT_ONCE + 1)
        pins = log_heads.pins(connection, limit=10) if may_audit else []
        newest = log_heads.newest(connection)
        size = log.size(connection)
    return visit.page(
        "log.html",
        rows=[api.view(row) for row in rows[:_AT_ONCE]],
        kinds=list(EntryType),
        kind=kind,
        subject=subject,
        onward=_onward(kind, subject, rows[_AT_ONCE - 1].seq) if len(rows) > _AT_ONCE else None,
        identity=identity,
        newest=newest,
        size=size,
        pins=pins,
        may_audit=may_audit,
        may_pin=visit.who.may(_TRUST, None) and bool(visit.service.settings.log_pins),
    )


def _onward(kind: EntryType | None, subject: str, before: int) -> str:
    given = {"type": kind.value if kind else "", "subject": subject, "before": str(before)}
    return "/log?" + urlencode({name: value for name, value in given.items() if value})


def show_log_entry(visit: Visit) -> Response:
    """One, as it stands there."""
    with visit.service.database.read() as connection:
        row = api.view(api.visible(_call(visit), connection, visit.number("seq")))
    return visit.page("log-entry.html", row=row)


def show_log_proof(visit: Visit) -> Response:
    """Its proof, to be kept."""
    answer: Response = api.get_log_proof(_call(visit), visit.number("seq"))
    return answer


def pin_log(visit: Visit) -> Response:
    """Keep a checkpoint elsewhere now."""
    api.pin_log_now(_call(visit))
    return RedirectResponse("/log#pins", 303)


SCREENS = [
    Screen("GET", "/log", show_log, _READ),
    Screen("GET", "/log/{seq}", show_log_entry, _READ),
    Screen("GET", "/log/{seq}/proof", show_log_proof, _READ),
    Screen("POST", "/log/pins", pin_log, _TRUST),
]
