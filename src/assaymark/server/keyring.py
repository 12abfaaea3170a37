"""What a connection is trusted by, opened for the moment of use: its token, and the webhook secrets that hold now.

The names under which they are sealed are made here and nowhere else.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from assaymark.checks.settings import Secret
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.store import connections

ROTATION_SECONDS = 86400
"""How long the secret before holds beside a new one unless told otherwise: a day to enter it at the forge."""


def token(service: Service, link: sa.Connection, connection: int) -> Secret | None:
    """The token for the forge's API and its repositories; None when there is none."""
    sealed = connections.keys(link, connection).token
    return service.vault.open(f"connection:{connection}:token", sealed) if sealed else None


def webhook_secrets(service: Service, link: sa.Connection, connection: int) -> tuple[Secret, ...]:
    """Those that a delivery may be signed with now."""
    held = connections.keys(link, connection)
    sealed = [held.webhook_secret]
    if held.previous_until is not None and service.now() < held.previous_until:
        sealed.append(held.previous_secret)
    return tuple(service.vault.open(f"connection:{connection}:webhook", each) for each in sealed if each)


def seal_token(service: Service, link: sa.Connection, connection: int, value: str) -> None:
    """Keep a token; an empty one forgets it."""
    sealed = service.vault.seal(f"connection:{connection}:token", value) if value else None
    connections.change(link, connection, {"token": sealed})


def renew_secret(service: Service, link: sa.Connection, connection: int, value: str, overlap: int = ROTATION_SECONDS) -> None:
    """Another webhook secret; the one before holds for `overlap` seconds more."""
    before = connections.keys(link, connection).webhook_secret if overlap else None
    until = Instant(service.now() + overlap * SECOND) if before else None
    sealed = service.vault.seal(f"connection:{connection}:webhook", value)
    connections.change(link, connection, {"webhook_secret": sealed, "previous_secret": before, "previous_until": until})


def new_secret() -> str:
    """A webhook secret that nobody can guess."""
    return secrets.token_urlsafe(32)
