"""One's own account: name, password, passkeys, sessions, tokens. A token is shown once, on the page that answers its making."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import oidc, passkeys, sessions, tokens
from assaymark.server.api import people as api
from assaymark.server.people import passkey
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, number_in, number_or_none, status_of
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import people, teams

_MOST_TEAMS = 200


def show_profile(visit: Visit) -> Response:
    """Everything of one's own."""
    return _profile(visit, None)


def _profile(visit: Visit, error: Exception | None, made: str = "") -> Response:
    call, who = call_of(visit), visit.who
    listed = tokens.list_tokens(call, after=visit.request.query_params.get("after"))
    with visit.service.database.read() as link:
        row = people.get(link, who.person)
        has_password = people.password_of(link, who.person) is not None
        mine = [grant.team for grant in who.grants]
        of = None if None in mine else frozenset(team for team in mine if team is not None)
        held = teams.page(link, after="", limit=_MOST_TEAMS, teams=of)
    return visit.page(
        "settings/profile.html",
        status=status_of(error),
        person=row,
        has_password=has_password,
        passkeys=passkeys.list_passkeys(call),
        passkeys_possible=passkey.are_possible(visit.service.settings),
        identities=oidc.list_identities(call),
        sessions=sessions.list_sessions(call),
        tokens=listed.items,
        onward=asking.address(visit, {"after": listed.next}) if listed.next else None,
        scopes=[each.value for each in Permission if who.may_somewhere(each)],
        grants=who.grants,
        teams=held,
        names={team.id: team.name for team in held},
        form=visit.form,
        made=made,
        error=error,
    )


def change_profile(visit: Visit) -> Response:
    """One of the things that the page offers."""
    form, call = visit.form, call_of(visit)
    if form.get("do") == "token":
        return _make_token(visit)
    actions = {
        "describe": lambda: api.change_person(call, visit.who.person, api.PersonChange(form.get("name"), form.get("email"))),
        "password": lambda: sessions.change_password(call, sessions.PasswordChange(form.get("present", ""), form.get("new", ""))),
        "remove-passkey": lambda: passkeys.remove_passkey(call, number_in(form, "passkey")),
        "end-session": lambda: sessions.end_session(call, number_in(form, "session")),
        "revoke": lambda: tokens.revoke_token(call, number_in(form, "token")),
        "unlink": lambda: oidc.unlink_identity(call, number_in(form, "identity")),
    }
    if form.get("do") == "end-sessions":
        sessions.end_sessions(call)
        return RedirectResponse("/sign-in", 303)
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _profile, actions[form["do"]], "/settings/profile")


def _make_token(visit: Visit) -> Response:
    form = visit.form
    try:
        scopes = tuple(each for each in Permission if f"scope {each.value}" in form)
        wish = tokens.TokenWish(form.get("name", ""), scopes, number_in(form, "days"), number_or_none(form, "team"))
        made = tokens.create_token(call_of(visit), wish)
    except (ApiError, AssayError) as error:
        return _profile(visit, error)
    return _profile(visit, None, made.token)


SCREENS = [
    Screen("GET", "/settings/profile", show_profile, None),
    Screen("POST", "/settings/profile", change_profile, None),
]
