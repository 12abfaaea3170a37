"""Forges, registries and git servers that the server is connected with.

Guarantees: a token or secret that was entered is never given back, and a secret that the server made is shown once; whoever leads a
connection to another host enters its token anew, because it would be sent there; every change is in the trail, without what is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from assaymark.jobs.job import Priority
from assaymark.model.access import Permission, TeamId
from assaymark.server import keyring, trying
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of, viewed
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.connecting import Homes, Options, check_app, checked_name, checked_options, homes_of
from assaymark.server.github_app import forget_token
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work.discover import job_for
from assaymark.store import connections, trail
from assaymark.store.connections import ConnectionRow, DeliveryRow
from assaymark.store.trail import Action
from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.webhooks.kinds import READERS

router = Router("connections")
_MOST_OVERLAP = 30 * 86400
_LEAST_SECRET = 16


class ConnectionView(Struct, frozen=True):
    """A connection."""

    id: int
    kind: str
    name: str
    web_url: str
    api_url: str
    team: int | None
    options: Options
    created_at: int
    has_token: bool
    has_secret: bool
    previous_secret_until: int | None
    """Until when the webhook secret before the present one holds too."""
    webhook_url: str
    """Where the forge or registry delivers; empty for kinds that deliver nothing."""


class NewConnection(Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    """github, gitlab, gitea (also Forgejo), bitbucket (Cloud and Data Center), registry, git, ci, or jira (Cloud and Data Center)."""
    name: str
    web_url: str = ""
    """Where its pages are; known for github.com, gitlab.com and bitbucket.org."""
    api_url: str = ""
    """Made from `web_url` where it is left out."""
    token: str = ""
    """For its API and its repositories; for ssh a private key."""
    webhook_secret: str = ""
    """Made by the server where it is left out."""
    team: int | None = None
    """To which belongs what comes by it."""
    options: Options = Options()


class Secret(Struct, frozen=True):
    """What has to be entered at the forge."""

    id: int
    webhook_url: str
    webhook_secret: str = ""
    """Shown this once, and only if the server made it."""
    previous_secret_until: int | None = None


@router.add("GET", "/connections", Permission.CONNECTIONS_READ)
def list_connections(call: Call, after: str | None = None, limit: int = 50) -> Page[ConnectionView]:
    """Connections in the order in which they were made."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = connections.page(link, call.who.teams_with(Permission.CONNECTIONS_READ), after=start, limit=limit + 1)
    return viewed(rows, limit, lambda row: _view(call, row))


@router.add("GET", "/connections/{connection}", Permission.CONNECTIONS_READ)
def get_connection(call: Call, connection: int) -> ConnectionView:
    """One connection."""
    with call.service.database.read() as link:
        return _view(call, _visible(call, link, connection))


@router.add("POST", "/connections", Permission.CONNECTIONS_WRITE, status=201)
def create_connection(call: Call, body: NewConnection) -> Secret:
    """Connect a forge, a registry or a git server; answers what to enter there."""
    team = None if body.team is None else TeamId(body.team)
    call.need(Permission.CONNECTIONS_WRITE, team)
    homes = homes_of(body.kind, body.web_url, body.api_url)
    check_app(body.kind, body.options, body.token)
    secret = body.webhook_secret or keyring.new_secret()
    _need_secret(secret)
    values = {
        "kind": body.kind,
        "name": checked_name(body.name),
        "web_url": homes.web,
        "api_url": homes.api,
        "team": team,
        "options": msgspec.json.encode(checked_options(body.kind, body.options)).decode(),
        "created_at": call.service.now(),
    }
    with call.service.database.write() as link:
        number = _insert(link, values)
        if body.token:
            keyring.seal_token(call.service, link, number, body.token)
        if body.kind in READERS:
            keyring.renew_secret(call.service, link, number, secret)
        _note(call, link, "connection.created", _visible(call, link, number), {"kind": body.kind})
    return Secret(number, _webhook_url(call, body.kind, number), "" if body.webhook_secret or body.kind not in READERS else secret)


