"""Signatures of outgoing webhooks as Standard Webhooks 1.0.2 has them: ``v1`` (HMAC-SHA256) and ``v1a`` (Ed25519).

Guarantees: what is signed is the message's number, the moment of the attempt and the body, byte for byte; while a secret is being replaced
there is a signature by each of the two, so that the receiver may change over whenever it likes.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from assaymark.errors import UsageError

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
_BYTES = 32
_LEAST, _MOST = 24, 64
"""Bytes of a secret, as the specification recommends."""


class SigningKeys(Struct, frozen=True):
    """What a receiver's messages are signed with; its representation shows none of it."""

    secrets: tuple[str, ...]
    """``whsec_`` and base64, the present one first."""
    private: str = ""
    """``whsk_`` and base64; empty without Ed25519."""

    def __repr__(self) -> str:
        return f"SigningKeys({len(self.secrets)} secrets)"


def new_secret() -> str:
    """A secret that nobody can guess."""
    return SECRET + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def checked_secret(text: str) -> str:
    """A secret that somebody entered, in its one form.

    Raises:
        UsageError: when it is none.
    """
    if not _LEAST <= len(_bytes(text, SECRET)) <= _MOST:
        raise UsageError(
            f"a signing secret has {_LEAST} to {_MOST} bytes", advice=f"write {SECRET}… in base64, or leave it out and one is made"
        )
    return SECRET + base64.b64encode(_bytes(text, SECRET)).decode()


def new_pair() -> tuple[str, str]:
    """(private, public) of Ed25519."""
    key = Ed25519PrivateKey.generate()
    return PRIVATE + base64.b64encode(key.private_bytes_raw()).decode(), PUBLIC + _public(key)


def headers(keys: SigningKeys, message: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three fields of one attempt."""
    signed = f"{message}.{seconds}.".encode() + body
    found = [f"v1,{base64.b64encode(hmac.digest(_bytes(each, SECRET), signed, 'sha256')).decode()}" for each in keys.secrets]
    if keys.private:
        key = Ed25519PrivateKey.from_private_bytes(_bytes(keys.private, PRIVATE))
        found.append(f"v1a,{base64.b64encode(key.sign(signed)).decode()}")
    return {"webhook-id": message, "webhook-timestamp": str(seconds), "webhook-signature": " ".join(found)}


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _bytes(text: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("a signing secret is no base64", advice=f"write {prefix}… in base64, or leave it out and one is made") from error
