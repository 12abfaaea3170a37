"""The list of findings: every kind, everywhere, now or as of a day, narrowed by what it consists of, kept under names, exported.

Everything that the page shows is in its address, so that it can be sent to somebody, kept as a saved view, or asked of the API.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.decision import MOST_DAYS, DecisionKind, Justification
from assaymark.server.api import sieve, triage
from assaymark.server.api import views as api
from assaymark.server.api.route import Call
from assaymark.server.api.sieve import Sieve
from assaymark.server.problem import ApiError
from assaymark.server.web import asking, facet
from assaymark.server.web.layout import day
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import ages, facets, findings, subjects, teams, views
from assaymark.store.findings import Order, Part, Place, Standing
from assaymark.store.narrowing import MOST_COUNTED
from assaymark.store.views import Audience, ViewRow

_OLD_NAMES = {"family": "rule_class", "words": "text"}
_NOT_OF_THE_SIEVE = frozenset({"after", "order", "group"})
_TYPED = frozenset({"text", "as_of", "state"})
_MOST_TEAMS = 200
_USUAL_DAYS = 90


def asked_of(visit: Visit) -> Sieve:
    """What the address asks for.

    Raises:
        ApiError: 400 for what makes no sense.
    """
    pairs = visit.request.query_params.multi_items()
    return sieve.read((_OLD_NAMES.get(name, name), value[: sieve.LONGEST]) for name, value in pairs if name not in _NOT_OF_THE_SIEVE)


def show_findings(visit: Visit) -> Response:
    """The worst first."""
    allowed = visit.who.teams_with(Permission.FINDINGS_READ)
    given, now = asked_of(visit), visit.service.now()
    asked = given.filter(now)
    key = asking.after(visit, (int, int, int))
    order = asking.choice(visit, "order", Order) or Order.WORST
    with visit.service.database.read() as connection:
        rows, last, many = findings.counted_page(connection, allowed, asked, Part(order, Place(*key) if key else None))
        counted = facets.facets(connection, allowed, asked, now=now)
        kept = views.seen_by(connection, visit.who.person, allowed)
        first = subjects.began(connection, allowed)
        mine = teams.page(connection, after="", limit=_MOST_TEAMS, teams=visit.who.teams_with(Permission.ASSESSMENTS_RUN))
    return visit.page(
        "findings.html",
        rows=rows,
        many=f"{'at least ' if many >= MOST_COUNTED else ''}{many}",
        onward=asking.onward(visit, (last.severity, last.since, last.id) if last else None),
        facets=facet.facets(given, counted, order),
        complete=counted.complete,
        chips=facet.chips(given, counted, order),
        order=order.value,
        causes=counted.cause if visit.asked("group") == "cause" else None,
        with_items="/items/{number}" in visit.rooms or "/items/{item}" in visit.rooms,
        orders=[(each.value, facet.address(given, each)) for each in Order],
        views=[(view, view.query == given.query(), _may_forget(visit, view)) for view in kept],
        may_decide=visit.who.may_somewhere(Permission.FINDINGS_DECIDE) and asked.at is None and asked.state is Standing.OPEN,
        decision_kinds=list(DecisionKind),
        justifications=list(Justification),
        wheres=list(triage.Where),
        last_day=day(Instant(now + MOST_DAYS * ages.DAY)),
        usual_day=day(Instant(now + _USUAL_DAYS * ages.DAY)),
        act=str(now),
        audiences=_audiences(visit, mine),
        first=day(first or now),
        today=day(now),
        **_of_the_address(given),
    )


def _of_the_address(given: Sieve) -> dict[str, Any]:
    exports = [(name, f"/api/v1/findings/export?{urlencode({'format': name})}&{given.query()}") for name in ("csv", "json", "sarif")]
    kept = [(name, value) for name, value in facet.fields(given) if name not in _TYPED]
    return {"asked": given, "query": given.query(), "as_of": given.as_of, "kept_fields": kept, "exports": exports}


def _may_forget(visit: Visit, view: ViewRow) -> bool:
    shared = view.audience is not Audience.OWN and visit.who.may(Permission.FINDINGS_DECIDE, view.team)
    return view.person == visit.who.person or shared


def _audiences(visit: Visit, mine: list[Any]) -> list[tuple[str, str]]:
    """With whom this visitor may share."""
    everybody = [("all", "everybody")] if visit.who.may(Permission.FINDINGS_DECIDE, None) else []
    return [("own", "me"), *((f"team:{team.id}", team.name) for team in mine), *everybody]


def decide(visit: Visit) -> Response:
    """Decide about the rows that were chosen, or about all that fit, in one act."""
    form = visit.form
    chosen = tuple(
        int(name[4:]) for name in form if name.startswith("row-") and name[4:].isascii() and name[4:].isdecimal() and len(name) < 22
    )
    whole = "" if chosen else form.get("query", "") if form.get("all") else ""
    if not chosen and not whole:
        raise ApiError(400, "invalid", "nothing is chosen", advice="choose rows, or all that fit a filter")
    told = {name: form.get(name, "") for name in ("kind", "reason", "until", "where", "owner")}
    given = {name: value for name, value in told.items() if value} | {"name": form.get("name", "") or str(visit.service.now())}
    given |= {"justification": form["justification"]} if form.get("justification") and form.get("kind") == DecisionKind.NOT_AFFECTED else {}
    body = msgspec.convert({**given, "ids": chosen, "query": whole}, triage.Bulk, strict=False)
    try:
        done = triage.decide_many(_call(visit), body)
    except AssayError as error:
        raise ApiError(400, "invalid", error.what, detail=error.why, advice=error.advice) from error
    return visit.page("decided.html", done=done, back=facet.address(sieve.read_query(form.get("query", ""))))


def keep_view(visit: Visit) -> Response:
    """Keep the filter under a name, and come back to the list."""
    form = visit.form
    audience, _, team = form.get("audience", "").partition(":")
    number = TeamId(int(team)) if team.isascii() and team.isdecimal() and len(team) < 18 else None
    known = audience if audience in {each.value for each in Audience} else Audience.OWN.value
    body = api.NewView(form.get("name", "").strip()[:100], form.get("query", ""), Audience(known), number)
    try:
        api.save_view(_call(visit), body)
    except AssayError as error:
        raise ApiError(400, "invalid", error.what, detail=error.why, advice=error.advice) from error
    return RedirectResponse(facet.address(sieve.read_query(form.get("query", ""))), 303)


def forget_view(visit: Visit) -> Response:
    """Forget a view, and come back to the list."""
    api.remove_view(_call(visit), visit.number("number"))
    return RedirectResponse(facet.address(sieve.read_query(visit.form.get("query", ""))), 303)


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


SCREENS = [
    Screen("POST", "/findings/decide", decide, Permission.FINDINGS_DECIDE),
    Screen("GET", "/findings", show_findings, Permission.FINDINGS_READ),
    Screen("POST", "/findings/views", keep_view, Permission.FINDINGS_READ),
    Screen("POST", "/findings/views/{number}", forget_view, Permission.FINDINGS_READ),
]