def _insert(link: sa.Connection, values: Mapping[str, Any]) -> int:
    if connections.named(link, str(values["name"])) is not None:
        raise conflict("there is a connection of this name", "choose another name")
    return connections.create(link, values)


class ConnectionChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: str | UnsetType = UNSET
    web_url: str | UnsetType = UNSET
    api_url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    """Empty: the connection has none any more."""
    team: int | UnsetType | None = UNSET
    """Of what comes from now on."""
    options: Options | UnsetType = UNSET


@router.add("PATCH", "/connections/{connection}", Permission.CONNECTIONS_WRITE)
def change_connection(call: Call, connection: int, body: ConnectionChange) -> ConnectionView:
    """Change a connection; with another host its token is forgotten unless it is entered anew."""
    with call.service.database.write() as link:
        row = _mine(call, link, connection)
        homes = homes_of(row.kind, _or(body.web_url, row.web_url), _or(body.api_url, "" if body.web_url is not UNSET else row.api_url))
        values: dict[str, Any] = {"web_url": homes.web, "api_url": homes.api}
        if body.name is not UNSET:
            values["name"] = checked_name(body.name)
            if connections.named(link, values["name"]) not in (None, row.id):
                raise conflict("there is a connection of this name", "choose another name")
        if body.team is not UNSET:
            values["team"] = None if body.team is None else TeamId(body.team)
            call.need(Permission.CONNECTIONS_WRITE, values["team"])
        if body.options is not UNSET:
            values["options"] = msgspec.json.encode(checked_options(row.kind, body.options)).decode()
        options = msgspec.convert(row.options, Options) if body.options is UNSET else body.options
        check_app(row.kind, options, _entered(body, row))
        forget_token(link, row.id)
        connections.change(link, row.id, values)
        elsewhere = Homes(row.web_url, row.api_url).origins != homes.origins
        left = bool(row.options.get("app_id")) and not options.app_id  # an App's key is no token
        if body.token is not UNSET or elsewhere or left:
            keyring.seal_token(call.service, link, row.id, "" if body.token is UNSET else body.token)
        told = {name: "changed" for name in ConnectionChange.__struct_fields__ if getattr(body, name) is not UNSET}
        _note(call, link, "connection.changed", row, told | ({"token": "forgotten"} if (elsewhere or left) and body.token is UNSET else {}))
        return _view(call, _visible(call, link, connection))


def _entered(body: ConnectionChange, row: ConnectionRow) -> str | None:
    """The token by which an App would be known from now on; None: the key that is there."""
    if body.token is not UNSET:
        return body.token
    return None if row.options.get("app_id") and row.has_token else ""


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    secret: str = ""
    """Made by the server where it is left out."""
    overlap_seconds: int = keyring.ROTATION_SECONDS
    """How long the present secret holds beside the new one; 0 ends it now."""


@router.add("POST", "/connections/{connection}/secret", Permission.CONNECTIONS_WRITE)
def rotate_secret(call: Call, connection: int, body: Rotation) -> Secret:
    """Replace the webhook secret; both hold for a time, so that no delivery is lost."""
    if not 0 <= body.overlap_seconds <= _MOST_OVERLAP:
        raise invalid(f"overlap_seconds is a number from 0 to {_MOST_OVERLAP}")
    secret = body.secret or keyring.new_secret()
    _need_secret(secret)
    with call.service.database.write() as link:
        row = _mine(call, link, connection)
        if row.kind not in READERS:
            raise conflict(f"a connection of kind {row.kind} receives no deliveries")
        keyring.renew_secret(call.service, link, row.id, secret, body.overlap_seconds)
        _note(call, link, "connection.secret-rotated", row, {"overlap_seconds": str(body.overlap_seconds)})
        now = _visible(call, link, connection)
    return Secret(row.id, _webhook_url(call, row.kind, row.id), "" if body.secret else secret, now.previous_until)


