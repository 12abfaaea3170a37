"""Keys that sign and verify: ECDSA over P-256 (with SHA-256) and Ed25519, named as SSH names them.

Guarantees: a keyid is computed from the key itself, never taken from whoever offers it; a signature over P-256 is written as DER, and read
as DER or as r and s side by side, since both are met in the wild (DSSE's own example and PKCS#11 have the latter).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from msgspec import Struct

from assaymark.errors import SignatureInvalid, UsageError

_RAW = 64
_SEQUENCE = 0x30


class PublicKey(Struct, frozen=True):
    """One that verifies."""

    id: str
    """``SHA256:`` and the digest of its SSH form (`ssh-keygen -l`)."""
    pem: str
    key: Any
    """Of `cryptography`."""

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether the owner of this key signed these bytes."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

        edwards = isinstance(self.key, ed25519.Ed25519PublicKey)
        for form in (signature,) if edwards else _forms(signature):
            with suppress(InvalidSignature):
                if edwards:
                    self.key.verify(form, data)
                else:
                    self.key.verify(form, data, ec.ECDSA(hashes.SHA256()))
                return True
        return False


class Signer(Protocol):
    """Signs with one key, wherever that lies: a file, a token, a service."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, data: bytes) -> bytes:
        """DER for P-256, 64 bytes for Ed25519.

        Raises:
            AssayError: when the place of the key does not answer.
        """
        ...


class KeySigner:
    """Signs with a private key of `cryptography` in this process."""

    def __init__(self, private: Any) -> None:
        self._private = private
        self._public = of_key(private.public_key())

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(data)
        signature: bytes = self._private.sign(data, ec.ECDSA(hashes.SHA256()))
        return signature


def of_key(key: Any) -> PublicKey:
    """A public key of `cryptography`.

    Raises:
        UsageError: when it is of another kind than the two.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if not (p256 or isinstance(key, ed25519.Ed25519PublicKey)):
        raise UsageError("this kind of key is not used", advice="use ECDSA over P-256 or Ed25519")
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return PublicKey("SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("="), pem.decode("ascii"), key)


def public_key(pem: bytes) -> PublicKey:
    """A public key in PEM.

    Raises:
        SignatureInvalid: when it is none, or of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        return of_key(serialization.load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureInvalid("this is no public key", why=str(error), advice="give the PEM file that the server shows") from error
    except UsageError as error:
        raise SignatureInvalid(error.what, advice=error.advice) from error


def private_key(pem: bytes, passphrase: bytes | None = None) -> KeySigner:
    """A private key in PEM (PKCS#8), to sign with.

    Raises:
        UsageError: when it is none, is of another kind, or the passphrase does not open it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        return KeySigner(serialization.load_pem_private_key(pem, password=passphrase))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError("the private key cannot be read", why=str(error), advice="check the passphrase; the key is PEM, PKCS#8") from error


def new_key(kind: str = "ecdsa-p256", passphrase: bytes | None = None) -> tuple[bytes, PublicKey]:
    """A new private key in PEM, encrypted when a passphrase is given, and its public part. ``ecdsa-p256`` or ``ed25519``."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415

    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        sealing = serialization.BestAvailableEncryption(passphrase)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
    return private, of_key(key.public_key())


def _forms(signature: bytes) -> Iterator[bytes]:
    """What it may be as DER. One in 65,536 of those side by side begins as a sequence of its length would: both are tried."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415

    if len(signature) != _RAW or (signature[0] == _SEQUENCE and signature[1] == _RAW - 2):
        yield signature
    if len(signature) == _RAW:
        half = _RAW // 2
        yield encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
