"""What a subscription is reached and signed with, opened for the moment of use. The names under which it is sealed are made here."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.feedback.channels import signing
from assaymark.feedback.channels.signing import SigningKeys
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.store import subscriptions

ROTATION_SECONDS = 86400
"""How long the secret before signs beside a new one unless told otherwise."""


class Opened(Struct, frozen=True):
    """Where to post, and the keys; its representation shows neither."""

    address: str
    keys: SigningKeys

    def __repr__(self) -> str:
        return "Opened(…)"


def opened(service: Service, link: sa.Connection, number: int) -> Opened:
    """What a subscription is reached with.

    Raises:
        UsageError: when it was sealed with another key.
    """
    held = subscriptions.keys(link, number)
    sealed = [held.secret]
    if held.previous_until is not None and service.now() < held.previous_until:
        sealed.append(held.previous_secret)
    found = tuple(_open(service, number, "secret", each) for each in sealed if each)
    private = _open(service, number, "signing-key", held.signing_key) if held.signing_key else ""
    return Opened(_open(service, number, "address", held.address) if held.address else "", SigningKeys(found, private))


def seal_address(service: Service, link: sa.Connection, number: int, address: str) -> None:
    """Keep where to post: of chats the address alone lets anybody write there."""
    subscriptions.change(link, number, {"address": _seal(service, number, "address", address)})


def renew_secret(service: Service, link: sa.Connection, number: int, value: str, overlap: int = ROTATION_SECONDS) -> None:
    """Another secret; the one before signs as well for `overlap` seconds more."""
    before = subscriptions.keys(link, number).secret if overlap else None
    until = Instant(service.now() + overlap * SECOND) if before else None
    values = {"secret": _seal(service, number, "secret", value), "previous_secret": before, "previous_until": until}
    subscriptions.change(link, number, values)


def renew_pair(service: Service, link: sa.Connection, number: int) -> str:
    """A pair of Ed25519 keys; gives the public one."""
    private, public = signing.new_pair()
    subscriptions.change(link, number, {"signing_key": _seal(service, number, "signing-key", private), "public_key": public})
    return public


def forget_pair(link: sa.Connection, number: int) -> None:
    """Sign by secret alone."""
    subscriptions.change(link, number, {"signing_key": None, "public_key": ""})


def _seal(service: Service, number: int, what: str, value: str) -> bytes:
    return service.vault.seal(f"subscription:{number}:{what}", value)


def _open(service: Service, number: int, what: str, sealed: bytes) -> str:
    return service.vault.open(f"subscription:{number}:{what}", sealed).value.decode()
