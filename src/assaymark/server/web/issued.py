"""Reports on pages: those that were issued, one of them with its files and links, and what a link shows to whoever has it.

Guarantees: the page that a link opens needs no account, says nothing but the report, and is the very file that was signed; a link that
ended, or never was, is answered alike.
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from assaymark.model.access import Permission, TeamId
from assaymark.server.api import issued as api
from assaymark.server.api.figures import teams_of
from assaymark.server.api.issued import Form
from assaymark.server.api.route import Call
from assaymark.server.people import credential
from assaymark.server.problem import not_found
from assaymark.server.reports import schedule
from assaymark.server.web import asking
from assaymark.server.web.posture import asking_number
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import issued, teams
from assaymark.store.signing_keys import every as all_keys

_READ, _ISSUE = Permission.FINDINGS_READ, Permission.FINDINGS_DECIDE


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


def show_issued_list(visit: Visit) -> Response:
    """Newest first."""
    before = asking_number(visit, "before")
    with visit.service.database.read() as connection:
        rows = issued.page(connection, teams_of(visit.who), before=before, limit=51)
        known = teams.page(connection, after="", limit=200, teams=teams_of(visit.who))
        plan = schedule.plan(connection)
    return visit.page(
        "issued-list.html",
        rows=rows[:50],
        onward=f"/report?before={rows[49].id}" if len(rows) > 50 else None,
        names={row.id: row.name for row in known},
        teams=[row for row in known if visit.who.may(_ISSUE, row.id)],
        may_issue=visit.who.may_somewhere(_ISSUE),
        may_issue_all=visit.who.may(_ISSUE, None),
        yesterday=api.day_of(api.yesterday(visit.service)),
        plan=plan,
    )


def issue_one(visit: Visit) -> Response:
    """Issue one, and show it."""
    text = visit.form.get("team", "")
    team = TeamId(int(text)) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
    visit.need(_ISSUE, team)
    day = visit.form.get("as_of", "")
    now = visit.service.now()
    at = asking.day_end(day, now) if day else api.yesterday(visit.service)
    row = api.issue_now(_call(visit), team, min(at, now))
    return RedirectResponse(f"/issued/{row.id}", 303)


def show_issued(visit: Visit) -> Response:
    """One, with its files."""
    return _report(visit, "")


def _report(visit: Visit, made: str) -> Response:
    number = visit.number("number")
    with visit.service.database.read() as connection:
        row = api.visible(connection, visit.who, number)
        team = teams.get(connection, row.team) if row.team is not None else None
        may_share = visit.who.may(_ISSUE, row.team)
        links = issued.links_of(connection, number) if may_share else []
        keys = [key for key in all_keys(connection) if key.keyid == row.keyid]
    return visit.page(
        "issued.html",
        row=row,
        name=team.name if team else "everything",
        may_share=may_share,
        links=[link for link in links if link.revoked_at is None and link.expires_at > visit.service.now()],
        made=made,
        key=keys[0] if keys else None,
        most_days=api.MOST_DAYS,
    )


def show_issued_file(visit: Visit) -> Response:
    """A file of a report; the HTML is shown."""
    form = asking.choice(visit, "form", Form) or Form.HTML
    with visit.service.database.read() as connection:
        row = api.visible(connection, visit.who, visit.number("number"))
    return api.file_of(visit.service, row, form, shown=form in {Form.HTML, Form.PDF} and not visit.asked("keep"))


def share_issued(visit: Visit) -> Response:
    """Make a link and show it, once."""
    text = visit.form.get("days", "14")
    days = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    made = api.share_issued(_call(visit), visit.number("number"), api.new_link(days))
    return _report(visit, made.url)


def end_shared(visit: Visit) -> Response:
    """End a link before its time."""
    number = visit.number("number")
    api.end_issued_link(_call(visit), number, visit.number("link"))
    return RedirectResponse(f"/issued/{number}", 303)


def show_shared(visit: Visit) -> Response:
    """What a link opens: the report's HTML, or with ``form`` one of its other files."""
    secret = visit.request.path_params["secret"]
    form = asking.choice(visit, "form", Form) or Form.HTML
    row = None
    if credential.is_secret(secret):
        with visit.service.database.read() as connection:
            row = issued.by_link(connection, credential.hashed(secret), visit.service.now())
    if row is None:
        raise not_found("this report, or the link has ended")
    answer = api.file_of(visit.service, row, form, shown=form in {Form.HTML, Form.PDF})
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


SCREENS = [
    Screen("GET", "/report", show_issued_list, _READ),
    Screen("POST", "/report", issue_one, _ISSUE),
    Screen("GET", "/issued/{number}", show_issued, _READ),
    Screen("GET", "/issued/{number}/file", show_issued_file, _READ),
    Screen("POST", "/issued/{number}/links", share_issued, _ISSUE),
    Screen("POST", "/issued/{number}/links/{link}/end", end_shared, _ISSUE),
    Screen("GET", "/shared/{secret}", show_shared, None, public=True),
]