@router.add("DELETE", "/connections/{connection}", Permission.CONNECTIONS_WRITE, status=204)
def end_connection(call: Call, connection: int) -> Nothing:
    """Take nothing from it any more, and forget its token and secrets; its repositories stay and can be ended one by one."""
    with call.service.database.write() as link:
        row = _mine(call, link, connection)
        connections.end(link, row.id, call.service.now())
        _note(call, link, "connection.ended", row, {})
    return Nothing()


@router.add("GET", "/connections/{connection}/deliveries", Permission.CONNECTIONS_READ)
def list_deliveries(call: Call, connection: int, after: str | None = None, limit: int = 50) -> Page[DeliveryRow]:
    """What came by a connection and what became of it, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = connections.deliveries(link, _visible(call, link, connection).id, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/connections/{connection}/discover", Permission.CONNECTIONS_WRITE, status=202)
def discover_repositories(call: Call, connection: int) -> ConnectionView:
    """Look for repositories of the connection's groups now, and not when the clock says so."""
    with call.service.database.write() as link:
        row = _mine(call, link, connection)
        if row.kind not in LISTINGS or not row.options.get("groups"):
            raise conflict("this connection has no groups to look in", "set options.groups, for GitHub to an organisation's name")
        call.service.queue.put(link, job_for(row.id, Priority.CALL))
    return _view(call, row)


class Tested(Struct, frozen=True):
    """What a forge or registry said."""

    works: bool
    status: int
    """Of its answer; 0 when it gave none."""
    said: str
    """What that means, and what to do."""


@router.add("POST", "/connections/{connection}/test", Permission.CONNECTIONS_WRITE)
def try_connection(call: Call, connection: int) -> Tested:
    """Ask the forge or registry now, with the connection's token, whether it answers and takes the token."""
    with call.service.database.read() as link:
        row = _visible(call, link, connection)
        call.need(Permission.CONNECTIONS_WRITE, row.team)
        token = keyring.token(call.service, link, row.id)
    works, status, said = trying.ask(call.service.settings, row, "" if token is None else token.value.decode())
    with call.service.database.write() as link:
        _note(call, link, "connection.tried", row, {"works": str(works).lower(), "status": str(status)})
    return Tested(works, status, said)


def _visible(call: Call, link: sa.Connection, number: int) -> ConnectionRow:
    row = connections.get(link, number)
    if row is None or row.ended_at is not None or not call.who.may(Permission.CONNECTIONS_READ, row.team):
        raise not_found("this connection")
    return row


def _mine(call: Call, link: sa.Connection, number: int) -> ConnectionRow:
    row = connections.get(link, number, lock=True)
    if row is None or row.ended_at is not None or not call.who.may(Permission.CONNECTIONS_READ, row.team):
        raise not_found("this connection")
    call.need(Permission.CONNECTIONS_WRITE, row.team)
    return row


def _view(call: Call, row: ConnectionRow) -> ConnectionView:
    return ConnectionView(
        id=row.id,
        kind=row.kind,
        name=row.name,
        web_url=row.web_url,
        api_url=row.api_url,
        team=row.team,
        options=msgspec.convert(row.options, Options),
        created_at=row.created_at,
        has_token=row.has_token,
        has_secret=row.has_secret,
        previous_secret_until=row.previous_until,
        webhook_url=_webhook_url(call, row.kind, row.id),
    )


def _webhook_url(call: Call, kind: str, number: int) -> str:
    return f"{call.service.settings.url}/hooks/{kind}/{number}" if kind in READERS else ""


def _need_secret(secret: str) -> None:
    if len(secret) < _LEAST_SECRET or len(secret) > 500 or not secret.isprintable() or not secret.isascii():
        raise invalid(f"a webhook secret has {_LEAST_SECRET} to 500 printable ASCII characters", "leave it out, and the server makes one")


def _or(given: str | UnsetType, present: str) -> str:
    return present if given is UNSET else given


def _note(call: Call, link: sa.Connection, action: str, row: ConnectionRow, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "connection", str(row.id), row.team, by.origin, details)
    trail.record(link, done)
