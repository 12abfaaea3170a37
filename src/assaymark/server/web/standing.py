"""The list of findings: every kind, everywhere, now or as of a day; and one finding with all places where it stands."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import SubjectId
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.server.problem import invalid, not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import findings
from assaymark.store.comments import About
from assaymark.store.findings import Filter, Order, Part, Place, Standing
from assaymark.store.narrowing import MOST_COUNTED


def show_findings(visit: Visit) -> Response:
    """The worst first."""
    teams = visit.who.teams_with(Permission.FINDINGS_READ)
    severity, kind = asking.choice(visit, "severity", Severity), asking.choice(visit, "kind", Kind)
    asked = Filter(
        kinds=(kind,) if kind else (),
        severities=(severity,) if severity else (),
        rule_class=visit.asked("family"),
        subject=_subject(visit),
        state=asking.choice(visit, "state", Standing) or Standing.OPEN,
        text=visit.asked("words"),
        at=asking.as_of(visit),
    )
    key = asking.after(visit, (int, int, int))
    order = asking.choice(visit, "order", Order) or Order.WORST
    with visit.service.database.read() as connection:
        rows, last = findings.page(connection, teams, asked, Part(order, Place(*key) if key else None))
        many = findings.count(connection, teams, asked)
    return visit.page(
        "findings.html",
        rows=rows,
        many=many,
        most=MOST_COUNTED,
        onward=asking.onward(visit, (last.severity, last.since, last.id) if last else None),
        asked=asked,
        severity=severity or "",
        kind=kind or "",
        kinds=list(Kind),
        state=asked.state.value,
        words=asked.text,
        as_of=visit.asked("as_of"),
    )


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


def _subject(visit: Visit) -> SubjectId | None:
    text = visit.asked("subject")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid(f"subject={text!r} is no number")
    return SubjectId(int(text))


SCREENS = [
    Screen("GET", "/findings", show_findings, Permission.FINDINGS_READ),
    Screen("GET", "/findings/{number}", show_finding, Permission.FINDINGS_READ),
]
