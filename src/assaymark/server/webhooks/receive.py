"""One delivery, from raw bytes to queued work, in one transaction.

Guarantees: what is not signed with a secret of this very connection is not parsed; a delivery that was taken in once is answered and not
taken in again, however often and however many at a time it comes; one that was refused may be sent again. What a delivery names must be at
the connection's own host, so that who knows a webhook's secret cannot send the server, and the token with it, to another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND
from assaymark.model.trigger import SubjectKind, Trigger
from assaymark.server import keyring
from assaymark.server.problem import ApiError, not_found
from assaymark.server.service import Service
from assaymark.server.work import wishing
from assaymark.server.work.intake import Source, accept
from assaymark.store import connections
from assaymark.store.connections import ConnectionRow
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import delivery as table
from assaymark.triggers.webhooks.delivery import Delivery, Message, PayloadInvalid, SignatureWrong, text
from assaymark.triggers.webhooks.kinds import READERS

_REFUSED = "refused"
_ALSO = {"github.com": "ghcr.io", "hub.docker.com": "docker.io"}
"""Where the images of a forge are, when that is another host."""
_log = structlog.get_logger("assaymark.webhooks")


class Receipt(Struct, frozen=True):
    """What the sender is told."""

    delivery: str
    outcome: str
    """``accepted``, ``ignored: why``, ``refused: why``, or ``repeated``."""
    assessments: tuple[int, ...] = ()

    @property
    def status(self) -> int:
        """Of HTTP."""
        return {"repeated": 200, _REFUSED: 400}.get(self.outcome.partition(":")[0], 202)


class Request(Struct, frozen=True):
    """A delivery as it came."""

    kind: str
    connection: int
    headers: Mapping[str, str]
    body: bytes
    key: str = ""


def receive(service: Service, request: Request) -> Receipt:
    """Take a delivery in.

    Raises:
        ApiError: 404 for a connection that is not there, 401 for a wrong signature, 400 for what cannot be read.
    """
    with service.database.read() as link:
        connection = connections.get(link, request.connection)
        if connection is None or connection.ended_at is not None or connection.kind != request.kind or request.kind not in READERS:
            raise not_found("this connection")
        held = keyring.webhook_secrets(service, link, request.connection)
    delivery = _read(service, connection, request, held)
    with service.database.write() as link:
        receipt = take(service, link, connection, delivery, request.body)
    _log.info(
        "delivery.received", connection=connection.id, delivery=delivery.id, event_name=delivery.event, outcome=receipt.outcome,
        assessments=receipt.assessments,
    )  # fmt: skip
    return receipt


def _read(service: Service, connection: ConnectionRow, request: Request, held: tuple[Secret, ...]) -> Delivery:
    home = connection.web_url.rstrip("/")
    message = Message(request.headers, request.body, held, home, service.now() // SECOND, request.key)
    try:
        return READERS[request.kind](message)
    except SignatureWrong as error:
        _log.warning("delivery.unsigned", connection=connection.id, what=error.what)
        raise ApiError(401, "signature", error.what, detail=error.why, advice=error.advice) from error
    except PayloadInvalid as error:
        _log.warning("delivery.unreadable", connection=connection.id, what=error.what, why=error.why)
        raise ApiError(400, "payload", error.what, detail=error.why, advice=error.advice) from error


def take(service: Service, link: sa.Connection, connection: ConnectionRow, delivery: Delivery, body: bytes) -> Receipt:
    """Take in what was verified, within the caller's transaction."""
    number = _first_time(service, link, connection, delivery, body)
    if number is None:
        return Receipt(delivery.id, "repeated")
    source = Source(connection_id=connection.id, delivery_id=number, team=connection.team)
    taken: list[int] = []
    refused = ""
    # Two deliveries that name the same things in another order would wait for each other.
    for trigger in sorted(delivery.triggers, key=lambda each: each.ref):
        try:
            with link.begin_nested():
                _need_own(connection, trigger)
                taken += [int(each) for each in accept(service, link, trigger, source=source)]
        except UsageError as error:
            refused = refused or f"{_REFUSED}: {error.what}"
    for wish in delivery.wishes:
        wishing.put(service, link, connection.id, wish)
    outcome = refused if refused and not taken else "accepted" if delivery.triggers or delivery.wishes else f"ignored: {delivery.why}"
    link.execute(table.update().where(table.c.id == number).values(outcome=text(outcome)))
    return Receipt(delivery.id, outcome, tuple(taken))


def _first_time(service: Service, link: sa.Connection, connection: ConnectionRow, delivery: Delivery, body: bytes) -> int | None:
    """The row of a delivery that is to be taken in; None when it was."""
    row = {
        "connection": connection.id,
        "delivery": delivery.id,
        "event": delivery.event,
        "digest": f"sha256:{hashlib.sha256(body).hexdigest()}",
        "received_at": service.now(),
        "outcome": "",
    }
    made = insert_new(link, table, row, "connection", "delivery")
    if made is not None:
        return made
    same = table.c.connection == connection.id, table.c.delivery == delivery.id, table.c.outcome.startswith(_REFUSED)
    return link.execute(sa.select(table.c.id).where(*same).with_for_update()).scalar()


def _need_own(connection: ConnectionRow, trigger: Trigger) -> None:
    if trigger.repository:
        need_home(connection, trigger.repository.clone_url)
    if "head_clone_url" in trigger.details:
        need_home(connection, trigger.details["head_clone_url"])
    is_image = trigger.subject_kind is SubjectKind.IMAGE
    if is_image and connection.web_url and trigger.ref.partition("/")[0] not in _hosts(connection):
        raise UsageError(f"{text(trigger.ref, 200)} is not at {connection.web_url}")


def need_home(connection: ConnectionRow, url: str) -> None:
    """An address is at the connection's own host.

    Raises:
        UsageError: when it is not; a connection without an address has no host to be elsewhere from.
    """
    if not connection.web_url:
        return
    parts = urlsplit(url if "://" in url else f"ssh://{url.replace(':', '/', 1)}")
    place = parts.netloc.rpartition("@")[2].lower() if parts.scheme in ("http", "https") else (parts.hostname or "").lower()
    if place not in _hosts(connection):
        raise UsageError(f"{text(url, 200)} is not at {connection.web_url}", advice="name its host in the connection's options.hosts")


def _hosts(connection: ConnectionRow) -> set[str]:
    """Hosts, and hosts with ports, that belong to a connection."""
    parts = [urlsplit(url) for url in (connection.web_url, connection.api_url) if url]
    own = {each.netloc.lower() for each in parts} | {(each.hostname or "") for each in parts}
    return own | {_ALSO[host] for host in own if host in _ALSO} | {str(host).lower() for host in connection.options.get("hosts", [])}
