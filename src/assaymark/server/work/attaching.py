"""Lays what was endorsed beside its image, in the image's own registry, where a connection says so (its option ``attach``).

Guarantees: the job is put in the transaction that endorsed; a registry that does not answer is tried again for hours, and holds nothing
up; attaching twice attaches once, so a job that was killed half-way just runs again; requests go through `outgoing.client`, with the
credential of a connection of the endorsement's own team. What became of it is in the trail. Nothing is taken away from a registry, whatever
is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.places import access, dot_att, oci
from assaymark.endorsement.places.door import Ask, Said, Send
from assaymark.endorsement.places.reference import Reference, is_reference, reference
from assaymark.endorsement.places.registry import Registry
from assaymark.errors import AssayError, SubjectUnreadable, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import TeamId
from assaymark.model.digest import Digest
from assaymark.server import keyring
from assaymark.server.outgoing import client
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import endorsements, trail
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.tables import connection as connections
from assaymark.store.trail import Action

KIND = "attach-endorsement"
_SECONDS = 120
_ATTEMPTS = 20
"""With pauses that double up to ten minutes, for about two hours."""


class _Options(Struct, frozen=True):
    """Of a connection, as far as it matters here."""

    attach: bool = False
    attest: bool = False
    username: str = ""
    registry: str = ""


class _Door(Struct, frozen=True):
    """Into a registry that wants endorsements."""

    image: Reference
    options: _Options
    connection: int


def attach_later(service: Service, link: sa.Connection, team: TeamId | None, resource: str, name: Digest) -> bool:
    """Within the caller's transaction, of an endorsement that it writes down; whether there is a registry that wants it."""
    if not is_reference(resource) or _door(link, team, resource) is None:
        return False
    service.queue.put(
        link,
        Job(
            KIND, {"endorsement": name}, key=f"attach:{name}", lock=f"attach:{resource}", priority=Priority.FEEDBACK, seconds=_SECONDS,
            most_attempts=_ATTEMPTS,
        ),
    )  # fmt: skip
    return True


def attach(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Handler: attach one endorsement (argument: ``endorsement``, the digest of its statement).

    Raises:
        SubjectUnreadable: when the registry does not answer; the queue tries again.
    """
    with service.database.read() as link:
        row = endorsements.by_name(link, str(arguments["endorsement"]), service.now())
        door = _door(link, row.team, row.resource) if row is not None else None
        credential = _credential(service, link, door) if door is not None else ""
    if row is None or door is None or attempt.should_stop():
        return
    try:
        with client(service.settings, seconds=_SECONDS / 2) as http:
            registry = Registry(through(http), door.image, credential, actions=access.PUSH)
            places = put(registry, service.blobs.get(row.bundle), attest=door.options.attest)
    except AssayError as error:
        if isinstance(error, UsageError) or attempt.is_last:
            _note(service, row, "refused", {"connection": str(door.connection), "why": error.diagnosis()[:500]})
        if isinstance(error, UsageError):
            return  # trying again cannot help
        raise
    _note(service, row, "success", {"connection": str(door.connection), "places": " ".join(places)[:2000]})


def put(registry: Registry, data: bytes, *, attest: bool) -> tuple[str, ...]:
    """Attach it everywhere in this repository; gives digests of the attachments, and tags of cosign's older form where that is wanted."""
    done = oci.attach_everywhere(registry, data)
    subjects = dict.fromkeys(each.subject for each in done)
    return (*(each.digest for each in done), *(dot_att.attest(registry, each, data) for each in subjects if attest))


def through(http: httpx2.Client) -> Send:
    """The door to HTTP, by the server's own guarded client."""

    def send(ask: Ask) -> Said:
        request = http.build_request(ask.method, ask.url, headers=ask.headers, content=ask.body or None)
        try:
            answer = http.send(request, stream=True)
            try:
                body = bytearray()
                for chunk in answer.iter_raw():
                    body += chunk
                    if len(body) > ask.most:
                        raise SubjectUnreadable(f"{request.url.host} answered with too much", why=f"more than {ask.most} bytes")
            finally:
                answer.close()
        except httpx2.HTTPError as error:
            raise SubjectUnreadable(
                f"{request.url.host} cannot be reached", why=type(error).__name__, advice="it is tried again"
            ) from error
        return Said(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))

    return send


def _door(link: sa.Connection, team: TeamId | None, resource: str) -> _Door | None:
    """The first connection of the same team to the resource's registry that wants endorsements.

    Never raises: nobody's endorsement fails for it.
    """
    try:
        image = reference(resource)
    except UsageError:  # another kind of name than registries have
        return None
    asked = sa.select(connections).where(connections.c.ended_at.is_(None), connections.c.team.is_not_distinct_from(team))
    for row in link.execute(asked.order_by(connections.c.id)):
        options = msgspec.json.decode(row.options or "{}", type=_Options)
        site = urlsplit(row.web_url if row.kind == "registry" else options.registry)
        if options.attach and site.netloc == image.host:
            return _Door(Reference(image.host, image.name, plain=site.scheme == "http"), options, row.id)
    return None


def _credential(service: Service, link: sa.Connection, door: _Door) -> str:
    sealed = keyring.token(service, link, door.connection)
    secret = sealed.value.decode() if sealed is not None else ""
    return secret if ":" in secret or not secret else f"{door.options.username or 'token'}:{secret}"


def _note(service: Service, row: EndorsementRow, outcome: str, details: dict[str, str]) -> None:
    with service.database.write() as link:
        told = Action(service.now(), "server", "endorsement.attached", outcome, None, "endorsement", row.digest, row.team, "", details)
        trail.record(link, told)
