"""Channels: the list, a new one, and each with its log. The API's own calls do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.model.happening import HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.api import channels as api
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams
from assaymark.store.subscriptions import ChannelKind, SubscriptionState

_MOST_TEAMS, _ROWS = 200, 50
_OFFERED = tuple(kind for kind in HappeningKind if kind is not HappeningKind.CHANNEL_TESTED)


def show_channels(visit: Visit) -> Response:
    """In the order in which they were made."""
    found = api.list_channels(_call(visit), visit.request.query_params.get("after") or None, _ROWS)
    onward = None if found.next is None else asking.address(visit, {"after": found.next})
    return visit.page("channels.html", rows=found.items, onward=onward, may_add=visit.who.may_somewhere(Permission.CONNECTIONS_WRITE))


def show_new_channel(visit: Visit) -> Response:
    """The form."""
    return _form(visit, None, 200)


def create_channel(visit: Visit) -> Response:
    """Tell somebody from now on; shows the secret this once."""
    form = visit.form
    try:
        body = api.NewChannel(
            kind=_one(ChannelKind, form.get("kind", "")), name=form.get("name", ""), address=form.get("address", "").strip(),
            team=_number(form.get("team", "")), wants=chosen(form), ed25519="ed25519" in form,
        )  # fmt: skip
        made = api.create_channel(_call(visit), body)
    except (ApiError, AssayError) as error:
        return _form(visit, error, error.status if isinstance(error, ApiError) else 400)
    return _show(visit, made.id, made=made) if made.secret else RedirectResponse(f"/settings/channels/{made.id}", 303)


def show_channel(visit: Visit) -> Response:
    """One with its log."""
    return _show(visit, visit.number("channel"))


def change_channel(visit: Visit) -> Response:
    """What is told from now on."""
    form = visit.form
    address = form.get("address", "").strip()
    body = api.ChannelChange(name=form.get("name", ""), address=address or UNSET, wants=chosen(form))
    return _done(visit, lambda number: api.change_channel(_call(visit), number, body))


def pause_channel(visit: Visit) -> Response:
    """Tell nothing for a while."""
    return _done(visit, lambda number: api.change_channel(_call(visit), number, api.ChannelChange(state=SubscriptionState.PAUSED)))


def resume_channel(visit: Visit) -> Response:
    """Go on."""
    return _done(visit, lambda number: api.change_channel(_call(visit), number, api.ChannelChange(state=SubscriptionState.ACTIVE)))


def try_channel(visit: Visit) -> Response:
    """Send a message to this one alone."""
    return _done(visit, lambda number: api.test_channel(_call(visit), number))


def rotate_secret(visit: Visit) -> Response:
    """Another secret; shows it this once."""
    number = visit.number("channel")
    try:
        made = api.rotate_channel_secret(_call(visit), number, api.ChannelRotation())
    except (ApiError, AssayError) as error:
        return _show(visit, number, error=error, status=error.status if isinstance(error, ApiError) else 400)
    return _show(visit, number, made=made)


def replay_message(visit: Visit) -> Response:
    """Send it again."""
    message = visit.number("message")
    return _done(visit, lambda number: api.replay_message(_call(visit), number, message))


def end_channel(visit: Visit) -> Response:
    """Tell it nothing any more."""
    api.end_channel(_call(visit), visit.number("channel"))
    return RedirectResponse("/settings/channels", 303)


def _done(visit: Visit, do: Callable[[int], Any]) -> Response:
    number = visit.number("channel")
    try:
        do(number)
    except ApiError as error:
        if error.status == 404:
            raise
        return _show(visit, number, error=error, status=error.status)
    except AssayError as error:
        return _show(visit, number, error=error, status=400)
    return RedirectResponse(f"/settings/channels/{number}", 303)


def _show(
    visit: Visit, number: int, *, made: api.ChannelSecret | None = None, error: Exception | None = None, status: int = 200
) -> Response:
    call = _call(visit)
    view = api.get_channel(call, number)
    after = visit.request.query_params.get("after") or None
    found = api.list_messages(call, number, after if visit.request.method == "GET" else None, _ROWS)
    return visit.page(
        "channel.html",
        status=status,
        channel=view,
        made=made,
        error=error,
        log=found.items,
        onward=None if found.next is None else asking.address(visit, {"after": found.next}),
        may_change=visit.who.may(Permission.CONNECTIONS_WRITE, view.team),
        kinds=_OFFERED,
        weights=list(Severity),
    )


def _form(visit: Visit, error: Exception | None, status: int) -> Response:
    allowed = visit.who.teams_with(Permission.CONNECTIONS_WRITE)
    with visit.service.database.read() as link:
        listed = teams.page(link, after="", limit=_MOST_TEAMS, teams=allowed)
    return visit.page(
        "channel-new.html", status=status, error=error, form=visit.form, teams=listed, may_leave_out=allowed is None, kinds=_OFFERED,
        channel_kinds=list(ChannelKind), weights=list(Severity),
    )  # fmt: skip


def chosen(form: dict[str, str]) -> api.Filter:
    """What a form says of what is told."""
    severity = form.get("severity", "")
    kinds = tuple(kind for kind in _OFFERED if f"kind:{kind}" in form)
    return api.Filter(
        () if len(kinds) == len(_OFFERED) else kinds, _one(Severity, severity) if severity else None, form.get("subject", "")[:200]
    )


def _one(among: Any, text: str) -> Any:
    try:
        return among(text)
    except ValueError as error:
        raise invalid(f"{text[:50]!r} is none of {', '.join(among)}") from error


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


_READ, _WRITE = Permission.CONNECTIONS_READ, Permission.CONNECTIONS_WRITE
SCREENS = [
    Screen("GET", "/settings/channels", show_channels, _READ),
    Screen("GET", "/settings/channels/new", show_new_channel, _WRITE),
    Screen("POST", "/settings/channels/new", create_channel, _WRITE),
    Screen("GET", "/settings/channels/{channel}", show_channel, _READ),
    Screen("POST", "/settings/channels/{channel}", change_channel, _WRITE),
    Screen("POST", "/settings/channels/{channel}/pause", pause_channel, _WRITE),
    Screen("POST", "/settings/channels/{channel}/resume", resume_channel, _WRITE),
    Screen("POST", "/settings/channels/{channel}/test", try_channel, _WRITE),
    Screen("POST", "/settings/channels/{channel}/secret", rotate_secret, _WRITE),
    Screen("POST", "/settings/channels/{channel}/end", end_channel, _WRITE),
    Screen("POST", "/settings/channels/{channel}/messages/{message}/replay", replay_message, _WRITE),
]
