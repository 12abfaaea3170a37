"""Serve until told to stop."""

from __future__ import annotations

import uvicorn

from assaymark.server.app import make_app
from assaymark.server.people.links import setup_link
from assaymark.server.service import Service
from assaymark.store.migrations.apply import migrate


def serve(service: Service) -> None:
    """Bring the schema up, then answer requests until SIGTERM or SIGINT; running requests are ended first."""
    migrate(service.database)
    settings = service.settings
    link = setup_link(service)
    if link is not None:
        print(f"Nobody is here yet. The first person comes in by this link, once, within a day:\n  {link}", flush=True)  # noqa: T201
    config = uvicorn.Config(
        make_app(service),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=64 << 10,
    )
    uvicorn.Server(config).run()
