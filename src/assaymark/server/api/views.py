"""Saved views: lists of findings with their filters, under names. One's own, those of a team, those of everybody."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, TeamId
from assaymark.server.api import rights, sieve
from assaymark.server.api.route import Call, Created, Nothing, Router
from assaymark.server.people import accounts
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.store import trail, views
from assaymark.store.trail import Action
from assaymark.store.views import Audience, Draft, ViewRow

router = Router("views")
_READ = Permission.FINDINGS_READ


@router.add("GET", "/views", _READ)
def list_views(call: Call) -> tuple[ViewRow, ...]:
    """Your own, those of your teams, and those for everybody, by name."""
    with call.service.database.read() as connection:
        return tuple(views.seen_by(connection, call.who.person, call.who.teams_with(_READ)))


class NewView(Struct, frozen=True, forbid_unknown_fields=True):
    """A view to be kept."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    query: Annotated[str, Meta(max_length=sieve.LONGEST)]
    """Parameters of `GET /findings` that narrow the list, e.g. ``severity=critical&age=91-365``."""
    audience: Audience = Audience.OWN
    team: int | None = None
    """For `team`."""


@router.add("POST", "/views", _READ, status=201)
def save_view(call: Call, body: NewView) -> Created:
    """Keep a view. For a team it needs assessments:run there, for everybody findings:decide everywhere."""
    name = accounts.line(body.name, "name")
    if not name:
        raise invalid("`name` is empty", "name the view")
    if (body.audience is Audience.TEAM) != (body.team is not None):
        raise invalid("`team` goes with the audience `team`, and with no other")
    team = None if body.team is None else TeamId(body.team)
    if body.audience is Audience.TEAM:
        call.need(Permission.ASSESSMENTS_RUN, team)
    elif body.audience is Audience.ALL:
        call.need(Permission.FINDINGS_DECIDE, None)
    draft = Draft(name, sieve.read_query(body.query).query(), body.audience, team)
    with call.service.database.write() as connection:
        number = views.add(connection, call.who.person, draft, at=call.service.now())
        if number is None:
            raise conflict(f"you have {views.MOST} views", "remove one that you do not need")
        _note(call, connection, "view.saved", number, draft)
    return Created(number)


@router.add("DELETE", "/views/{view}", _READ, status=204)
def remove_view(call: Call, view: int) -> Nothing:
    """Forget a view: your own, or a shared one where you could have shared it."""
    with call.service.database.write() as connection:
        row = views.one(connection, view)
        if row is None or not _may_remove(call, row):
            raise not_found(f"view {view}")
        views.remove(connection, view)
        _note(call, connection, "view.removed", view, Draft(row.name, row.query, row.audience, row.team))
    return Nothing()


def _may_remove(call: Call, row: ViewRow) -> bool:
    if row.person == call.who.person:
        return True
    return row.audience is not Audience.OWN and call.who.may(Permission.FINDINGS_DECIDE, row.team)


def _note(call: Call, connection: sa.Connection, action: str, number: int, draft: Draft) -> None:
    """What others see is on the record."""
    if draft.audience is Audience.OWN:
        return
    by, details = rights.by(call), {"audience": draft.audience.value, "name": draft.name}
    done = Action(call.service.now(), by.actor, action, "success", by.person, "view", str(number), draft.team, by.origin, details)
    trail.record(connection, done)
