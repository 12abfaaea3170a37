"""Connections with forges, registries and git servers. A secret that the server made is shown once, on the page that answers its making."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import connections as api
from assaymark.server.connecting import Options
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, number_in, number_or_none, status_of, words_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams
from assaymark.store.connections import KINDS
from assaymark.store.teams import TeamRow

_MOST_TEAMS = 200


def show_connections(visit: Visit) -> Response:
    """In the order in which they were made."""
    return _connections(visit, None)


def _connections(visit: Visit, error: Exception | None, secret: api.Secret | None = None) -> Response:
    page = api.list_connections(call_of(visit), visit.request.query_params.get("after"))
    return visit.page(
        "settings/connections.html",
        status=status_of(error),
        rows=page.items,
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        may_make=visit.who.may_somewhere(Permission.CONNECTIONS_WRITE),
        may_everywhere=visit.who.may(Permission.CONNECTIONS_WRITE, None),
        teams=_writable(visit),
        kinds=KINDS,
        form=visit.form,
        secret=secret,
        error=error,
    )


def connect(visit: Visit) -> Response:
    """A new one; what has to be entered at the forge is shown this once."""
    form = visit.form
    try:
        options = Options(
            groups=words_in(form, "groups"),
            username=form.get("username", ""),
            known_hosts=form.get("known_hosts", ""),
            attach="attach" in form,
        )
        wish = api.NewConnection(
            form.get("kind", ""),
            form.get("name", ""),
            form.get("web_url", "").strip(),
            form.get("api_url", "").strip(),
            form.get("token", "").strip(),
            team=number_or_none(form, "team"),
            options=options,
        )
        secret = api.create_connection(call_of(visit), wish)
    except (ApiError, AssayError) as error:
        return _connections(visit, error)
    return _connections(visit, None, secret)


def show_connection(visit: Visit) -> Response:
    """One, with what came by it."""
    return _connection(visit, None)


def _connection(visit: Visit, error: Exception | None, *, secret: api.Secret | None = None, tried: api.Tested | None = None) -> Response:
    call, number = call_of(visit), visit.number("number")
    found = api.get_connection(call, number)
    return visit.page(
        "settings/connection.html",
        status=status_of(error),
        connection=found,
        deliveries=api.list_deliveries(call, number).items,
        may_write=visit.who.may(Permission.CONNECTIONS_WRITE, found.team),
        secret=secret,
        tried=tried,
        error=error,
    )


def change_connection(visit: Visit) -> Response:
    """One of the things that the page offers."""
    form, call, number = visit.form, call_of(visit), visit.number("number")
    here = f"/settings/connections/{number}"
    match form.get("do", ""):
        case "test":
            return _answering(visit, lambda: _connection(visit, None, tried=api.try_connection(call, number)))
        case "rotate":
            wish = api.Rotation(overlap_seconds=number_in(form, "hours") * 3600)
            return _answering(visit, lambda: _connection(visit, None, secret=api.rotate_secret(call, number, wish)))
        case "discover":
            return acted(visit, _connection, lambda: api.discover_repositories(call, number), here)
        case "token":
            change = api.ConnectionChange(token=form.get("token", "").strip())
            return acted(visit, _connection, lambda: api.change_connection(call, number, change), here)
        case "rename":
            change = api.ConnectionChange(name=form.get("name", ""))
            return acted(visit, _connection, lambda: api.change_connection(call, number, change), here)
        case "end":
            api.end_connection(call, number)
            return RedirectResponse("/settings/connections", 303)
        case _:
            raise invalid("nothing was chosen", "press one of the buttons")


def _answering(visit: Visit, show: Callable[[], Response]) -> Response:
    try:
        return show()
    except (ApiError, AssayError) as error:
        if isinstance(error, ApiError) and error.status == 404:
            raise
        return _connection(visit, error)


def _writable(visit: Visit) -> list[TeamRow]:
    allowed = visit.who.teams_with(Permission.CONNECTIONS_WRITE)
    with visit.service.database.read() as link:
        return teams.page(link, after="", limit=_MOST_TEAMS, teams=allowed)


SCREENS = [
    Screen("GET", "/settings/connections", show_connections, Permission.CONNECTIONS_READ),
    Screen("POST", "/settings/connections", connect, Permission.CONNECTIONS_WRITE),
    Screen("GET", "/settings/connections/{number}", show_connection, Permission.CONNECTIONS_READ),
    Screen("POST", "/settings/connections/{number}", change_connection, Permission.CONNECTIONS_WRITE),
]
