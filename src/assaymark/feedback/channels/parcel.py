"""From a telling to what is posted, by the kind of channel."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from assaymark.feedback.channels import mattermost, signing, slack, teams, webhook
from assaymark.feedback.channels.signing import SigningKeys
from assaymark.feedback.channels.telling import Telling
from assaymark.store.subscriptions import ChannelKind

_BODY: dict[ChannelKind, Callable[[Telling], bytes]] = {
    ChannelKind.WEBHOOK: webhook.payload,
    ChannelKind.SLACK: slack.message,
    ChannelKind.TEAMS: teams.message,
    ChannelKind.MATTERMOST: mattermost.message,
}


class Parcel(Struct, frozen=True):
    """One request."""

    body: bytes
    headers: dict[str, str]


def pack(kind: ChannelKind, telling: Telling, *, uid: str, seconds: int, keys: SigningKeys | None) -> Parcel:
    """What is posted; `seconds` since 1970 is the moment of the attempt."""
    body = _BODY[kind](telling)
    headers = {"Content-Type": "application/json; charset=utf-8" if kind is ChannelKind.SLACK else "application/json"}
    if kind is ChannelKind.WEBHOOK and keys is not None:
        headers |= signing.headers(keys, uid, seconds, body)
    return Parcel(body, headers)
