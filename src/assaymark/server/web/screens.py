"""Every page of the server."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from assaymark.server.service import Service
from assaymark.server.web import (
    approved,
    changes,
    channels,
    decisions,
    digest,
    endorsements,
    entrance,
    environments,
    find,
    finding,
    findings,
    issued,
    items,
    log,
    policies,
    posture,
    register,
    reports,
    revocations,
    settings,
    simulations,
    start,
    subjects,
    talk,
    trace,
)
from assaymark.server.web.layout import static
from assaymark.server.web.screen import Identify, Screen, nothing_here, routes


def screens() -> list[Screen]:
    """As data, for the router and for the tests of who may see what."""
    return [
        *approved.SCREENS,
        *changes.SCREENS,
        *channels.SCREENS,
        *decisions.SCREENS,
        *digest.SCREENS,
        *endorsements.SCREENS,
        *entrance.SCREENS,
        *environments.SCREENS,
        *find.SCREENS,
        *finding.SCREENS,
        *findings.SCREENS,
        *issued.SCREENS,
        *items.SCREENS,
        *log.SCREENS,
        *policies.SCREENS,
        *posture.SCREENS,
        *register.SCREENS,
        *reports.SCREENS,
        *revocations.SCREENS,
        *settings.SCREENS,
        *simulations.SCREENS,
        *start.SCREENS,
        *subjects.SCREENS,
        *talk.SCREENS,
        *trace.SCREENS,
    ]


def page_routes(service: Service, identify: Identify) -> list[BaseRoute]:
    """The routes of pages, and of the files that they load."""
    return [*routes(service, screens(), identify), Route("/static/{name}", static, methods=["GET"], name="static")]


def lost_page(service: Service, identify: Identify) -> Callable[[Request], Response]:
    """What a browser is shown at an address that is none."""
    return nothing_here(service, screens(), identify)
