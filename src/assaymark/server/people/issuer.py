"""What somebody says who signs JSON Web Tokens: his metadata, his keys, and whether a token is his.

Guarantees: only an issuer that an administrator named is asked, over HTTPS (plain HTTP for loopback), through `server.outgoing`; his
metadata must name himself (OpenID Connect Discovery 4.3); only signatures with public keys count, so that neither ``none`` nor a public key
used as a shared one proves anything; a token that no known key signed makes his keys be read again, at most twice a minute.
Does not look at claims: whoever asks knows what they must say.
"""

from __future__ import annotations

import ipaddress
import threading
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from msgspec import Struct

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.server import outgoing
from assaymark.server.service import Service

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY = 60
"""Seconds by which clocks may differ."""
LONGEST_TOKEN = 16 << 10
_FRESH = 3600 * SECOND
_AGAIN = 30 * SECOND
_MOST_BYTES = 1 << 20
_MOST_KNOWN = 64


class Metadata(Struct, frozen=True):
    """What is read of OpenID Connect Discovery."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Signed(Struct, frozen=True):
    """What a token says whose signature is right."""

    header: dict[str, Any]
    claims: dict[str, Any]


class _Known(Struct, frozen=True):
    metadata: Metadata
    keys: tuple[Key, ...]
    at: Instant


Document = TypeVar("Document")
_known: dict[str, _Known] = {}
_lock = threading.Lock()


def check_address(issuer: str) -> str:
    """The issuer, when it may be one.

    Raises:
        UsageError: when it may not.
    """
    parts = urlsplit(issuer)
    if parts.query or parts.fragment or not parts.hostname or not (parts.scheme == "https" or _is_loopback(parts.hostname, parts.scheme)):
        raise UsageError(f"{issuer[:200]!r} is no issuer", advice="write it exactly as it calls itself, e.g. https://login.example.org")
    return issuer


def _is_loopback(host: str, scheme: str) -> bool:
    if scheme != "http":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def metadata(service: Service, issuer: str) -> Metadata:
    """What the issuer says of himself; remembered for an hour.

    Raises:
        SubjectUnreadable: when he cannot be reached or says nothing that can be used.
    """
    return _ask(service, issuer, _FRESH).metadata


def asked_metadata(service: Service, issuer: str) -> Metadata:
    """What the issuer says of himself now: for whoever sets it up, and may just have put right what was wrong.

    Raises:
        SubjectUnreadable: when he cannot be reached or says nothing that can be used.
    """
    return _ask(service, issuer, 0).metadata


def known_metadata(issuer: str) -> Metadata | None:
    """What is remembered, without asking anybody."""
    found = _known.get(issuer)
    return found.metadata if found else None


def verified(service: Service, issuer: str, token: str) -> Signed:
    """What a token says, when it is signed by this issuer.

    Raises:
        UsageError: when it is not.
        SubjectUnreadable: when his keys cannot be read.
    """
    if len(token) > LONGEST_TOKEN:
        raise UsageError("the token is too long")
    known = _ask(service, issuer, _FRESH)
    try:
        return _decoded(token, known.keys)
    except (JoseError, ValueError, TypeError, KeyError):
        pass  # he may have new keys
    again = _ask(service, issuer, _AGAIN)
    if again is known:
        raise _unsigned(issuer)
    try:
        return _decoded(token, again.keys)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _unsigned(issuer) from error


def _decoded(token: str, keys: tuple[Key, ...]) -> Signed:
    found = jwt.decode(token, KeySet(list(keys)), algorithms=list(ALGORITHMS))
    return Signed(dict(found.header), dict(found.claims))


def _unsigned(issuer: str) -> UsageError:
    return UsageError("the token is not signed by whom it should be", why=f"no key of {issuer} fits")


def _ask(service: Service, issuer: str, fresh: int) -> _Known:
    now = service.now()
    with _lock:
        known = _known.get(issuer)
    if known is not None and now - fresh < known.at <= now:
        return known
    check_address(issuer)
    with outgoing.client(service.settings, most_bytes=_MOST_BYTES, seconds=10) as client:
        found = _document(client, issuer.rstrip("/") + "/.well-known/openid-configuration", Metadata)
        if found.issuer != issuer:
            raise SubjectUnreadable(f"{issuer} calls itself {found.issuer[:200]!r}", advice="write the issuer exactly as it calls itself")
        for address in (found.jwks_uri, found.authorization_endpoint, found.token_endpoint, found.userinfo_endpoint):
            if address:
                _check_endpoint(issuer, address)
        keys = _document(client, found.jwks_uri, _Keys)
    made = _Known(found, tuple(key for each in keys.keys for key in _imported(each)), now)
    with _lock:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[issuer] = made
    return made


class _Keys(Struct, frozen=True):
    keys: tuple[dict[str, Any], ...]


def _document(client: httpx2.Client, url: str, kind: type[Document]) -> Document:
    try:
        answer = client.get(url, headers={"Accept": "application/json"})
        if answer.status_code != 200:
            raise SubjectUnreadable(f"{url} answered {answer.status_code}", advice="look at the issuer")
        return msgspec.json.decode(answer.content, type=kind)
    except httpx2.HTTPError as error:
        raise SubjectUnreadable(f"{url} cannot be read", why=str(error)[:200], advice="try again, or look at the issuer") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SubjectUnreadable(f"{url} says nothing that can be used", why=str(error)[:200]) from error


def _check_endpoint(issuer: str, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or "", parts.scheme):
        raise SubjectUnreadable(f"{issuer} names {address[:200]!r}", why="it is not served by HTTPS")


def _imported(document: dict[str, Any]) -> list[Key]:
    """A public key for signatures; what is another thing, or of a kind that is not known, is left out."""
    if document.get("kty") not in ("RSA", "EC", "OKP") or document.get("use", "sig") != "sig":
        return []
    public = {name: value for name, value in document.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    try:
        return [import_key(public)]
    except (JoseError, ValueError, TypeError, KeyError):
        return []
