"""What becomes of assessments, told while it happens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

import sqlalchemy as sa
from msgspec import Struct
from starlette.responses import Response

from assaymark.model.access import Permission, Principal
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import ApiError, not_found
from assaymark.server.stream import KIND, Event, EventStream, Script
from assaymark.server.watching import Listener, Told, Watcher
from assaymark.store import changes
from assaymark.store.changes import Change, Position
from assaymark.store.narrowing import Teams

router = Router("events")
_POSITION = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
_READ = Permission.ASSESSMENTS_READ


@router.add("GET", "/assessments/{assessment}/events", _READ, produces=KIND)
def watch_assessment(call: Call, assessment: int) -> Response:
    """How far one assessment is, until it has ended, as server-sent events.

    The event `state` comes first and whenever the state changes, `progress` at most once a second while it runs; the data of both is a
    Change. The stream ends after the last state; with `Last-Event-ID` of that state the answer is 204, so that a browser comes no more.
    """
    with call.service.database.read() as connection:
        found = changes.of(connection, [assessment])
    if not found or not call.who.may(_READ, found[0].team):
        raise not_found("this assessment")
    if found[0].is_over and call.request.headers.get("last-event-id") == _id_of(found[0]):
        return Response(status_code=204)
    watch = _One(found[0])
    script = Script(
        listener=Listener(call.who.person, assessment=assessment),
        begin=watch.begin,
        tell=watch.tell,
        is_over=lambda: watch.last.is_over,
        may_go_on=_check(call, lambda who: who.may(_READ, found[0].team)),
    )
    return EventStream(call.service, call.request.app.state.watcher, script)


@router.add("GET", "/events", _READ, produces=KIND)
def watch_all(call: Call) -> Response:
    """What becomes of all assessments that you may see, as server-sent events.

    The event `ready` comes first; then `state` for each that is queued, runs or has ended, with a Change as data. With `Last-Event-ID`
    those come first that began or ended since; `gap` says that there were too many of them, and that the lists are to be read again.
    """
    teams = call.who.teams_with(_READ)
    since = _position(call.request.headers.get("last-event-id"))
    script = Script(
        listener=Listener(call.who.person, teams=teams),
        begin=_since(since, teams),
        tell=lambda told: Event("state", _text(told.position), told.change),
        is_over=lambda: False,
        may_go_on=_check(call, lambda who: who.teams_with(_READ) == teams),
    )
    return EventStream(call.service, call.request.app.state.watcher, script)


class Ready(Struct, frozen=True):
    """From here on everything is told."""

    at: int


class _One:
    """What was said of one assessment."""

    def __init__(self, first: Change) -> None:
        self.last = first

    async def begin(self, watcher: Watcher, _position: Position) -> AsyncIterator[Event]:
        found = await watcher.read(lambda connection: changes.of(connection, [self.last.assessment]))
        self.last = found[0] if found else self.last
        yield Event("state", _id_of(self.last), self.last)

    def tell(self, told: Told) -> Event | None:
        before, self.last = self.last, told.change
        if told.change == before:
            return None
        name = "state" if told.change.state != before.state else "progress"
        return Event(name, _id_of(told.change), told.change)


def _since(since: Position | None, teams: Teams) -> Callable[[Watcher, Position], AsyncIterator[Event]]:
    async def begin(watcher: Watcher, position: Position) -> AsyncIterator[Event]:
        if since is not None:
            found = await watcher.read(lambda connection: _missed(connection, since))
            at = since
            for change in found[: changes.MOST]:
                at = at.after(change)
                if teams is None or change.team in teams:
                    yield Event("state", _text(at), change)
            if len(found) >= changes.MOST:
                yield Event("gap", _text(position), Ready(position.finished_at))
        yield Event("ready", _text(position), Ready(position.finished_at))

    return begin


def _missed(connection: sa.Connection, since: Position) -> list[Change]:
    found = {change.assessment: change for change in changes.begun(connection, since, is_exact=True)}
    found |= {change.assessment: change for change in changes.ended(connection, since, is_exact=True)}
    return sorted(found.values(), key=lambda change: (change.at, change.assessment))


def _check(call: Call, is_let: Callable[[Principal], bool]) -> Callable[[], bool]:
    """Whether the caller is still who he was, and may what he might."""

    def ask() -> bool:
        try:
            who = call.request.app.state.identify(call.service, call.request)
        except ApiError:
            return False
        return who is not None and is_let(who)

    return ask


def _position(text: str | None) -> Position | None:
    """Where a client was; None for what is no position, which is as if it came for the first time."""
    match = _POSITION.fullmatch(text or "")
    return None if match is None else Position(AssessmentId(int(match[1])), Instant(int(match[2])))


def _text(position: Position) -> str:
    return f"{position.id}.{position.finished_at}"


def _id_of(change: Change) -> str:
    return f"{change.state}.{change.told_at or change.at}"
