"""Come in by an OpenID Connect provider: authorization code with PKCE, state, nonce.

Guarantees: what comes back must answer what this browser began (state, used once, with a cookie), from the provider it was begun with (an
address of its own per provider, and ``iss`` of RFC 9207); the ID token must be signed by him, for us, about this very request (nonce), now
(a minute of leeway). Who comes is known by (issuer, subject) and by nothing else: an account is never taken over because a login or an
address is the same. What the provider's groups give is made new at each sign-in; roles given by hand stay.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client.oauth2_client import OAuth2Auth, OAuth2ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from msgspec import Struct
from starlette.requests import Request

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.access import PersonId
from assaymark.model.assessment import SECOND
from assaymark.server import outgoing
from assaymark.server.people import accounts, ceremony, credential, issuer, newcomer
from assaymark.server.people.accounts import By
from assaymark.server.people.issuer import LEEWAY, Metadata
from assaymark.server.people.newcomer import Came, NoAccount
from assaymark.server.people.provider import Provider, unseal
from assaymark.server.people.session import origin
from assaymark.server.people.sign_in import SignedIn, welcome
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.store.invitations import Purpose

_MOST_GROUPS = 2000
_PLACE = "/"


class Door(Struct, frozen=True):
    """A provider under its name here."""

    name: str
    provider: Provider


class Begun(Struct, frozen=True):
    """What is remembered, sealed, while the provider has the browser."""

    provider: str
    nonce: str
    verifier: str
    to: str
    """Where to go afterwards, on this server."""
    person: PersonId | None = None
    """Who is signed in and wants this identity for his account."""


class Answer(Struct, frozen=True):
    """Parameters of the way back."""

    code: str
    state: str
    iss: str
    error: str


class _Client(OAuth2Client):  # type: ignore[misc]
    """Authlib's protocol over a client that goes only where it may."""

    client_auth_class = OAuth2ClientAuth
    token_auth_class = OAuth2Auth
    oauth_error_class = OAuthError


