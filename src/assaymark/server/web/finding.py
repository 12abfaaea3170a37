"""The list of findings: every kind, everywhere, now or as of a day; and one finding with all places where it stands."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.server.problem import not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import findings
from assaymark.store.comments import About
from assaymark.store.findings import Filter, Part


def show_finding(visit: Visit) -> Response:
    """One weakness, and everything that has it."""
    number = visit.number("number")
    teams = visit.who.teams_with(Permission.FINDINGS_READ)
    with visit.service.database.read() as connection:
        found = findings.by_id(connection, number)
        if found is None or not findings.may_see(connection, teams, number):
            raise not_found("this finding")
        rows, last = findings.page(connection, teams, Filter(finding=number, at=asking.as_of(visit)), Part(limit=200))
    return visit.page(
        "finding.html",
        found=found,
        rows=rows,
        more=last is not None,
        as_of=visit.asked("as_of"),
        talk=talk.conversation(visit, About.FINDING, number),
    )


SCREENS = [
    Screen("GET", "/findings/{number}", show_finding, Permission.FINDINGS_READ),
]
