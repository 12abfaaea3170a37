"""Content of any size by its digest: verdicts, bills of materials, snapshots. Written once, never changed; the same bytes lie there once.

Guarantees: what `put` returned can be read by every process of the installation; `get` gives bytes whose digest was computed again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, sha256

_PIECE = 1 << 20


class Blobs(Protocol):
    def put(self, data: bytes) -> Digest:
        """Keep the bytes."""
        ...

    def put_file(self, path: Path) -> Digest:
        """Keep what a file holds, a piece at a time."""
        ...

    def get(self, digest: Digest) -> bytes:
        """The bytes.

        Raises:
            SubjectUnreadable: when they are not there or are others.
        """
        ...

    def get_file(self, digest: Digest, target: Path) -> None:
        """The bytes into a file, a piece at a time; the file appears whole or not at all.

        Raises:
            SubjectUnreadable: when they are not there or are others.
        """
        ...

    def has(self, digest: Digest) -> bool: ...

    def remove(self, digest: Digest) -> None:
        """Forget them, when nothing refers to them any more."""
        ...

    def every(self) -> Iterator[Digest]:
        """Digests of all that is kept, sorted; without what is put meanwhile, perhaps."""
        ...


class FolderBlobs:
    """In a folder of the server's machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> Digest:
        digest = sha256(data)
        self._keep(digest, io.BytesIO(data))
        return digest

    def put_file(self, path: Path) -> Digest:
        digest = digest_of_file(path)
        with path.open("rb") as file:
            self._keep(digest, file)
        return digest

    def get(self, digest: Digest) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise missing(digest, error.strerror or str(error)) from error
        return checked(digest, data)

    def get_file(self, digest: Digest, target: Path) -> None:
        try:
            with self._path(digest).open("rb") as file:
                write_checked(digest, pieces(file), target)
        except OSError as error:
            raise missing(digest, error.strerror or str(error)) from error

    def has(self, digest: Digest) -> bool:
        return self._path(digest).exists()

    def remove(self, digest: Digest) -> None:
        self._path(digest).unlink(missing_ok=True)

    def every(self) -> Iterator[Digest]:
        for path in sorted(self._folder.glob(f"{'[0-9a-f]' * 2}/{'[0-9a-f]' * 64}")):
            yield Digest(f"sha256:{path.name}")

    def _keep(self, digest: Digest, source: IO[bytes]) -> None:
        """Written beside its place, flushed to the disk, then put in it, and the folder flushed: it is there whole or not at all."""
        path = self._path(digest)
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            write_checked(digest, pieces(source), draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

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
        raise changed(digest)
    return data


def missing(digest: Digest, why: str) -> SubjectUnreadable:
    return SubjectUnreadable(f"{digest} is not kept here", why=why)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of a file."""
    while piece := file.read(_PIECE):
        yield piece


def write_checked(digest: Digest, data: Iterable[bytes], target: Path) -> None:
    """Into a file of its own, on the disk, if the bytes are those; otherwise there is no file.

    Raises:
        SubjectUnreadable: when they are others.
    """
    state = hashlib.sha256()
    draft = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
    try:
        with draft.open("xb") as file:
            for piece in data:
                state.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if state.hexdigest() != name_of(digest):
            raise changed(digest)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def digest_of_file(path: Path) -> Digest:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def changed(digest: Digest) -> SubjectUnreadable:
    return SubjectUnreadable(f"{digest} was changed where it is kept", advice="restore the storage from a backup")