def local(to: str) -> str:
    """A place on this server: nothing that a browser would take for another host."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and len(to) <= 1000 else _PLACE


def begin(service: Service, request: Request, door: Door, *, to: str, person: PersonId | None = None) -> str:
    """The address at the provider to send the browser to; with a person, so that the identity becomes his."""
    found = issuer.metadata(service, door.provider.issuer)
    state, begun = credential.new_secret(), Begun(door.name, credential.new_secret(), credential.new_secret(), local(to), person)
    sealed = base64.b64encode(service.vault.seal(_sealed_as(state), msgspec.json.encode(begun).decode())).decode()
    ceremony.begin(service, request, Purpose.OIDC, state, sealed)
    with outgoing.client(service.settings) as session:
        client = _client(service, session, door, found)
        address, _ = client.create_authorization_url(
            found.authorization_endpoint, state=state, code_verifier=begun.verifier, nonce=begun.nonce
        )
    return str(address)


def finish(service: Service, request: Request, door: Door, answer: Answer) -> tuple[SignedIn, str]:
    """Begin the session of who came back; and where he goes now.

    Raises:
        ApiError: 401 when it is not proved who he is, 403 when he gets no account here.
    """
    try:
        begun = _answered(service, request, door.name, answer)
        found = issuer.metadata(service, door.provider.issuer)
        _check_sender(door.provider, found, answer)
        came = _who(service, door, found, begun, answer.code)
        with service.database.write() as connection:
            person = newcomer.account(service, connection, request, came, begun.person)
            newcomer.give_roles(service, connection, request, person, came)
            return welcome(service, connection, request, person, f"oidc:{door.name}"), begun.to
    except NoAccount as error:
        _note_refusal(service, request, door.name, error)
        raise ApiError(403, "no-account", "you have no account here", detail=error.what, advice="ask an administrator for one") from error
    except UsageError as error:
        _note_refusal(service, request, door.name, error)
        raise ApiError(401, "sign-in", error.what, detail=error.why, advice=error.advice or "begin again") from error


def end_address(service: Service, provider: Provider) -> str:
    """Where to end the session at the provider as well; empty when he says nothing of it, or was not asked yet."""
    found = issuer.known_metadata(provider.issuer)
    if found is None or not found.end_session_endpoint.startswith(("https://", "http://")):
        return ""
    sign = "&" if "?" in found.end_session_endpoint else "?"
    asked = {"client_id": provider.client_id, "post_logout_redirect_uri": service.settings.url + "/"}
    return f"{found.end_session_endpoint}{sign}{urlencode(asked)}"


def back_address(service: Service, name: str) -> str:
    """The redirect URI to register at the provider."""
    return f"{service.settings.url}/api/v1/oidc/{name}/callback"


# --- what came back --------------------------------------------------------------------------------------------------


def _answered(service: Service, request: Request, name: str, answer: Answer) -> Begun:
    sealed = None
    if credential.is_secret(answer.state):
        with service.database.write() as connection:
            sealed = ceremony.take(service, connection, request, Purpose.OIDC, answer.state)
    if sealed is None:
        raise UsageError("nobody here began this", why="the sign-in was used, is over, or was begun in another browser")
    begun = msgspec.json.decode(service.vault.open(_sealed_as(answer.state), base64.b64decode(sealed)).value, type=Begun)
    if begun.provider != name:
        raise UsageError("another provider answers than was asked")
    return begun


def _check_sender(provider: Provider, found: Metadata, answer: Answer) -> None:
    if (answer.iss or found.authorization_response_iss_parameter_supported) and answer.iss != provider.issuer:
        raise UsageError("another provider answers than was asked")
    if answer.error or not answer.code:
        raise UsageError("the provider did not let you in", why=answer.error[:100])


def _who(service: Service, door: Door, found: Metadata, begun: Begun, code: str) -> Came:
    provider = door.provider
    with outgoing.client(service.settings, seconds=10) as session:
        client = _client(service, session, door, found)
        try:
            token = client.fetch_token(found.token_endpoint, grant_type="authorization_code", code=code, code_verifier=begun.verifier)
        except (OAuthError, httpx2.HTTPError, ValueError, KeyError) as error:
            raise UsageError("the provider did not take the code", why=str(error)[:200]) from error
        claims = _claims(service, provider, begun, token)
        groups = claims.get(provider.groups_claim) if provider.groups_claim else None
        if provider.groups_claim and groups is None and found.userinfo_endpoint:
            groups = _userinfo(session, found, token, str(claims["sub"])).get(provider.groups_claim)
    named = _names(groups) if provider.groups_claim else None
    return Came(provider, str(claims["sub"]), claims, named)


def _claims(service: Service, provider: Provider, begun: Begun, token: dict[str, Any]) -> dict[str, Any]:
    text = token.get("id_token")
    if not isinstance(text, str):
        raise UsageError("the provider gave no ID token", advice="look at the scopes of the provider's settings")
    signed = issuer.verified(service, provider.issuer, text)
    options = {"iss": {"essential": True, "value": provider.issuer}, "aud": {"essential": True, "value": provider.client_id}}
    params = {"nonce": begun.nonce, "client_id": provider.client_id, "access_token": token.get("access_token")}
    checked = CodeIDToken(signed.claims, signed.header, options, params)
    try:
        checked.validate(now=service.now() // SECOND, leeway=LEEWAY)
    except (JoseError, ValueError, TypeError) as error:
        raise UsageError("the ID token is not good for this sign-in", why=str(error)[:200]) from error
    subject = signed.claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise UsageError("the ID token names nobody")
    return signed.claims


def _userinfo(session: httpx2.Client, found: Metadata, token: dict[str, Any], subject: str) -> dict[str, Any]:
    try:
        answer = session.get(found.userinfo_endpoint, headers={"Authorization": f"Bearer {token.get('access_token', '')}"})
        said = msgspec.json.decode(answer.content, type=dict[str, Any]) if answer.status_code == 200 else {}
    except (*UNDECODABLE, httpx2.HTTPError) as error:
        raise UsageError("the provider's userinfo cannot be read", why=str(error)[:200]) from error
    return said if said.get("sub") == subject else {}


def _names(groups: object) -> frozenset[str]:
    """Names of groups; a claim that is not there or is something else names none, so that roles end rather than stay by accident."""
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return frozenset(each for each in listed[:_MOST_GROUPS] if isinstance(each, str))


def _note_refusal(service: Service, request: Request, name: str, error: UsageError) -> None:
    details = {"because": error.what[:200], "provider": name}
    with service.database.write() as connection:
        by = By("nobody", None, origin(request))
        accounts.note(connection, by, "session.begun", None, at=service.now(), outcome="refused", details=details)


def _client(service: Service, session: httpx2.Client, door: Door, found: Metadata) -> _Client:
    provider = door.provider
    secret = unseal(service, door.name, provider)
    methods = found.token_endpoint_auth_methods_supported
    basic = "client_secret_basic" in methods or "client_secret_post" not in methods
    return _Client(
        session,
        client_id=provider.client_id,
        client_secret=secret or None,
        token_endpoint_auth_method=("client_secret_basic" if basic else "client_secret_post") if secret else "none",
        scope=" ".join(provider.scopes),
        redirect_uri=back_address(service, door.name),
        code_challenge_method="S256",
    )


def _sealed_as(state: str) -> str:
    return f"oidc:{credential.hashed(state)}"
