"""Gates of clusters: how each stands, what it refused or would have, what a cluster is given. A token is shown once, where it is made."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import admission as api
from assaymark.server.api.admission import GateToken, NamespaceOf
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, number_or_none, status_of, words_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams
from assaymark.store.teams import TeamRow

_READ, _WRITE = Permission.ENDORSEMENTS_READ, Permission.TRUST_WRITE
_ROOM = "/settings/gates"
_MOST_TEAMS = 200


def show_gates(visit: Visit) -> Response:
    """In the order in which they were made."""
    return _gates(visit, None)


def _gates(visit: Visit, error: Exception | None) -> Response:
    page = api.list_gates(call_of(visit), visit.request.query_params.get("after"))
    return visit.page(
        "settings/gates.html",
        status=status_of(error),
        rows=page.items,
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        may_make=visit.who.may_somewhere(_WRITE),
        may_everywhere=visit.who.may(_WRITE, None),
        teams=_writable(visit),
        form=visit.form,
        error=error,
    )


def _writable(visit: Visit) -> list[TeamRow]:
    with visit.service.database.read() as link:
        return list(teams.page(link, after="", limit=_MOST_TEAMS, teams=visit.who.teams_with(_WRITE)))


def make_gate(visit: Visit) -> Response:
    """A new one, which is only tried out; what the cluster is told is shown this once."""
    form = visit.form
    try:
        wish = api.NewGate(
            form.get("name", ""),
            form.get("environment", "").strip(),
            _namespaces(form),
            words_in(form, "exempt"),
            form.get("home", "").strip() or "assaymark",
            team=number_or_none(form, "team"),
        )
        made = api.create_gate(call_of(visit), wish)
    except (ApiError, AssayError) as error:
        return _gates(visit, error)
    return _gate(visit, made.id, token=made)


def show_gate(visit: Visit) -> Response:
    """One, with what it refused."""
    return _gate(visit, visit.number("number"))


def _gate(visit: Visit, number: int, error: Exception | None = None, token: GateToken | None = None) -> Response:
    call = call_of(visit)
    found = api.get_gate(call, number)
    page = api.list_refusals(call, number, visit.request.query_params.get("after"))
    return visit.page(
        "settings/gate.html",
        status=status_of(error),
        gate=found,
        namespaces="\n".join(f"{each.namespace} = {each.environment}" for each in found.namespaces),
        may_write=visit.who.may(_WRITE, found.team),
        rows=page.items,
        onward=f"{_ROOM}/{number}?after={page.next}" if page.next else None,
        token=token,
        error=error,
    )


def change_gate(visit: Visit) -> Response:
    """One of the things that the page offers."""
    form, call, number = visit.form, call_of(visit), visit.number("number")
    here = f"{_ROOM}/{number}"
    change = api.GateChange()
    match form.get("do", ""):
        case "enforce":
            change = api.GateChange(enforces=True)
        case "try":
            change = api.GateChange(enforces=False)
        case "obey":
            change = api.GateChange(obeys_break_glass=True)
        case "ignore":
            change = api.GateChange(obeys_break_glass=False)
        case "save":
            return acted(visit, _again(number), lambda: api.change_gate(call, number, _changed(form)), here)
        case "token":
            return _gate(visit, number, token=api.renew_gate_token(call, number))
        case "forget":
            api.forget_refusals(call, number)
            return RedirectResponse(here, 303)
        case "end":
            api.end_gate(call, number)
            return RedirectResponse(_ROOM, 303)
        case _:
            raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _again(number), lambda: api.change_gate(call, number, change), here)


class _again:  # noqa: N801 - reads like a function
    """The page of a gate, with why something was not done."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, visit: Visit, error: Exception | None) -> Response:
        return _gate(visit, self._number, error)


def _changed(form: Mapping[str, str]) -> api.GateChange:
    return api.GateChange(
        name=form.get("name", ""),
        environment=form.get("environment", "").strip(),
        namespaces=_namespaces(form),
        exempt=words_in(form, "exempt"),
        home=form.get("home", "").strip(),
    )


def _namespaces(form: Mapping[str, str]) -> tuple[NamespaceOf, ...]:
    """A line each: ``namespace = environment``.

    Raises:
        ApiError: 400 for a line that is none.
    """
    lines = [line.strip() for line in form.get("namespaces", "").splitlines() if line.strip()]
    pairs = [line.partition("=") for line in lines]
    wrong = next((line for line, pair in zip(lines, pairs, strict=True) if not pair[1] or not pair[0].strip()), "")
    if wrong:
        raise invalid(f"{wrong[:80]!r} says no environment", "write `namespace = environment`, a line each")
    return tuple(NamespaceOf(name.strip(), environment.strip()) for name, _, environment in pairs)


SCREENS = [
    Screen("GET", _ROOM, show_gates, _READ),
    Screen("POST", _ROOM, make_gate, _WRITE),
    Screen("GET", f"{_ROOM}/{{number}}", show_gate, _READ),
    Screen("POST", f"{_ROOM}/{{number}}", change_gate, _WRITE),
]
