"""New repositories of a group appear by themselves: handlers `discover-all` (by the clock) and `discover` (one connection).

Guarantees: what is found is registered once, by the forge's id, so that asking again changes nothing; what was ended by a person stays
ended; archived, empty and (unless asked for) forked repositories are left out. A repository that the group no longer has is left as it is:
a token that lost a right must not end what is looked after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import sqlalchemy as sa
import structlog

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.server.github_app import usable_token
from assaymark.server.outgoing import client
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.intake import Source
from assaymark.server.work.register import register
from assaymark.store import connections
from assaymark.store.connections import ConnectionRow
from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.discovery.walk import Answer, Ask, Found, walk

_log = structlog.get_logger("assaymark.discovery")
_BATCH = 50
_MOST_CONNECTIONS = 10_000


def discover_all(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:  # noqa: ARG001 - a handler
    """Put one job for each connection that has groups."""
    with service.database.write() as link:
        for connection in connections.page(link, None, after=0, limit=_MOST_CONNECTIONS):
            if connection.options.get("groups") and connection.kind in LISTINGS:
                service.queue.put(link, job_for(connection.id))


def job_for(connection: int, priority: int = Priority.SCHEDULE) -> Job:
    """Discovery of one connection; while one waits, another is not added."""
    lock = f"discover:{connection}"
    return Job(kind="discover", arguments={"connection": connection}, key=lock, lock=lock, priority=priority, seconds=1800)


def discover(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """List the groups of a connection and register what is new.

    Raises:
        SubjectUnreadable: when a list cannot be read to its end; what came before it is registered.
    """
    with client(service.settings) as web:
        discover_by(service, int(arguments["connection"]), _asking(web), attempt.should_stop)


def discover_by(service: Service, number: int, ask: Ask, should_stop: Callable[[], bool]) -> int:
    """The same through any way of asking; gives how many were registered."""
    with service.database.read() as link:
        connection = connections.get(link, number)
    if connection is None or connection.ended_at is not None or connection.kind not in LISTINGS:
        return 0
    secret = usable_token(service, number)
    token = secret.value.decode() if secret else ""
    made = 0
    for group in connection.options.get("groups", []):
        batch: list[Found] = []
        for found in walk(LISTINGS[connection.kind], connection.api_url, group, token=token, ask=ask):
            if should_stop():
                return made
            if found.archived or found.empty or (found.fork and not connection.options.get("forks", False)):
                continue
            batch.append(found)
            if len(batch) == _BATCH:
                made += _register(service, connection, batch)
                batch = []
        made += _register(service, connection, batch)
    _log.info("discovery.done", connection=connection.id, registered=made)
    return made


def _register(service: Service, connection: ConnectionRow, batch: list[Found]) -> int:
    made = 0
    source = Source(connection_id=connection.id, team=connection.team, priority=Priority.SCHEDULE, cause="discovery")
    with service.database.write() as link:
        for found in batch:
            made += _one(service, link, found, source)
    return made


def _one(service: Service, link: sa.Connection, found: Found, source: Source) -> bool:
    try:
        with link.begin_nested():
            return register(service, link, found.remote, source).new
    except UsageError as error:
        _log.warning("discovery.refused", repository=found.remote.name[:200], what=error.what)
        return False


def _asking(web: httpx2.Client) -> Ask:
    def ask(url: str, headers: Mapping[str, str]) -> Answer:
        try:
            answer = web.get(url, headers=dict(headers))
        except httpx2.HTTPError as error:
            raise SubjectUnreadable("the forge does not answer", why=str(error)[:200], advice="try later") from error
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content)

    return ask
