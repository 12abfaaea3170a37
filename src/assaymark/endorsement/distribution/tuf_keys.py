"""Our keys as TUF's library knows keys, so that metadata can be signed by whatever signs endorsements: a file, a token, a service."""

from __future__ import annotations

from typing import NoReturn

from securesystemslib.signer import Key, SecretsHandler, Signature, SSlibKey
from securesystemslib.signer import Signer as Foreign

from assaymark.endorsement.keys import PublicKey, Signer


def key_of(public: PublicKey) -> SSlibKey:
    """A public key, under the id that TUF computes of it."""
    return SSlibKey.from_crypto(public.key)


class Signing(Foreign):
    """A signer of ours."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._key = key_of(signer.public)

    @property
    def public_key(self) -> Key:
        return self._key

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None) -> NoReturn:
        """Ours are opened by `signers.opening` alone."""
        raise NotImplementedError(priv_key_uri, public_key, secrets_handler)

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._signer.sign(payload).hex())
