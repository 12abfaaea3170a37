"""DSSE envelopes: a payload of a type, with signatures over both. Section names are those of DSSE v1.0.2 (protocol.md, envelope.md).

Guarantees
* what is signed is PAE(type, payload), so that a payload is never taken for one of another type;
* both alphabets of base64 are read, as the standard asks, padded, one of them at a time and in the one spelling that bytes have; written is
  the common one;
* a verified payload is the very bytes that were signed: it is decoded once and given back;
* who reads is bounded: an envelope of `MOST_BYTES`, `MOST_SIGNATURES` signatures;
* a keyid is only a hint for which key to try, never a reason to believe; a name that stands twice makes it no envelope.

Not here: whether a key is to be trusted, which the caller says by giving it, and what a payload means (`statement`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.endorsement.keys import PublicKey, Signer
from assaymark.errors import SignatureInvalid

MOST_BYTES = 16 << 20
MOST_SIGNATURES = 16
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Signature(Struct, frozen=True):
    sig: str
    keyid: str = ""


class Envelope(Struct, frozen=True, rename="camel"):
    """As JSON writes it; what it holds besides is not looked at."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


class Verified(Struct, frozen=True):
    """What holds."""

    payload: bytes
    payload_type: str
    keyids: tuple[str, ...]
    """Of the keys that signed it, as they are computed from the keys themselves."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, *signers: Signer) -> Envelope:
    """The envelope, signed by each of them."""
    said = pae(payload_type, payload)
    return Envelope(_written(payload), payload_type, tuple(Signature(_written(each.sign(said)), each.public.id) for each in signers))


def written(envelope: Envelope) -> bytes:
    """As JSON."""
    return msgspec.json.encode(envelope)


def verify(data: bytes, keys: Sequence[PublicKey], *, payload_type: str = "") -> Verified:
    """The payload of an envelope that at least one of the public keys signed.

    Raises:
        SignatureInvalid: when it is none, is of another type than asked for, or none of the keys signed it.
    """
    envelope = read(data)
    payload = payload_of(envelope)
    if payload_type and envelope.payload_type != payload_type:
        raise SignatureInvalid("the envelope is not of this kind", why=f"it says {envelope.payload_type[:100]!r}, expected {payload_type}")
    good = signed_by(envelope, payload, keys)
    if not good:
        raise SignatureInvalid(
            "no given key signed this", why="the content was changed, or another key signed it", advice="get the public key from the server"
        )
    return Verified(payload, envelope.payload_type, tuple(key.id for key in good))


def signed_by(envelope: Envelope, payload: bytes, keys: Sequence[PublicKey]) -> list[PublicKey]:
    """Which of these keys signed it, each once.

    Raises:
        SignatureInvalid: when a signature is no base64.
    """
    said = pae(envelope.payload_type, payload)
    good: list[PublicKey] = []
    for signature in envelope.signatures:
        text = _read(signature.sig, "sig")
        # A keyid is unauthenticated: it only says which key to try first.
        for key in sorted(keys, key=lambda each, hint=signature.keyid: each.id != hint):  # type: ignore[misc]
            if key.holds(text, said):
                if key not in good:
                    good.append(key)
                break
    return good


def payload_of(envelope: Envelope) -> bytes:
    """Its bytes, of which nothing is believed yet.

    Raises:
        SignatureInvalid: when they are no base64.
    """
    return _read(envelope.payload, "payload")


def read(data: bytes) -> Envelope:
    """An envelope that has a form; nothing is verified.

    Raises:
        SignatureInvalid: when it has none.
    """
    if len(data) > MOST_BYTES:
        raise SignatureInvalid("the envelope is too large", why=f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        return checked(strict_json.read(data, Envelope))
    except strict_json.NotStrictError as error:
        raise SignatureInvalid("this is no DSSE envelope", why=str(error)) from error


def checked(envelope: Envelope) -> Envelope:
    """The same, with a bounded number of signatures.

    Raises:
        SignatureInvalid: when it has none or too many.
    """
    number = len(envelope.signatures)
    if not 1 <= number <= MOST_SIGNATURES:
        raise SignatureInvalid("this is no DSSE envelope", why=f"it has {number} signatures, 1 to {MOST_SIGNATURES} are read")
    return envelope


def _written(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _read(text: str, name: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(plain) or (plain != text and ("+" in text or "/" in text)):
        raise SignatureInvalid(f"{name} of the envelope is no base64", why="it has other letters, or those of two alphabets")
    try:
        found = base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise SignatureInvalid(f"{name} of the envelope is no base64", why=str(error)) from error
    if _written(found) != plain:
        raise SignatureInvalid(f"{name} of the envelope is no base64", why="its last letter holds bits that stand for nothing")
    return found
