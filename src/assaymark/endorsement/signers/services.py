"""A key in a service (AWS KMS, Google Cloud KMS, Azure Key Vault, HashiCorp Vault), through securesystemslib's signers.

Guarantees: only what securesystemslib's `Signer` offers is used (`public_key`, `sign`), so that whatever has this interface signs; a
signature is tried with the public key before it is given on, since a network lies between; both forms of ECDSA become DER. Credentials
are the service's own ambient ones (`AWS_…`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_…`, `VAULT_ADDR` and `VAULT_TOKEN`).

Not guaranteed: no service was at hand when this was made; it was tried with stand-ins that have securesystemslib's interface, and its
classes' signatures are compared in tests.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from assaymark.endorsement import keys
from assaymark.endorsement.keys import PublicKey
from assaymark.errors import EngineMissing, SignatureInvalid, UsageError

P256, ED25519 = "ecdsa-sha2-nistp256", "ed25519"
CLASSES = {"awskms": "AWSSigner", "gcpkms": "GCPSigner", "azurekms": "AzureSigner", "hashivault": "VaultSigner"}
"""Scheme of an address -> class of `securesystemslib.signer`."""
_RAW = 64


class ForeignKey(Protocol):
    """securesystemslib's `SSlibKey`, as far as it is used."""

    scheme: str
    keyval: dict[str, Any]


class ForeignSignature(Protocol):
    @property
    def signature(self) -> str:
        """In hexadecimal."""
        ...


class Foreign(Protocol):
    """securesystemslib's `Signer`, as far as it is used."""

    @property
    def public_key(self) -> Any: ...

    def sign(self, payload: bytes) -> Any: ...


def open_service(address: str) -> ForeignSigner:
    """The signer at an address.

    Raises:
        UsageError: when the address or the key makes no sense.
        EngineMissing: when the service's library is not installed, or the service does not answer.
    """
    scheme, _, place = address.partition(":")
    try:
        kind = getattr(import_module("securesystemslib.signer"), CLASSES[scheme])
    except ImportError as error:
        raise EngineMissing(f"{scheme} cannot be opened", why=str(error), advice="pip install 'assaymark[kms]'") from error
    arguments = _import_arguments(scheme, place, address)
    try:
        uri, public = kind.import_(*arguments)
        found = kind.from_priv_key_uri(uri, public)
    except Exception as error:
        raise _silent(scheme, error) from error
    _same_version(address, place, uri)
    return ForeignSigner(found, scheme)


def _import_arguments(scheme: str, place: str, address: str) -> tuple[str, ...]:
    if scheme == "awskms":
        return (place, P256)
    if scheme == "gcpkms":
        return (place,)
    if scheme == "hashivault":
        return (place.partition("/")[0],)
    parts = urlsplit(address)
    vault, _, rest = (parts.hostname or "").partition(".")
    words = parts.path.strip("/").split("/")
    if not vault or rest != "vault.azure.net" or words[0] != "keys" or len(words) not in (2, 3):
        raise UsageError(f"{address[:200]!r} names no key", advice="write it as azurekms://<vault>.vault.azure.net/keys/<key>")
    return (vault, words[1])


def _same_version(address: str, place: str, uri: str) -> None:
    """An address that names a version means that one; these libraries give the newest."""
    named = place.rstrip("/").rpartition("/")[2]
    versioned = (address.startswith("azurekms:") and place.count("/") == 5) or (address.startswith("hashivault:") and "/" in place)
    if versioned and uri.rstrip("/").rpartition("/")[2] != named:
        raise UsageError(
            f"{address[:200]!r} is not the newest version of its key", why=f"that is {uri[:200]}", advice="name that version, or none"
        )


class ForeignSigner:
    """A signer of securesystemslib, or of anybody who has its interface, as one of ours."""

    def __init__(self, foreign: Foreign, name: str) -> None:
        self._foreign, self._name = foreign, name
        self._public = public_of(foreign.public_key)

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        """DER for P-256, 64 bytes for Ed25519.

        Raises:
            EngineMissing: when the service does not answer, or gives what its key did not sign.
        """
        try:
            signature = bytes.fromhex(self._foreign.sign(data).signature)
        except Exception as error:
            raise _silent(self._name, error) from error
        made = self._der(signature)
        if not self._public.holds(made, data):
            raise EngineMissing(f"{self._name} gave a signature that does not hold", advice="look at which key the address names")
        return made

    def _der(self, signature: bytes) -> bytes:
        if self._is_ed25519() or len(signature) != _RAW or signature[:2] == b"\x30\x3e":
            return signature
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415

        return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))

    def _is_ed25519(self) -> bool:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        return isinstance(self._public.key, Ed25519PublicKey)


def public_of(key: ForeignKey) -> PublicKey:
    """A key of securesystemslib.

    Raises:
        UsageError: when it is of another kind than the two.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    value = str(key.keyval.get("public", ""))
    try:
        if key.scheme == ED25519:
            return keys.of_key(Ed25519PublicKey.from_public_bytes(bytes.fromhex(value)))
        if key.scheme == P256:
            return keys.public_key(value.encode())
    except (ValueError, SignatureInvalid) as error:
        raise UsageError("the service's public key cannot be read", why=str(error)) from error
    raise UsageError("this kind of key is not used", why=f"its scheme is {key.scheme[:60]!r}", advice="use ECDSA over P-256, or Ed25519")


def _silent(name: str, error: Exception) -> EngineMissing:
    """With the kind of the error and no word of it: libraries of services repeat what they were given."""
    return EngineMissing(f"{name} does not answer", why=type(error).__name__, advice="look at its credentials and its network")
