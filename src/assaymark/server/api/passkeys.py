"""Passkeys: two requests to add one, two to come in with one."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.server.api import rights
from assaymark.server.api.route import Call, Created, Nothing, Router
from assaymark.server.people import accounts, passkey
from assaymark.server.people.sign_in import SignedIn
from assaymark.server.problem import not_found
from assaymark.store import passkeys

router = Router("passkeys")
_MOST_BYTES = 64 << 10


class PasskeyView(Struct, frozen=True):
    id: int
    name: str
    created_at: Instant
    used_at: Instant | None


@router.add("GET", "/passkeys", None)
def list_passkeys(call: Call, person: int | None = None) -> tuple[PasskeyView, ...]:
    """Your passkeys; somebody else's need people:write everywhere."""
    whose = rights.whose(call, person)
    with call.service.database.read() as connection:
        return tuple(PasskeyView(row.id, row.name, row.created_at, row.used_at) for row in passkeys.of_person(connection, whose))


@router.add("POST", "/passkeys/challenge", None)
def ask_for_passkey(call: Call) -> dict[str, Any]:
    """What to give `navigator.credentials.create`; needs a session that is younger than a quarter of an hour."""
    session = rights.need_recent(call)
    return passkey.registration(call.service, call.who, session)


class NewPasskey(Struct, frozen=True, forbid_unknown_fields=True):
    credential: dict[str, Any]
    """What `navigator.credentials.create` gave, as its `toJSON()`."""
    name: str = ""


@router.add("POST", "/passkeys", None, status=201, most_bytes=_MOST_BYTES)
def add_passkey(call: Call, body: NewPasskey) -> Created:
    """Keep a passkey."""
    rights.need_session(call)
    return Created(passkey.register(call.service, call.request, call.who, body.credential, body.name))


@router.add("DELETE", "/passkeys/{number}", None, status=204)
def remove_passkey(call: Call, number: int) -> Nothing:
    """Remove a passkey of yours; somebody else's needs people:write everywhere."""
    with call.service.database.write() as connection:
        row = passkeys.get(connection, number)
        if row is None or not rights.is_his(call, row.person):
            raise not_found("this passkey")
        passkeys.remove(connection, row.id)
        details = {"passkey": str(row.id), "name": row.name}
        accounts.note(connection, rights.by(call), "passkey.removed", row.person, at=call.service.now(), details=details)
    return Nothing()


@router.add("POST", "/sessions/passkey/challenge", None, public=True)
def ask_for_sign_in(call: Call) -> dict[str, Any]:
    """What to give `navigator.credentials.get`."""
    return passkey.challenge(call.service, call.request)


class Assertion(Struct, frozen=True, forbid_unknown_fields=True):
    credential: dict[str, Any]
    """What `navigator.credentials.get` gave, as its `toJSON()`."""


@router.add("POST", "/sessions/passkey", None, public=True, status=201, most_bytes=_MOST_BYTES)
def begin_session_by_passkey(call: Call, body: Assertion) -> SignedIn:
    """Sign in with a passkey; the session comes as a cookie."""
    return passkey.sign_in(call.service, call.request, body.credential)
