"""A GitHub App as what a connection is trusted by: its key signs for a token of one installation, which GitHub gives for an hour.

Guarantees: the key never leaves this process and is sent to nobody; the token is asked for at the connection's own API only, kept sealed,
and renewed five minutes before its end. Whoever needs a token of a connection asks `usable_token`, which is the connection's own where
there is no App.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import httpx2
import msgspec
import sqlalchemy as sa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.server import keyring
from assaymark.server.outgoing import client as outgoing_client
from assaymark.server.service import Service
from assaymark.store import connections, setting_rows
from assaymark.store.connections import ConnectionRow

_EARLY = 300 * SECOND
_BACKWARD, _FORWARD = 60, 540
"""Seconds: GitHub's clock may be behind ours, and it takes at most ten minutes."""
_LEAST_BITS = 2048


class App(Struct, frozen=True):
    """Which App, where installed."""

    id: str
    installation: int


class _Kept(Struct, frozen=True):
    sealed: str
    until: Instant


def app_of(options: dict[str, Any]) -> App | None:
    """The App in a connection's options."""
    found = App(str(options.get("app_id", "")), int(options.get("installation_id", 0)))
    return found if found.id and found.installation else None


def checked_key(text: str) -> rsa.RSAPrivateKey:
    """The App's key.

    Raises:
        UsageError: when it is none.
    """
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            "the token is no private key of an App", why="it is no PEM", advice="enter the .pem file that GitHub gave"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _LEAST_BITS:
        raise UsageError("the token is no private key of an App", why="an App's key is RSA with 2048 bits or more")
    return key


def assertion(app: App, key: str, seconds: int) -> str:
    """A JSON Web Token by which the App says who it is, signed with RS256."""
    claims = {"iat": seconds - _BACKWARD, "exp": seconds + _FORWARD, "iss": app.id}
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signed}.{_text(checked_key(key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def usable_token(service: Service, number: int) -> Secret | None:
    """What a connection's API and repositories are asked with now; None when it has nothing.

    Raises:
        UsageError: when the App's key is refused, or cannot be opened.
        SubjectUnreadable: when GitHub does not answer.
    """
    with service.database.read() as link:
        row, secret = connections.get(link, number), keyring.token(service, link, number)
    app = app_of(row.options) if row is not None and row.kind == "github" else None
    if row is None or secret is None or app is None:
        return secret
    name = f"github-app-token:{number}:{app.installation}"
    with service.database.read() as link:
        kept = setting_rows.get(link, name, _Kept, _Kept("", Instant(0)))
    if kept.until > service.now() + _EARLY:
        return service.vault.open(name, base64.b64decode(kept.sealed))
    token, until = _asked(service, row, app, secret)
    with service.database.write() as link:
        setting_rows.put(link, name, _Kept(base64.b64encode(service.vault.seal(name, token)).decode(), until), service.now())
    return Secret(token.encode())


def forget_token(link: sa.Connection, number: int) -> None:
    """After the App or its key was changed."""
    for rest in setting_rows.under(link, f"github-app-token:{number}:", _Kept):
        setting_rows.remove(link, f"github-app-token:{number}:{rest}")


def _asked(service: Service, row: ConnectionRow, app: App, key: Secret) -> tuple[str, Instant]:
    headers = {
        "Authorization": f"Bearer {assertion(app, key.value.decode(), service.now() // SECOND)}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    url = f"{row.api_url.rstrip('/')}/app/installations/{app.installation}/access_tokens"
    try:
        with outgoing_client(service.settings) as client:
            answer = client.request("POST", url, headers=headers)
    except (httpx2.HTTPError, OSError) as error:
        raise SubjectUnreadable(f"{row.name} did not answer", why=type(error).__name__, advice="it is tried again") from error
    if answer.status_code >= 500 or answer.status_code == 429:
        raise SubjectUnreadable(
            f"{row.name} gave no token for its App", why=f"it answered {answer.status_code}", advice="it is tried again"
        )
    if answer.status_code != 201:
        raise UsageError(
            f"{row.name} gave no token for its App", why=f"it answered {answer.status_code}",
            advice="look at app_id, installation_id and the key, and at this machine's clock",
        )  # fmt: skip
    try:
        said = answer.json()
        ends = dt.datetime.fromisoformat(said["expires_at"])
        return str(said["token"]), Instant(int(ends.timestamp()) * SECOND)
    except (ValueError, LookupError, TypeError) as error:
        raise SubjectUnreadable(f"the answer of {row.name} cannot be read", advice="look at the connection's api_url") from error


def _part(value: dict[str, Any]) -> str:
    return _text(msgspec.json.encode(value))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
