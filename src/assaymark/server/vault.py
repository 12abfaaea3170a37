"""Seals what the server must be able to read again (tokens of forges, webhook secrets) with a key that lies apart from the database.

AES-256-GCM; the name of what is sealed is bound to it, so that a sealed value cannot be moved to another row.
"""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assaymark.checks.settings import Secret
from assaymark.errors import UsageError

_KEY = 32
_NONCE = 12


class Vault:
    """Holds the key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key = key

    def seal(self, name: str, value: str) -> bytes:
        """Ciphertext that only `open` with the same name reads."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value.encode(), name.encode())

    def derive(self, purpose: str) -> bytes:
        """Bytes that only this installation can make: one value per purpose, which says nothing of the key."""
        return hmac.digest(self._key, b"derive\0" + purpose.encode(), "sha256")

    def open(self, name: str, sealed: bytes) -> Secret:
        """The value.

        Raises:
            UsageError: when it was sealed with another key or for another name.
        """
        try:
            return Secret(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()))
        except InvalidTag as error:
            raise UsageError(
                f"{name} cannot be opened", why="it was sealed with another key", advice="restore the file `vault.key`, or enter it anew"
            ) from error


def open_vault(path: Path) -> Vault:
    """The vault whose key is in this file; made when there is none.

    Raises:
        UsageError: when the file is open to others or holds no key.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return Vault(_read(path))
    with os.fdopen(file, "wb") as stream:
        stream.write(os.urandom(_KEY))
    return Vault(_read(path))


def _read(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as stream:
        status = os.fstat(file)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise UsageError(f"{path} is open to others", advice=f"chmod 600 {path}")
        key = stream.read(_KEY + 1)
    if len(key) != _KEY:
        raise UsageError(f"{path} holds no key", advice="restore it from a backup; without it the forges' tokens have to be entered anew")
    return key
