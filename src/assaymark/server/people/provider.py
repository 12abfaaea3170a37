"""Identity providers and trusted issuers of workloads, as administrators set them; a provider's secret is sealed by the vault."""

from __future__ import annotations

import base64
import re

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import Permission, PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.server.people.issuer import check_address
from assaymark.server.service import Service
from assaymark.store import setting_rows

_PROVIDER, _TRUST = "oidc.provider.", "oidc.trust."
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenID Connect provider by which people come in."""

    title: str
    """As people know it."""
    issuer: str
    client_id: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    login_claim: str = "preferred_username"
    groups_claim: str = "groups"
    """Empty: groups of this provider give nothing and take nothing."""
    domains: tuple[str, ...] = ()
    """Whoever has a verified address in one of these gets an account at the first sign-in."""
    groups: tuple[str, ...] = ()
    """Whoever is in one of these does as well."""
    sealed: str = ""
    """The client's secret, sealed; empty for a public client."""


class Trust(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose workloads get a token for a while, when what their issuer says of them fits."""

    issuer: str
    audience: str
    conditions: dict[str, str]
    """Claim -> what it must be; a ``*`` stands for any text without a slash, ``**`` for any text."""
    person: PersonId
    """Whose token it will be: it never allows more than he may."""
    scopes: tuple[Permission, ...]
    team: TeamId | None = None
    minutes: int = 15
    """How long the token lasts: 1 to 60."""


def check_name(name: str) -> str:
    """A name for addresses and links.

    Raises:
        UsageError: when it is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:100]!r} is no name", advice="use small letters, digits and hyphens, at most 32")
    return name


def check_provider(provider: Provider) -> None:
    """Raise UsageError unless it could work."""
    check_address(provider.issuer)
    if not provider.client_id or "openid" not in provider.scopes:
        raise UsageError("a provider needs a client_id, and the scope openid")
    if not provider.login_claim:
        raise UsageError("login_claim names the claim from which a new account gets its login")


def check_trust(trust: Trust) -> None:
    """Raise UsageError unless it is narrow enough to mean something."""
    check_address(trust.issuer)
    if not trust.audience or not trust.scopes:
        raise UsageError("a trust needs an audience and scopes")
    if not any(value.strip("*/ ") for value in trust.conditions.values()) or any(not name for name in trust.conditions):
        raise UsageError(
            "a trust needs a condition",
            why="everybody has an account at a public issuer",
            advice='say whose: {"repository": "group/project"}',
        )
    if not 1 <= trust.minutes <= 60:
        raise UsageError("minutes is a number from 1 to 60")


def provider(connection: sa.Connection, name: str) -> Provider | None:
    return setting_rows.under(connection, _PROVIDER, Provider).get(name)


def providers(connection: sa.Connection) -> dict[str, Provider]:
    return setting_rows.under(connection, _PROVIDER, Provider)


def put_provider(connection: sa.Connection, name: str, value: Provider, *, at: Instant) -> None:
    setting_rows.put(connection, _PROVIDER + check_name(name), value, at)


def remove_provider(connection: sa.Connection, name: str) -> bool:
    return setting_rows.remove(connection, _PROVIDER + name)


def trusts(connection: sa.Connection) -> dict[str, Trust]:
    return setting_rows.under(connection, _TRUST, Trust)


def put_trust(connection: sa.Connection, name: str, value: Trust, *, at: Instant) -> None:
    setting_rows.put(connection, _TRUST + check_name(name), value, at)


def remove_trust(connection: sa.Connection, name: str) -> bool:
    return setting_rows.remove(connection, _TRUST + name)


def seal(service: Service, name: str, secret: str) -> str:
    """The client's secret of the provider of that name, as it is kept."""
    return base64.b64encode(service.vault.seal(_PROVIDER + name, secret)).decode() if secret else ""


def unseal(service: Service, name: str, value: Provider) -> str:
    """The client's secret; empty for a public client."""
    if not value.sealed:
        return ""
    return service.vault.open(_PROVIDER + name, base64.b64decode(value.sealed)).value.decode()
