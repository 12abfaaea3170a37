"""Simulations of policies: asked for, watched, and kept with everything that would be another verdict."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from assaymark.model.access import Permission
from assaymark.server.api import policy_simulations as api
from assaymark.server.api.policy_simulations import Version, Wanted
from assaymark.server.api.route import Call
from assaymark.server.problem import forbidden
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work import simulate
from assaymark.store import simulations
from assaymark.store.simulations import SimulationState

_READ, _WRITE = Permission.POLICIES_READ, Permission.POLICIES_WRITE
_ROWS = 50


def show_simulations(visit: Visit) -> Response:
    """The newest first."""
    _need_all(visit)
    key = asking.after(visit, (int,))
    with visit.service.database.read() as link:
        rows = simulations.page(link, before=key[0] if key else None, limit=_ROWS + 1)
    onward = asking.onward(visit, (rows[_ROWS - 1].id,) if len(rows) > _ROWS else None)
    return visit.page("policy-simulations.html", rows=rows[:_ROWS], onward=onward)


def show_simulation(visit: Visit) -> Response:
    """What it would have stopped, and what cannot be told."""
    _need_all(visit)
    number = visit.number("number")
    row = api.get_policy_simulation(_call(visit), number)
    key = asking.after(visit, (int,))
    teams = visit.who.teams_with(Permission.ASSESSMENTS_READ)
    with visit.service.database.read() as link:
        found = simulations.differing(link, number, teams, after=key[0] if key else 0, limit=_ROWS + 1)
    return visit.page(
        "policy-simulation.html",
        row=row,
        found=found[:_ROWS],
        onward=asking.onward(visit, (found[_ROWS - 1].id,) if len(found) > _ROWS else None),
        runs=row.state in (SimulationState.WAITING, SimulationState.RUNNING),
        may_write=visit.who.may(_WRITE, None),
    )


def start(visit: Visit) -> Response:
    """Let a version be simulated; or, without one, what is in force."""
    form = visit.form
    name, version = form.get("name", ""), form.get("version", "")
    most = form.get("most", "")
    number = int(most) if most.isascii() and most.isdecimal() and len(most) < 10 else 500
    asked = (Version(name, version),) if name else ()
    documents = (form["document"].replace("\r\n", "\n"),) if form.get("document") else ()
    row = api.simulate_policies(_call(visit), Wanted(asked, documents, min(number, simulate.MOST)))
    return RedirectResponse(f"/policies/simulations/{row.id}", 303)


def stop(visit: Visit) -> Response:
    """Cancel it."""
    number = visit.number("number")
    api.cancel_policy_simulation(_call(visit), number)
    return RedirectResponse(f"/policies/simulations/{number}", 303)


def _need_all(visit: Visit) -> None:
    """A simulation looks at everybody's verdicts: its sums are for those who may see all."""
    if not visit.who.may(_READ, None):
        raise forbidden(_READ)


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


SCREENS = [
    Screen("GET", "/policies/simulations", show_simulations, _READ),
    Screen("POST", "/policies/simulations", start, _WRITE),
    Screen("GET", "/policies/simulations/{number}", show_simulation, _READ),
    Screen("POST", "/policies/simulations/{number}/cancel", stop, _WRITE),
]
