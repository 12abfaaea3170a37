"""Accounts: the list, inviting somebody, and one account with its roles, sessions and tokens."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission, Role
from assaymark.server.api import people as api
from assaymark.server.api import sessions, tokens
from assaymark.server.api import teams as teams_api
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, chosen, number_in, number_or_none, status_of
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams
from assaymark.store.teams import TeamRow

_MOST_TEAMS = 200


def show_people(visit: Visit) -> Response:
    """By their logins."""
    return _people(visit, None)


def _people(visit: Visit, error: Exception | None, link: str | None = None) -> Response:
    page = api.list_people(call_of(visit), visit.asked("begins"), visit.request.query_params.get("after"))
    return visit.page(
        "settings/people.html",
        status=status_of(error),
        rows=page.items,
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        begins=visit.asked("begins"),
        may_invite=visit.who.may_somewhere(Permission.PEOPLE_WRITE),
        teams=writable(visit),
        may_everywhere=visit.who.may(Permission.PEOPLE_WRITE, None),
        roles=[each.value for each in Role],
        form=visit.form,
        link=link,
        error=error,
    )


def invite(visit: Visit) -> Response:
    """Make an account; its link is shown this once."""
    form = visit.form
    try:
        role = (api.RoleWish(chosen(form, "role", Role), number_or_none(form, "team")),) if form.get("role") else ()
        wish = api.NewPerson(form.get("login", ""), form.get("name", ""), form.get("email", ""), role, invite="program" not in form)
        made = api.create_person(call_of(visit), wish)
    except (ApiError, AssayError) as error:
        return _people(visit, error)
    return _people(visit, None, made.link or "")


def show_person(visit: Visit) -> Response:
    """One account."""
    return _person(visit, None)


def _person(visit: Visit, error: Exception | None, link: str = "") -> Response:
    call, number = call_of(visit), visit.number("number")
    found = api.get_person(call, number)
    may_all = visit.who.may(Permission.PEOPLE_WRITE, None)
    with visit.service.database.read() as connection:
        names = {row.id: row.name for row in teams.page(connection, after="", limit=_MOST_TEAMS, teams=None)}
    return visit.page(
        "settings/person.html",
        status=status_of(error),
        person=found,
        names=names,
        roles=[each.value for each in Role],
        teams=writable(visit),
        may_give=visit.who.may_somewhere(Permission.PEOPLE_WRITE),
        may_all=may_all,
        sessions=sessions.list_sessions(call, number) if may_all else (),
        tokens=tokens.list_tokens(call, number).items if may_all else (),
        link=link,
        error=error,
    )


def change_person(visit: Visit) -> Response:
    """One of the things that the page offers."""
    form, call, number = visit.form, call_of(visit), visit.number("number")
    login = api.get_person(call, number).login
    if form.get("do") == "link":
        try:
            made = api.reset_person(call, number)
        except (ApiError, AssayError) as error:
            return _person(visit, error)
        return _person(visit, None, made.link or "")
    actions = {
        "give": lambda: teams_api.give_role(call, teams_api.NewMembership(login, chosen(form, "role", Role), number_or_none(form, "team"))),
        "take": lambda: teams_api.take_role(call, number_in(form, "membership")),
        "disable": lambda: api.disable_person(call, number),
        "enable": lambda: api.enable_person(call, number),
        "end": lambda: api.end_everything(call, number),
        "describe": lambda: api.change_person(call, number, api.PersonChange(form.get("name"), form.get("email"))),
        "revoke": lambda: tokens.revoke_token(call, number_in(form, "token")),
        "end-session": lambda: sessions.end_session(call, number_in(form, "session")),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _person, actions[form["do"]], f"/settings/people/{number}")


def writable(visit: Visit) -> list[TeamRow]:
    """Teams in which the visitor may give roles."""
    allowed = visit.who.teams_with(Permission.PEOPLE_WRITE)
    with visit.service.database.read() as connection:
        return teams.page(connection, after="", limit=_MOST_TEAMS, teams=allowed)


SCREENS = [
    Screen("GET", "/settings/people", show_people, Permission.PEOPLE_READ),
    Screen("POST", "/settings/people", invite, Permission.PEOPLE_WRITE),
    Screen("GET", "/settings/people/{number}", show_person, Permission.PEOPLE_READ),
    Screen("POST", "/settings/people/{number}", change_person, Permission.PEOPLE_WRITE),
]
