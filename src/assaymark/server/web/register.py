"""Repositories: the list with what is wrong, and registering one by its address. The API's own call does the work."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import repositories as api
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import repositories, teams
from assaymark.store.teams import TeamRow

_MOST_TEAMS = 200
_ROWS = 50


def show_repositories(visit: Visit) -> Response:
    """In the order in which they came."""
    allowed = visit.who.teams_with(Permission.SUBJECTS_READ)
    key = asking.after(visit, (int,))
    with visit.service.database.read() as connection:
        rows = repositories.page(connection, allowed, after=key[0] if key else 0, limit=_ROWS + 1, conditions=(repositories.ALIVE,))
    onward = asking.onward(visit, (int(rows[_ROWS - 1].id),) if len(rows) > _ROWS else None)
    may_add = visit.who.may_somewhere(Permission.SUBJECTS_WRITE)
    return visit.page("repositories.html", rows=rows[:_ROWS], onward=onward, may_add=may_add)


def show_register(visit: Visit) -> Response:
    """The form."""
    return _form(visit, 200, None)


def register(visit: Visit) -> Response:
    """Look after it from now on."""
    form = visit.form
    team = form.get("team", "")
    number = int(team) if team.isascii() and team.isdecimal() and len(team) < 18 else None
    call = Call(visit.service, visit.request, visit.principal)
    try:
        done = api.register_repository(call, api.NewRepository(form.get("clone_url", "").strip(), team=number))
    except ApiError as error:
        return _form(visit, error.status, error)
    except AssayError as error:
        return _form(visit, 400, error)
    return RedirectResponse(f"/changes/{done.assessments[0]}" if done.assessments else "/repositories", 303)


def _form(visit: Visit, status: int, error: Exception | None) -> Response:
    allowed = visit.who.teams_with(Permission.SUBJECTS_WRITE)
    with visit.service.database.read() as connection:
        listed: list[TeamRow] = teams.page(connection, after="", limit=_MOST_TEAMS, teams=allowed)
    return visit.page("register.html", status=status, error=error, form=visit.form, teams=listed, may_leave_out=allowed is None)


SCREENS = [
    Screen("GET", "/repositories", show_repositories, Permission.SUBJECTS_READ),
    Screen("GET", "/repositories/new", show_register, Permission.SUBJECTS_WRITE),
    Screen("POST", "/repositories/new", register, Permission.SUBJECTS_WRITE),
]
