"""The list of items, and the page of one: what one repair removes, whose it is, where it stands, the issues that tell of it."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from assaymark.errors import UsageError
from assaymark.model.access import Permission
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Kind, RuleClassId
from assaymark.model.severity import Severity
from assaymark.server.api import cursor
from assaymark.server.people.accounts import By
from assaymark.server.people.session import origin
from assaymark.server.problem import not_found
from assaymark.server.web import asking, finding, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.assigning import To, assign, release
from assaymark.store import findings, items, people
from assaymark.store.comments import About
from assaymark.store.items import Filter, ItemRow, ItemState, Part, Place
from assaymark.store.narrowing import MOST_COUNTED
from assaymark.views.causes import cwe_of, owasp_of

_READ = Permission.FINDINGS_READ


class Whose(StrEnum):
    """Of whom items are listed."""

    MINE = "mine"
    NOBODYS = "nobody's"


def show_items(visit: Visit) -> Response:
    """The worst first."""
    teams = visit.who.teams_with(_READ)
    whose = asking.choice(visit, "whose", Whose)
    severity, kind = asking.choice(visit, "severity", Severity), asking.choice(visit, "kind", Kind)
    cause = asking.choice(visit, "cause", CauseKind)
    asked = Filter(
        state=asking.choice(visit, "state", ItemState) or ItemState.OPEN,
        severities=(severity,) if severity else (),
        kinds=(kind,) if kind else (),
        causes=(cause,) if cause else (),
        person=visit.who.person if whose is Whose.MINE else None,
        unowned=whose is Whose.NOBODYS,
        at=asking.as_of(visit),
    )
    key = asking.after(visit, (int, int, int))
    with visit.service.database.read() as link:
        rows, end = items.page(link, teams, asked, Part(Place(*key) if key else None))
        many = items.count(link, teams, asked)
    return visit.page(
        "items.html",
        rows=rows,
        many=many,
        most=MOST_COUNTED,
        onward=asking.onward(visit, (end.severity, end.since, end.id) if end else None),
        state=asked.state.value,
        whose=whose or "",
        all_whose=list(Whose),
        severity=severity or "",
        kind=kind or "",
        kinds=[each for each in Kind if each is not Kind.UNCHECKED],
        cause=cause or "",
        causes=list(CauseKind),
        as_of=visit.asked("as_of"),
    )


def show_item(visit: Visit) -> Response:
    """The findings of it, the worst first."""
    number, at = visit.number("number"), asking.as_of(visit)
    teams = visit.who.teams_with(_READ)
    key = asking.after(visit, (int, int, int))
    with visit.service.database.read() as link:
        found = items.one(link, number, at)
        if found is None or not visit.who.may(_READ, found.team):
            raise not_found("this item")
        ids, end = items.occurrences_of(link, teams, number, Part(Place(*key) if key else None), at=at)
        rows = findings.rows_of(link, ids, at)
        subjects = items.subjects_of(link, teams, number, at=at)
        issues = items.issues_of(link, number)
        history = items.history(link, number, at=at, limit=20)
        advice = items.advice(link, number)
    onward = asking.address(visit, {"after": cursor.encode((end.severity, end.since, end.id))}) if end else None
    return visit.page(
        "item.html",
        item=found,
        rows=rows,
        onward=onward,
        subjects=subjects,
        issues=[each for each in issues if each.url.startswith(("https://", "http://"))],
        history=history,
        advice=advice,
        lesson=finding.lesson_of(found.rule_class, rows[0] if rows else None),
        cwe=cwe_of(RuleClassId(found.rule_class)),
        owasp=owasp_of(RuleClassId(found.rule_class)),
        talk=talk.conversation(visit, About.ITEM, number),
        may_assign=at is None and visit.who.may(Permission.ITEMS_ASSIGN, found.team),
        is_mine=found.person == visit.who.person,
        as_of=visit.asked("as_of"),
    )


def give_item(visit: Visit) -> Response:
    """To oneself, to somebody by login or name, or back to whoever the repository says."""
    number = visit.number("number")
    by = By(visit.who.login, visit.who.person, origin(visit.request))
    with visit.service.database.write() as link:
        found = items.one(link, number)
        if found is None or not visit.who.may(_READ, found.team):
            raise not_found("this item")
        visit.need(Permission.ITEMS_ASSIGN, found.team)
        match visit.form.get("to", ""):
            case "me":
                assign(visit.service, link, found, by, To(visit.who.person))
            case "nobody":
                release(visit.service, link, found, by)
            case _:
                _give(visit, link, found, by)
    return RedirectResponse(f"/items/{number}", 303)


def _give(visit: Visit, link: sa.Connection, found: ItemRow, by: By) -> None:
    name = visit.form.get("name", "").strip()
    if not name:
        raise UsageError("nobody is named", advice="write a login")
    known = people.by_login(link, name.removeprefix("@").lower())
    assign(visit.service, link, found, by, To(known.id if known is not None else None, name[:200]))


SCREENS = [
    Screen("GET", "/items", show_items, _READ),
    Screen("GET", "/items/{number}", show_item, _READ),
    Screen("POST", "/items/{number}/owner", give_item, Permission.ITEMS_ASSIGN),
]
