"""Pages of known-good components: the catalogue, one component, the dry run; asking for a waiver and answering it.

Guarantees: shows what the API says, to whom the API says it; without script every filter is a link or a form.
"""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

import msgspec
from starlette.responses import RedirectResponse, Response

from assaymark.endorsement.components import RULES, ComponentKind, ComponentState, rule_of
from assaymark.model.access import Permission
from assaymark.server.api import approved as api
from assaymark.server.api import approved_waivers as waivers
from assaymark.server.api.route import Call
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import approved, teams, wishes
from assaymark.store.wishes import Filter, State

_READ = Permission.ENDORSEMENTS_READ
_MOST_COUNTED = 1_000


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


def show_approved(visit: Visit) -> Response:
    """The catalogue."""
    kind, state = asking.choice(visit, "kind", ComponentKind), asking.choice(visit, "state", ComponentState)
    name, after = visit.asked("name"), visit.request.query_params.get("after", "")[:4000]
    page = api.list_approved(_call(visit), kind, name, state, "", after or None, 50)
    with visit.service.database.read() as link:
        counts = approved.counts(link, _MOST_COUNTED)
    given = {"kind": kind.value if kind else "", "state": state.value if state else "", "name": name}
    onward = f"/approved?{urlencode({**given, 'after': page.next})}" if page.next else None
    ways = {each: f"/approved?{urlencode({**given, 'kind': each.value})}" for each in counts}
    return visit.page(
        "approved-list.html", rows=page.items, onward=onward, counts=counts, ways=ways, kinds=list(ComponentKind),
        states=list(ComponentState), kind=kind, state=state, name=name, most=_MOST_COUNTED,
    )  # fmt: skip


def show_component(visit: Visit) -> Response:
    """One of them."""
    as_of = visit.asked("as_of")
    found = api.get_approved(_call(visit), visit.number("component"), as_of)
    with visit.service.database.read() as link:
        known = teams.page(link, after="", limit=200, teams=visit.who.teams_with(Permission.FINDINGS_ASK))
        rows, _ = wishes.page(link, visit.who.teams_with(Permission.FINDINGS_READ), Filter(State.WAITING), visit.service.now())
    mine = [row for row in rows if rule_of(row.scope.rule) is not None and row.scope.package == found.summary.name]
    waiting = [row for row in mine if row.scope.version in ("", found.summary.version)]
    rules = [each for each in RULES if each in found.summary.why]
    return visit.page(
        "approved-one.html", found=found, one=found.summary, as_of=as_of, teams=known, rules=rules,
        waiting=waiting, person=visit.who.person, may_decide=visit.who.may_somewhere(Permission.FINDINGS_DECIDE),
        soon=dt.datetime.fromtimestamp(visit.service.now() / 1e6, dt.UTC).date() + dt.timedelta(days=30),
    )  # fmt: skip


def ask_for_waiver(visit: Visit) -> Response:
    """Ask, and go back."""
    number = visit.number("component")
    found = api.get_approved(_call(visit), number).summary
    form = visit.form
    body = {
        "purl": f"{found.name}@{found.version}", "rule": form.get("rule", ""), "reason": form.get("reason", ""),
        "until": form.get("until", ""), "team": _number(form.get("team", "")),
    }  # fmt: skip
    waivers.ask_for_waiver(_call(visit), msgspec.convert(body, waivers.WaiverAsked))
    return RedirectResponse(f"/approved/{number}", 303)


def answer_waiver(visit: Visit) -> Response:
    """Answer, and go back."""
    body = {"grant": visit.form.get("grant") == "yes", "reason": visit.form.get("reason", "")}
    waivers.answer_waiver(_call(visit), visit.number("request"), msgspec.convert(body, waivers.WaiverAnswer))
    return RedirectResponse(f"/approved/{visit.number('component')}", 303)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid("no team is named", "choose the team that needs it")
    return int(text)


def show_trial(visit: Visit) -> Response:
    """What would be refused."""
    return visit.page("approved-trial.html", found=api.try_approved(_call(visit)))


SCREENS = [
    Screen("GET", "/approved", show_approved, _READ),
    Screen("GET", "/approved/dry-run", show_trial, _READ),
    Screen("GET", "/approved/{component}", show_component, _READ),
    Screen("POST", "/approved/{component}/waivers", ask_for_waiver, Permission.FINDINGS_ASK),
    Screen("POST", "/approved/{component}/waivers/{request}", answer_waiver, Permission.FINDINGS_DECIDE),
]
