"""DSSE envelopes: a payload of a type, with signatures over both. Section names are those of DSSE v1.0.2 (protocol.md, envelope.md).

Guarantees
* what is signed is PAE(type, payload), so that a payload is never taken for one of another type;
* both alphabets of base64 are read, as the standard asks, padded; written is the common one;
* a verified payload is the very bytes that were signed: it is decoded once and given back;
* who reads is bounded: an envelope of `MOST_BYTES`, `MOST_SIGNATURES` signatures;
* keys are Ed25519 or ECDSA over P-256 (with SHA-256); a keyid is only a hint for which key to try, never a reason to believe.

Not here: whether a key is to be trusted, which the caller says by giving it, and what a payload means (`statement`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.errors import SignatureInvalid, UsageError
from assaymark.formats.undecodable import UNDECODABLE

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


def sign(payload_type: str, payload: bytes, key: Any) -> bytes:
    """The envelope, as JSON, signed with a private key of `cryptography`."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    said = pae(payload_type, payload)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(said)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        signature = key.sign(said, ec.ECDSA(hashes.SHA256()))
    else:
        raise UsageError("this kind of key does not sign", advice="use Ed25519 or ECDSA over P-256")
    made = Envelope(_written(payload), payload_type, (Signature(_written(signature), keyid(key.public_key())),))
    return msgspec.json.encode(made)


def verify(data: bytes, keys: Sequence[Any], *, payload_type: str = "") -> Verified:
    """The payload of an envelope that at least one of the public keys signed.

    Raises:
        SignatureInvalid: when it is none, is of another type than asked for, or none of the keys signed it.
    """
    envelope = read(data)
    payload = _read(envelope.payload, "payload")
    if payload_type and envelope.payload_type != payload_type:
        raise SignatureInvalid("the envelope is not of this kind", why=f"it says {envelope.payload_type[:100]!r}, expected {payload_type}")
    said = pae(envelope.payload_type, payload)
    named = [(keyid(key), key) for key in keys]
    good: list[str] = []
    for signature in envelope.signatures:
        text = _read(signature.sig, "sig")
        # A keyid that fits is tried first; where it fits none, each key is, because it is unauthenticated.
        chosen = [each for each in named if each[0] == signature.keyid] or named
        good += [name for name, key in chosen if name not in good and _holds(key, said, text)]
    if not good:
        raise SignatureInvalid(
            "no given key signed this", why="the content was changed, or another key signed it", advice="get the public key from the server"
        )
    return Verified(payload, envelope.payload_type, tuple(good))


def read(data: bytes) -> Envelope:
    """An envelope that has a form; nothing is verified.

    Raises:
        SignatureInvalid: when it has none.
    """
    if len(data) > MOST_BYTES:
        raise SignatureInvalid("the envelope is too large", why=f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        found = msgspec.json.decode(data, type=Envelope)
    except UNDECODABLE as error:
        raise SignatureInvalid("this is no DSSE envelope", why=str(error)) from error
    if not 1 <= len(found.signatures) <= MOST_SIGNATURES:
        raise SignatureInvalid(
            "this is no DSSE envelope", why=f"it has {len(found.signatures)} signatures, 1 to {MOST_SIGNATURES} are read"
        )
    return found


def _holds(key: Any, said: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, said)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            key.verify(signature, said, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _written(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _read(text: str, name: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(plain):
        raise SignatureInvalid(f"{name} of the envelope is no base64", why="it has other letters")
    try:
        return base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise SignatureInvalid(f"{name} of the envelope is no base64", why=str(error)) from error


# --- keys ------------------------------------------------------------------------------------------------------------


def keyid(public: Any) -> str:
    """Fingerprint as SSH writes it: ``SHA256:`` and the digest of the key's SSH form, without padding."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    line: bytes = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def public_key(pem: bytes) -> Any:
    """A public key that can verify.

    Raises:
        SignatureInvalid: when it is none, or of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    try:
        found = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureInvalid("this is no public key", why=str(error), advice="give the PEM file that the server shows") from error
    p256 = isinstance(found, ec.EllipticCurvePublicKey) and isinstance(found.curve, ec.SECP256R1)
    if not (p256 or isinstance(found, ed25519.Ed25519PublicKey)):
        raise SignatureInvalid("this kind of key is not used", advice="use Ed25519 or ECDSA over P-256")
    return found


def new_key() -> tuple[bytes, bytes, str]:
    """A new Ed25519 key: private PEM, public PEM, keyid."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, text, keyid(public)


def private_key(pem: bytes) -> Any:
    """A private key, to sign with."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return serialization.load_pem_private_key(pem, password=None)
