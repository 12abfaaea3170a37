"""Passkeys (WebAuthn level 2): register one, and sign in with one without a login or a password.

Guarantees: a challenge is random, used once, lasts ten minutes and belongs to the session or browser that asked for it; origin and relying
party come from the server's own URL; the authenticator must have verified its user; a counter that does not grow is refused (a copy).
Needs the extra ``passkeys``; whether an authenticator is of a certain make is not asked (attestation ``none``).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request

from assaymark.errors import EngineMissing, UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.access import Principal
from assaymark.server.people import accounts, ceremony
from assaymark.server.people.accounts import By
from assaymark.server.people.session import origin
from assaymark.server.people.sign_in import SignedIn, welcome, wrong
from assaymark.server.problem import conflict
from assaymark.server.service import Service
from assaymark.server.settings import Settings
from assaymark.store import passkeys, people
from assaymark.store.invitations import Purpose
from assaymark.store.passkeys import PasskeyRow

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.registration.verify_registration_response import VerifiedRegistration

_CHALLENGE = 32
_MOST = 20
"""Passkeys of a person."""


def are_possible(settings: Settings) -> bool:
    """Whether browsers do it here: the library is installed, and the server has a name (addresses are no relying party)."""
    try:
        ipaddress.ip_address(settings.hostname)
    except ValueError:
        return find_spec("webauthn") is not None
    return False


def registration(service: Service, who: Principal, session: int) -> dict[str, Any]:
    """Options for ``navigator.credentials.create``."""
    web = _library()
    from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415 - an extra

    with service.database.read() as connection:
        handle = people.handle_of(connection, who.person)
        known = passkeys.of_person(connection, who.person)
    if len(known) >= _MOST:
        raise conflict(f"you have {_MOST} passkeys", "remove one first")
    challenge = secrets.token_bytes(_CHALLENGE)
    options = web.generate_registration_options(
        rp_id=service.settings.hostname,
        rp_name="Assaymark",
        user_name=who.login,
        user_id=handle,
        challenge=challenge,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED, user_verification=structs.UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=row.credential) for row in known],
    )
    ceremony.begin_in_session(service, Purpose.PASSKEY_ADD, challenge.hex(), who.person, session)
    return options_to_json_dict(options)


def register(service: Service, request: Request, who: Principal, credential: dict[str, Any], name: str) -> int:
    """Keep the public key of what the authenticator made; gives its number.

    Raises:
        UsageError: when it is not what was asked for.
    """
    _library()
    name = accounts.line(name, "name") or "passkey"
    now = service.now()
    challenge = _challenge(credential)
    # The challenge is used up even when the answer turns out to be wrong, so in a transaction of its own.
    with service.database.write() as connection:
        mine = ceremony.take_in_session(service, connection, Purpose.PASSKEY_ADD, challenge.hex(), who.session or 0)
    if not mine:
        raise _not_asked()
    found = _verified_registration(service.settings, credential, challenge)
    with service.database.write() as connection:
        row = PasskeyRow(0, who.person, found.credential_id, found.credential_public_key, found.sign_count, name, now, None)
        made = passkeys.add(connection, row)
        if made is None:
            raise conflict("this passkey is known", "use another one")
        by = By(who.login, who.person, origin(request))
        accounts.note(connection, by, "passkey.added", who.person, at=now, details={"passkey": str(made), "name": name})
    return made


def challenge(service: Service, request: Request) -> dict[str, Any]:
    """Options for ``navigator.credentials.get``: any passkey of this server that the browser has."""
    web = _library()
    from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415 - an extra

    value = secrets.token_bytes(_CHALLENGE)
    ceremony.begin(service, request, Purpose.PASSKEY_SIGN_IN, value.hex())
    options = web.generate_authentication_options(
        rp_id=service.settings.hostname, challenge=value, user_verification=structs.UserVerificationRequirement.REQUIRED
    )
    return options_to_json_dict(options)


def sign_in(service: Service, request: Request, credential: dict[str, Any]) -> SignedIn:
    """Begin the session of whoever's authenticator answered.

    Raises:
        ApiError: 401 when it does not prove anything.
        UsageError: when it answers no challenge of this browser.
    """
    _library()
    value = _challenge(credential)
    with service.database.write() as connection:
        known = ceremony.take(service, connection, request, Purpose.PASSKEY_SIGN_IN, value.hex()) is not None
    if not known:
        raise _not_asked()
    row, handle = _named(service, credential)
    if row is None or not hmac.compare_digest(handle, _handle(credential)):
        raise wrong()
    try:
        found = _verified_authentication(service.settings, credential, value, row)
    except UsageError:
        _note_refusal(service, request, row)
        raise
    with service.database.write() as connection:
        person = people.get(connection, row.person)
        if person is None or not passkeys.used(connection, row, found.new_sign_count, service.now()):
            raise wrong()
        return welcome(service, connection, request, person, "passkey")


def _named(service: Service, credential: dict[str, Any]) -> tuple[PasskeyRow | None, bytes]:
    with service.database.read() as connection:
        row = passkeys.by_credential(connection, _bytes(credential.get("rawId")))
        return row, people.handle_of(connection, row.person) if row else b""


def _note_refusal(service: Service, request: Request, row: PasskeyRow) -> None:
    with service.database.write() as connection:
        person = people.get(connection, row.person)
        by = By(person.login if person else "nobody", None, origin(request))
        details = {"because": "passkey", "passkey": str(row.id)}
        accounts.note(connection, by, "session.begun", row.person, at=service.now(), outcome="refused", details=details)


def _verified_registration(settings: Settings, credential: dict[str, Any], expected: bytes) -> VerifiedRegistration:
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - an extra

    try:
        found: VerifiedRegistration = _library().verify_registration_response(
            credential=credential,
            expected_challenge=expected,
            expected_rp_id=settings.hostname,
            expected_origin=_origin(settings),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, EOFError) as error:
        raise _unproven(error) from error
    return found


def _verified_authentication(settings: Settings, credential: dict[str, Any], expected: bytes, row: PasskeyRow) -> VerifiedAuthentication:
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - an extra

    try:
        found: VerifiedAuthentication = _library().verify_authentication_response(
            credential=credential,
            expected_challenge=expected,
            expected_rp_id=settings.hostname,
            expected_origin=_origin(settings),
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, EOFError) as error:
        raise _unproven(error) from error
    return found


def _origin(settings: Settings) -> str:
    parts = urlsplit(settings.url)
    return f"{parts.scheme}://{parts.netloc}"


class _ClientData(msgspec.Struct, frozen=True):
    challenge: str


def _challenge(credential: dict[str, Any]) -> bytes:
    """Which challenge is answered; that it is the right one is checked over the signature."""
    try:
        return _bytes(msgspec.json.decode(_bytes(credential["response"]["clientDataJSON"]), type=_ClientData).challenge)
    except (*UNDECODABLE, KeyError, TypeError) as error:
        raise UsageError("this is no answer of an authenticator", why=str(error)) from error


def _handle(credential: dict[str, Any]) -> bytes:
    response = credential.get("response")
    return _bytes(response.get("userHandle")) if isinstance(response, dict) else b""


def _bytes(text: object) -> bytes:
    from webauthn import base64url_to_bytes  # noqa: PLC0415 - an extra

    try:
        return base64url_to_bytes(text) if isinstance(text, str) else b""
    except ValueError as error:
        raise UsageError("this is no answer of an authenticator", why="a part of it is not base64url") from error


def _not_asked() -> UsageError:
    return UsageError("nobody asked for this", why="the challenge was used, is over, or belongs to another browser", advice="begin again")


def _unproven(error: Exception) -> UsageError:
    return UsageError("the passkey proves nothing here", why=str(error)[:200], advice="try again, or use another one")


def _library() -> ModuleType:
    try:
        import webauthn  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise EngineMissing("passkeys are not installed here", why=str(error), advice="pip install 'assaymark[passkeys]'") from error
    return webauthn
