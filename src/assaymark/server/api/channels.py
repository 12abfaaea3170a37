"""Channels: where it is told what happened. Webhooks as Standard Webhooks has them, Slack, Microsoft Teams, Mattermost.

Guarantees: an address or secret that was entered is never given back, and a secret that the server made is shown once; who makes a channel
of a team may see what that team sees, and a channel of no team is for those whose role holds everywhere; every change is in the trail.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType

from assaymark.errors import UsageError
from assaymark.feedback.channels import signing
from assaymark.model.access import Permission, TeamId
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server import keyring_channels
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of, viewed
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.connecting import checked_name
from assaymark.server.outgoing import WEB, destination
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work.publish import tell, wake
from assaymark.store import happenings, messages, subscriptions, trail
from assaymark.store.happenings import HappeningRow
from assaymark.store.messages import MessageRow, MessageState
from assaymark.store.subscriptions import ChannelKind, SubscriptionRow, SubscriptionState, Wants
from assaymark.store.trail import Action

router = Router("channels")
MOST_CHANNELS = 500
_MOST_OVERLAP = 30 * 86400
_MOST_STARS = 6

_Glob = Annotated[str, Meta(max_length=200)]


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """What is told; everything that is named must hold."""

    kinds: Annotated[tuple[HappeningKind, ...], Meta(max_length=50)] = ()
    """Empty: all."""
    severity: Severity | None = None
    """At least this; what weighs nothing (all is well again) is told as well."""
    subject: _Glob = ""
    """A glob over the subject's name, e.g. ``shop/*@main``; empty: all."""


class ChannelView(Struct, frozen=True):
    """A channel, but for its address and secrets."""

    id: int
    kind: ChannelKind
    name: str
    team: int | None
    host: str
    """Of its address."""
    wants: Filter
    state: SubscriptionState
    problem: str
    """What went wrong last; empty when all is well."""
    failures: int
    """In a row."""
    failing_since: int | None
    resting_until: int | None
    """It is left alone until then."""
    previous_secret_until: int | None
    """Until when the secret before the present one signs too."""
    public_key: str
    """``whpk_…`` when messages are signed with Ed25519 as well."""
    created_at: int


class NewChannel(Struct, frozen=True, forbid_unknown_fields=True):
    kind: ChannelKind
    name: str
    address: str
    """Where to post; https, but in networks that the administrator named."""
    team: int | None = None
    """Whose it is: what happens to this team is told, and nothing else. Without one: everything."""
    wants: Filter = Filter()
    secret: str = ""
    """Of a webhook: ``whsec_…``; made by the server where it is left out."""
    ed25519: bool = False
    """Sign a webhook's messages with a key pair as well (``v1a``)."""


class ChannelSecret(Struct, frozen=True):
    """What the receiver needs."""

    id: int
    secret: str = ""
    """Shown this once, and only if the server made it."""
    public_key: str = ""
    previous_secret_until: int | None = None


