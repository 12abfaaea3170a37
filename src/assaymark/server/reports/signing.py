"""The server's key for what it issues: made when it is first needed, sealed by the vault, its public part for everybody.

Guarantees: the private key is never written in the open and leaves this module only as a signature; of two processes that need it first,
one makes it. Old public keys stay, because what they signed stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement import dsse, keys
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.store import signing_keys
from assaymark.store.signing_keys import KeyRow


class Signed(Struct, frozen=True):
    envelope: bytes
    keyid: str


def sign(service: Service, connection: sa.Connection, payload_type: str, payload: bytes) -> Signed:
    """An envelope by the present key, within the caller's transaction."""
    row, sealed = _present(service, connection)
    key = keys.private_key(service.vault.open(_name(row.keyid), sealed).value)
    return Signed(dsse.written(dsse.sign(payload_type, payload, key)), row.keyid)


def ensure(service: Service, connection: sa.Connection) -> KeyRow:
    """The present key's public part."""
    return _present(service, connection)[0]


def _present(service: Service, connection: sa.Connection) -> tuple[KeyRow, bytes]:
    signing_keys.lock(connection)
    found = signing_keys.present(connection)
    if found is None:
        private, public = keys.new_key("ed25519")
        sealed = service.vault.seal(_name(public.id), private.decode("ascii"))
        signing_keys.add(connection, KeyRow(0, public.id, public.pem, Instant(service.now()), None), sealed)
        found = signing_keys.present(connection)
    assert found is not None  # noqa: S101 - it was added above
    return found


def _name(keyid: str) -> str:
    return f"signing-key:{keyid}"
