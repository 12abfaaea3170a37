"""Serve until told to stop: requests in this process, work in processes of its own, the clock in a thread."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from assaymark.errors import UsageError
from assaymark.jobs.clock import Clock
from assaymark.jobs.job import Terms
from assaymark.jobs.open import open_queue, prepare
from assaymark.jobs.worker import Pace
from assaymark.server import supervisor
from assaymark.server.app import make_app
from assaymark.server.logs import set_up
from assaymark.server.people.links import setup_link
from assaymark.server.protocol import BoundedProtocol
from assaymark.server.service import Service
from assaymark.server.settings import Settings
from assaymark.server.work.schedules import defaults
from assaymark.server.work.wills import WILLS
from assaymark.store.migrations.apply import migrate

MOST_CONNECTIONS = 900
"""Below the 1024 files that a process may have open where nobody allowed more."""


def serve(service: Service) -> None:
    """Bring the schema up, then answer requests until SIGTERM or SIGINT; running requests are ended first, then the workers.

    Raises:
        UsageError: when the address to listen at is not to be had; then nothing else was begun.
    """
    set_up()
    door = _door(service.settings)
    migrate(service.database)
    prepare(service.database)
    settings = service.settings
    link = setup_link(service)
    if link is not None:
        print(f"Nobody is here yet. The first person comes in by this link, once, within a day:\n  {link}", flush=True)  # noqa: T201
    config = uvicorn.Config(
        make_app(service),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the guard believes configured proxies, and only those
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=10,
    )
    gc.collect()
    gc.freeze()  # what was loaded stays: to look through it again and again for garbage costs an answer a tenth of a second
    with _stoppable(), _clock(service), _workers(service):
        uvicorn.Server(config).run(sockets=[door])


def _door(settings: Settings) -> socket.socket:
    """The socket, taken before anything else: a second server at the same address must not make the first one's link useless."""
    door = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
    except OSError as error:
        if door is not None:
            door.close()
        raise UsageError(
            f"{settings.host}:{settings.port} cannot be listened at",
            why=error.strerror or str(error),
            advice="stop what listens there, or name another address with --listen",
        ) from error
    return door


@contextmanager
def _stoppable() -> Iterator[None]:
    """When it has ended, uvicorn sends itself the signal that ended it once more: what is to be stopped after it still has to be."""
    old = {number: signal.signal(number, _nothing) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _nothing(_signal: int, _frame: object) -> None:
    """It is being stopped already."""


@contextmanager
def _workers(service: Service) -> Iterator[None]:
    made = supervisor.here(service.settings)
    made.start()
    try:
        yield
    finally:
        made.stop()


@contextmanager
def _clock(service: Service) -> Iterator[None]:
    queue = open_queue(service.database, Terms(wills=WILLS))
    made = Clock(service.database, queue, service.now, defaults=defaults(), lease=Pace().lease)
    made.start()
    try:
        yield
    finally:
        made.stop()
