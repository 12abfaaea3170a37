"""Content of any size by its digest: verdicts, bills of materials, snapshots. Written once, never changed; the same bytes lie there once.

Guarantees: what `put` returned can be read by every process of the installation; `get` gives bytes whose digest was computed again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, sha256


class Blobs(Protocol):
    def put(self, data: bytes) -> Digest:
        """Keep the bytes."""
        ...

    def get(self, digest: Digest) -> bytes:
        """The bytes.

        Raises:
            SubjectUnreadable: when they are not there or are others.
        """
        ...

    def has(self, digest: Digest) -> bool: ...

    def remove(self, digest: Digest) -> None:
        """Forget them, when nothing refers to them any more."""
        ...


class FolderBlobs:
    """In a folder of the server's machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> Digest:
        digest = sha256(data)
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return digest

    def get(self, digest: Digest) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise SubjectUnreadable(f"{digest} is not kept here", why=error.strerror or str(error)) from error
        return checked(digest, data)

    def has(self, digest: Digest) -> bool:
        return self._path(digest).exists()

    def remove(self, digest: Digest) -> None:
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        name = name_of(digest)
        return self._folder / name[:2] / name


def name_of(digest: Digest) -> str:
    """The hex digits, for file and object names.

    Raises:
        SubjectUnreadable: for text that is no SHA-256 digest, so that no path comes from outside.
    """
    algorithm, _, digits = digest.partition(":")
    if algorithm != "sha256" or len(digits) != 64 or not all(letter in "0123456789abcdef" for letter in digits):
        raise SubjectUnreadable(f"{digest[:80]!r} is no digest", advice="write sha256: and 64 hex digits")
    return digits


def checked(digest: Digest, data: bytes) -> bytes:
    """The bytes, if they are those.

    Raises:
        SubjectUnreadable: when they are others.
    """
    if hashlib.sha256(data).hexdigest() != name_of(digest):
        raise SubjectUnreadable(f"{digest} was changed where it is kept", advice="restore the storage from a backup")
    return data
