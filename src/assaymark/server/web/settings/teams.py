"""Teams and their members."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission, Role
from assaymark.server.api import teams as api
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, chosen, number_in, status_of
from assaymark.server.web.screen import Screen, Visit


def show_teams(visit: Visit) -> Response:
    """By their slugs."""
    return _teams(visit, None)


def _teams(visit: Visit, error: Exception | None) -> Response:
    page = api.list_teams(call_of(visit), visit.request.query_params.get("after"))
    onward = asking.address(visit, {"after": page.next}) if page.next else None
    may_make = visit.who.may(Permission.PEOPLE_WRITE, None)
    status = status_of(error)
    return visit.page("settings/teams.html", status=status, rows=page.items, onward=onward, may_make=may_make, form=visit.form, error=error)


def make_team(visit: Visit) -> Response:
    """A new one."""
    form, call = visit.form, call_of(visit)
    return acted(visit, _teams, lambda: api.create_team(call, api.NewTeam(form.get("slug", ""), form.get("name", ""))), "/settings/teams")


def show_team(visit: Visit) -> Response:
    """One team with its members."""
    return _team(visit, None)


def _team(visit: Visit, error: Exception | None) -> Response:
    call, number = call_of(visit), visit.number("number")
    team = api.get_team(call, number)
    may_see = visit.who.may(Permission.PEOPLE_READ, team.id)
    page = api.list_memberships(call, number, visit.request.query_params.get("after")) if may_see else None
    return visit.page(
        "settings/team.html",
        status=status_of(error),
        team=team,
        members=page.items if page else None,
        onward=asking.address(visit, {"after": page.next}) if page and page.next else None,
        may_write=visit.who.may(Permission.PEOPLE_WRITE, team.id),
        roles=[each.value for each in Role],
        form=visit.form,
        error=error,
    )


def change_team(visit: Visit) -> Response:
    """Another name, a role given or taken."""
    form, call, number = visit.form, call_of(visit), visit.number("number")
    actions = {
        "rename": lambda: api.rename_team(call, number, api.TeamChange(form.get("name", ""))),
        "give": lambda: api.give_role(call, api.NewMembership(form.get("login", ""), chosen(form, "role", Role), number)),
        "take": lambda: api.take_role(call, number_in(form, "membership")),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _team, actions[form["do"]], f"/settings/teams/{number}")


SCREENS = [
    Screen("GET", "/settings/teams", show_teams, None),
    Screen("POST", "/settings/teams", make_team, Permission.PEOPLE_WRITE),
    Screen("GET", "/settings/teams/{number}", show_team, None),
    Screen("POST", "/settings/teams/{number}", change_team, Permission.PEOPLE_WRITE),
]
