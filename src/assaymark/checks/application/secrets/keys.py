"""The installation's key: under which identity a secret is known. Small, because every commit asks for the key's id."""

from __future__ import annotations

import hashlib
import hmac

from assaymark.checks.settings import Secret


class Key:
    """The installation's key and what may be said of it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self.id = hashlib.sha256(b"assaymark key id" + secret.value).hexdigest()[:16]

    def name_of(self, value: Secret) -> str:
        """Identity of a value under this key."""
        return hmac.new(self._secret.value, value.value, hashlib.sha256).hexdigest()
