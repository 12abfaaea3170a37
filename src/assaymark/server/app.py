"""The ASGI application, put together in one place."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from assaymark.server import trust_files
from assaymark.server.api import (
    admission,
    advisories,
    approvals,
    approved,
    approved_waivers,
    assessments,
    bills,
    channels,
    comments,
    connections,
    decisions,
    deployments,
    digests,
    drifts,
    endorsements,
    environments,
    events,
    evidence,
    figures,
    findings,
    imports,
    issued,
    items,
    jobs,
    layer,
    log,
    meta,
    migrations,
    oidc,
    outside,
    passkeys,
    people,
    phoenix,
    policies,
    policy_simulations,
    policy_sources,
    promotions,
    providers,
    queue,
    reports,
    repositories,
    revocations,
    search,
    security_txt,
    sessions,
    subjects,
    teams,
    tokens,
    trace,
    trail,
    triage,
    triggers,
    trust,
    verdicts,
    vex,
    views,
    wishes,
)
from assaymark.server.api.limits import Limits, Rate
from assaymark.server.api.openapi import Description
from assaymark.server.api.route import Operation
from assaymark.server.middleware import Guard, refuse
from assaymark.server.people.identify import identify as known
from assaymark.server.people.outer import Outer
from assaymark.server.service import Service
from assaymark.server.watching import Watcher
from assaymark.server.web.screens import lost_page, page_routes
from assaymark.server.webhooks import admission as gates
from assaymark.server.webhooks import endpoint as webhooks

ROUTERS = (
    meta.router,
    admission.router,
    advisories.router,
    approvals.router,
    approved.router,
    approved_waivers.router,
    assessments.router,
    bills.router,
    channels.router,
    comments.router,
    connections.router,
    decisions.router,
    deployments.router,
    digests.router,
    drifts.router,
    endorsements.router,
    environments.router,
    events.router,
    evidence.router,
    figures.router,
    findings.router,
    imports.router,
    issued.router,
    items.router,
    jobs.router,
    log.router,
    migrations.router,
    oidc.router,
    outside.router,
    passkeys.router,
    people.router,
    phoenix.router,
    policies.router,
    policy_simulations.router,
    policy_sources.router,
    promotions.router,
    providers.router,
    queue.router,
    reports.router,
    repositories.router,
    revocations.router,
    search.router,
    security_txt.router,
    sessions.router,
    subjects.router,
    teams.router,
    tokens.router,
    trace.router,
    trail.router,
    triage.router,
    triggers.router,
    trust.router,
    verdicts.router,
    vex.router,
    views.router,
    wishes.router,
)


def operations() -> list[Operation]:
    """Every operation of the API."""
    return [operation for router in ROUTERS for operation in router.operations]


def make_app(service: Service, *, identify: layer.Identify = known, offered: list[Operation] | None = None) -> Starlette:
    """The application over a service; with other operations than all where a test offers its own."""
    settings = service.settings
    limits = Limits(Rate(settings.rate), Rate(settings.public_rate), service.now)
    served = operations() if offered is None else offered
    front = layer.Front(service, identify, limits)
    app = Starlette(
        routes=[
            *layer.routes(front, served),
            *gates.routes(service),
            *webhooks.routes(service),
            *trust_files.routes(service),
            *page_routes(service, identify),
        ],
        middleware=[Middleware(Guard, service=service), Middleware(Outer, service=service)],
        exception_handlers=refuse(service, lost_page(service, identify)),
    )
    app.state.limits = limits
    app.state.description = Description(served)
    app.state.identify = identify
    app.state.watcher = Watcher(service.database)  # `server.api.events` asks it
    app.router.redirect_slashes = False  # a redirect would be made of the request's own words
    return app