@router.add("GET", "/channels", Permission.CONNECTIONS_READ)
def list_channels(call: Call, after: str | None = None, limit: int = 50) -> Page[ChannelView]:
    """Channels in the order in which they were made."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = subscriptions.page(link, call.who.teams_with(Permission.CONNECTIONS_READ), after=start, limit=limit + 1)
    return viewed(rows, limit, lambda row: _view(call, row))


@router.add("GET", "/channels/{channel}", Permission.CONNECTIONS_READ)
def get_channel(call: Call, channel: int) -> ChannelView:
    """One channel."""
    with call.service.database.read() as link:
        return _view(call, visible(call, link, channel))


@router.add("POST", "/channels", Permission.CONNECTIONS_WRITE, status=201)
def create_channel(call: Call, body: NewChannel) -> ChannelSecret:
    """Tell somebody from now on; answers what the receiver verifies with."""
    team = None if body.team is None else TeamId(body.team)
    call.need(Permission.CONNECTIONS_WRITE, team)
    is_webhook = body.kind is ChannelKind.WEBHOOK
    if not is_webhook and (body.secret or body.ed25519):
        raise invalid(f"a channel of kind {body.kind} signs nothing", "leave out secret and ed25519")
    secret = (signing.checked_secret(body.secret) if body.secret else signing.new_secret()) if is_webhook else ""
    host = _checked_host(call, body.address)
    values: dict[str, Any] = {
        "kind": body.kind, "name": checked_name(body.name), "team": team, "host": host, "wants": _written(body.wants),
        "state": SubscriptionState.ACTIVE, "created_at": call.service.now(), "created_by": call.who.person,
    }  # fmt: skip
    with call.service.database.write() as link:
        if subscriptions.named(link, values["name"]) is not None:
            raise conflict("there is a channel of this name", "choose another name")
        if subscriptions.count(link) >= MOST_CHANNELS:
            raise conflict(f"there are {MOST_CHANNELS} channels", "remove one that nobody reads")
        number = subscriptions.create(link, values)
        keyring_channels.seal_address(call.service, link, number, body.address)
        if secret:
            keyring_channels.renew_secret(call.service, link, number, secret)
        public = keyring_channels.renew_pair(call.service, link, number) if body.ed25519 else ""
        _note(call, link, "channel.created", visible(call, link, number), {"kind": body.kind, "host": host})
    return ChannelSecret(number, "" if body.secret else secret, public)


class ChannelChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    wants: Filter | UnsetType = UNSET
    state: SubscriptionState | UnsetType = UNSET
    """``paused``: nothing is told, and what waits goes on waiting; ``active``: from now on again, also after the server disabled it."""


@router.add("PATCH", "/channels/{channel}", Permission.CONNECTIONS_WRITE)
def change_channel(call: Call, channel: int, body: ChannelChange) -> ChannelView:
    """Change a channel, pause it, or let it go on."""
    host = _checked_host(call, body.address) if body.address is not UNSET else ""
    with call.service.database.write() as link:
        row = _mine(call, link, channel)
        values: dict[str, Any] = {"host": host} if host else {}
        if body.name is not UNSET:
            values["name"] = checked_name(body.name)
            if subscriptions.named(link, values["name"]) not in (None, row.id):
                raise conflict("there is a channel of this name", "choose another name")
        if body.wants is not UNSET:
            values["wants"] = _written(body.wants)
        if body.state is not UNSET:
            if body.state is SubscriptionState.DISABLED:
                raise invalid("only the server disables a channel", "pause it")
            values |= {"state": body.state, "problem": "", "failures": 0, "failing_since": None, "resting_until": 0}
        if values:
            subscriptions.change(link, row.id, values)
        if body.address is not UNSET:
            keyring_channels.seal_address(call.service, link, row.id, body.address)
        if body.state is SubscriptionState.ACTIVE:
            wake(call.service, link, row.id)
        told = {name: "changed" for name in ChannelChange.__struct_fields__ if getattr(body, name) is not UNSET}
        _note(call, link, "channel.changed", row, told | ({"state": body.state} if isinstance(body.state, str) else {}))
        return _view(call, visible(call, link, channel))


class ChannelRotation(Struct, frozen=True, forbid_unknown_fields=True):
    secret: str = ""
    """Made by the server where it is left out."""
    overlap_seconds: int = keyring_channels.ROTATION_SECONDS
    """How long the present secret signs beside the new one; 0 ends it now."""
    ed25519: bool | None = None
    """True: a new key pair, at once; False: none any more; left out: as it is."""


@router.add("POST", "/channels/{channel}/secret", Permission.CONNECTIONS_WRITE)
def rotate_channel_secret(call: Call, channel: int, body: ChannelRotation) -> ChannelSecret:
    """Replace a webhook's secret; both sign for a time, so that the receiver changes over whenever it likes."""
    if not 0 <= body.overlap_seconds <= _MOST_OVERLAP:
        raise invalid(f"overlap_seconds is a number from 0 to {_MOST_OVERLAP}")
    secret = signing.checked_secret(body.secret) if body.secret else signing.new_secret()
    with call.service.database.write() as link:
        row = _mine(call, link, channel)
        if row.kind is not ChannelKind.WEBHOOK:
            raise conflict(f"a channel of kind {row.kind} signs nothing")
        keyring_channels.renew_secret(call.service, link, row.id, secret, body.overlap_seconds)
        if body.ed25519 is True:
            keyring_channels.renew_pair(call.service, link, row.id)
        elif body.ed25519 is False:
            keyring_channels.forget_pair(link, row.id)
        _note(call, link, "channel.secret-rotated", row, {"overlap_seconds": str(body.overlap_seconds)})
        now = visible(call, link, channel)
    return ChannelSecret(row.id, "" if body.secret else secret, now.public_key, now.previous_until)


@router.add("DELETE", "/channels/{channel}", Permission.CONNECTIONS_WRITE, status=204)
def end_channel(call: Call, channel: int) -> Nothing:
    """Tell it nothing any more, and forget its address and secrets."""
    with call.service.database.write() as link:
        row = _mine(call, link, channel)
        subscriptions.end(link, row.id, call.service.now())
        messages.give_up_all(link, row.id, "the channel was removed")
        _note(call, link, "channel.ended", row, {})
    return Nothing()


