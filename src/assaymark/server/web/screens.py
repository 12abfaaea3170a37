"""Every page of the server."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from assaymark.server.service import Service
from assaymark.server.web import changes, decisions, entrance, find, register, standing, subjects, talk
from assaymark.server.web.layout import static
from assaymark.server.web.screen import Identify, Screen, Visit, routes


def show_start(_visit: Visit) -> Response:
    """The first page is what happened last."""
    return RedirectResponse("/changes", 303)


def screens() -> list[Screen]:
    """As data, for the router and for the tests of who may see what."""
    return [
        Screen("GET", "/", show_start, None),
        *entrance.SCREENS,
        *changes.SCREENS,
        *subjects.SCREENS,
        *standing.SCREENS,
        *decisions.SCREENS,
        *find.SCREENS,
        *register.SCREENS,
        *talk.SCREENS,
    ]


def page_routes(service: Service, identify: Identify) -> list[BaseRoute]:
    """The routes of pages, and of the files that they load."""
    return [*routes(service, screens(), identify), Route("/static/{name}", static, methods=["GET"], name="static")]
