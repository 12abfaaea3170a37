"""Repositories as those look after them who may: hand over, look again, end."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.server.api import repositories as api
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, number_or_none, status_of
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams

_MOST_TEAMS = 200


def show_kept_repositories(visit: Visit) -> Response:
    """In the order in which they came."""
    is_ended = visit.asked("ended") == "1"
    page = api.list_repositories(call_of(visit), ended=is_ended, after=visit.request.query_params.get("after"))
    onward = asking.address(visit, {"after": page.next}) if page.next else None
    return visit.page("settings/repositories.html", rows=page.items, onward=onward, is_ended=is_ended)


def show_repository(visit: Visit) -> Response:
    """One."""
    return _repository(visit, None)


def _repository(visit: Visit, error: Exception | None) -> Response:
    found = api.get_repository(call_of(visit), visit.number("number"))
    allowed = visit.who.teams_with(Permission.SUBJECTS_WRITE)
    with visit.service.database.read() as link:
        listed = teams.page(link, after="", limit=_MOST_TEAMS, teams=allowed)
    return visit.page(
        "settings/repository.html",
        status=status_of(error),
        repository=found,
        teams=listed,
        may_leave_out=allowed is None,
        may_write=visit.who.may(Permission.SUBJECTS_WRITE, found.team),
        error=error,
    )


def change_kept_repository(visit: Visit) -> Response:
    """One of the things that the page offers."""
    form, call, number = visit.form, call_of(visit), visit.number("number")
    actions = {
        "hand-over": lambda: api.change_repository(call, number, api.RepositoryChange(team=number_or_none(form, "team"))),
        "branch": lambda: api.change_repository(call, number, api.RepositoryChange(default_branch=form.get("default_branch", ""))),
        "poll": lambda: api.poll_repository(call, number),
        "end": lambda: api.stop_repository(call, number),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _repository, actions[form["do"]], f"/settings/repositories/{number}")


SCREENS = [
    Screen("GET", "/settings/repositories", show_kept_repositories, Permission.SUBJECTS_WRITE),
    Screen("GET", "/settings/repositories/{number}", show_repository, Permission.SUBJECTS_WRITE),
    Screen("POST", "/settings/repositories/{number}", change_kept_repository, Permission.SUBJECTS_WRITE),
]