@router.add("POST", "/channels/{channel}/test", Permission.CONNECTIONS_WRITE, status=202)
def test_channel(call: Call, channel: int) -> MessageRow:
    """Send a message to this channel alone; what becomes of it stands in the channel's messages."""
    with call.service.database.write() as link:
        row = _mine(call, link, channel)
        if row.state is not SubscriptionState.ACTIVE:
            raise conflict(f"the channel is {row.state}", "set its state to active")
        told = Happening(
            HappeningKind.CHANNEL_TESTED, call.service.now(), row.team, f"{call.who.login} tests the channel {row.name}",
            f"/settings/channels/{row.id}", actor=call.who.login, data={"channel": str(row.id)},
        )  # fmt: skip
        number = tell(call.service, link, row, happenings.write(link, told).id)
        _note(call, link, "channel.tested", row, {})
        return _message(link, row.id, number)


@router.add("GET", "/channels/{channel}/messages", Permission.CONNECTIONS_READ)
def list_messages(call: Call, channel: int, after: str | None = None, limit: int = 50) -> Page[MessageRow]:
    """What was told and what became of it, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = messages.page(link, visible(call, link, channel).id, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/channels/{channel}/messages/{message}/replay", Permission.CONNECTIONS_WRITE, status=202)
def replay_message(call: Call, channel: int, message: int) -> MessageRow:
    """Send a message again, under its own number, by which the receiver knows it."""
    with call.service.database.write() as link:
        row = _mine(call, link, channel)
        found = messages.get(link, row.id, message)
        if found is None:
            raise not_found("this message")
        if found.state is MessageState.WAITING:
            raise conflict("the message waits already", "wait, or look at what the channel's receiver answers")
        if row.state is not SubscriptionState.ACTIVE:
            raise conflict(f"the channel is {row.state}", "set its state to active")
        messages.replay(link, found.id, call.service.now())
        wake(call.service, link, row.id)
        _note(call, link, "channel.message-replayed", row, {"message": found.uid})
        return _message(link, row.id, message)


@router.add("GET", "/happenings", Permission.ASSESSMENTS_READ)
def list_happenings(call: Call, after: str | None = None, limit: int = 50) -> Page[HappeningRow]:
    """What changed, newest first: the same that channels are told."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = happenings.page(link, call.who.teams_with(Permission.ASSESSMENTS_READ), before=before, limit=limit + 1)
    return page_of(rows, limit)


def visible(call: Call, link: sa.Connection, number: int) -> SubscriptionRow:
    """The channel, if the caller may see it.

    Raises:
        ApiError: 404 otherwise.
    """
    return _found(call, subscriptions.get(link, number))


def _mine(call: Call, link: sa.Connection, number: int) -> SubscriptionRow:
    row = _found(call, subscriptions.get(link, number, lock=True))
    call.need(Permission.CONNECTIONS_WRITE, row.team)
    return row


def _found(call: Call, row: SubscriptionRow | None) -> SubscriptionRow:
    if row is None or row.ended_at is not None or not call.who.may(Permission.CONNECTIONS_READ, row.team):
        raise not_found("this channel")
    return row


def _message(link: sa.Connection, channel: int, number: int) -> MessageRow:
    found = messages.get(link, channel, number)
    assert found is not None  # noqa: S101 - of this very transaction
    return found


def _written(wants: Filter) -> str:
    if wants.subject.count("*") > _MOST_STARS:
        raise invalid(f"subject has more than {_MOST_STARS} stars")
    return msgspec.json.encode(Wants(wants.kinds, wants.severity, wants.subject)).decode()


def _checked_host(call: Call, address: str) -> str:
    """Host of an address that may be posted to; in the clear only inside networks that the administrator named."""
    found = destination(address, call.service.settings, schemes=WEB)
    if found.scheme == "http" and any(ipaddress.ip_address(each).is_global for each in found.addresses):
        raise UsageError(f"{found.host} is not told in the clear", why="what happened is nobody else's business", advice="use https")
    return found.host


def _view(call: Call, row: SubscriptionRow) -> ChannelView:
    return ChannelView(
        id=row.id, kind=row.kind, name=row.name, team=row.team, host=row.host,
        wants=Filter(row.wants.kinds, row.wants.severity, row.wants.subject), state=row.state, problem=row.problem, failures=row.failures,
        failing_since=row.failing_since, resting_until=row.resting_until if row.resting_until > call.service.now() else None,
        previous_secret_until=row.previous_until, public_key=row.public_key, created_at=row.created_at,
    )  # fmt: skip


def _note(call: Call, link: sa.Connection, action: str, row: SubscriptionRow, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "channel", str(row.id), row.team, by.origin, details)
    trail.record(link, done)
