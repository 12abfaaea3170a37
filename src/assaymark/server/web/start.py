"""The first page: what each of the three readers asks first, without a click. Chosen by role; the other two are one link away."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.server import alarms, queue
from assaymark.server.queue import Reader, reader_of
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit

_NAMES = {Reader.DEVELOPER: "My work", Reader.MANAGER: "Security", Reader.STAKEHOLDER: "Standing"}


def show_start(visit: Visit) -> Response:
    """For the reader that was asked for, or that his roles make him."""
    who = visit.who
    reader = asking.choice(visit, "for", Reader) or reader_of(who)
    with visit.service.database.read() as connection:
        if reader is Reader.DEVELOPER:
            answer: object = queue.developer(connection, who, visit.service.now())
        elif reader is Reader.MANAGER:
            answer = queue.manager(connection, who, visit.service.now())
        else:
            answer = queue.stakeholder(connection, who, visit.service.now())
        loud = alarms.alarms(connection, who)
    tabs = [(each.value, name, each is reader) for each, name in _NAMES.items()]
    return visit.page(f"start-{reader.value}.html", tabs=tabs, queue=answer, loud=loud, now=visit.service.now(), rooms=visit.rooms)


def show_keys(visit: Visit) -> Response:
    """Which keys do what, and the switch that turns them off."""
    return visit.page("keys.html")


SCREENS = [
    Screen("GET", "/", show_start, None),
    Screen("GET", "/keys", show_keys, None),
]
