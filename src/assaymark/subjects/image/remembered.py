"""What was found out about layers and images, kept in the cache folder by digest, for every image that shares them.

Guarantees: entries appear whole or not at all (written aside, then renamed); each carries the SHA-256 of its content, and one that is
damaged, of another version or of another shape is as good as absent; the folder is bounded, the entries that were used longest ago go
first. Nothing here decides what is true: a layer's index is only looked up after the layer's bytes were proved to be that layer, or when
the file that holds it is to the last nanosecond the one in which they were.
"""

# Paths of the cache are strings as everywhere in this room:
# ruff: noqa: PTH103, PTH108, PTH118, PTH123
from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TypeVar

import msgspec

from assaymark.formats.undecodable import UNDECODABLE

VERSION = b"assaymark-image/5\n"
"""Raise the number whenever an index of the same layer would be another."""
MOST_BYTES = 1 << 30
"""Of the folder: the indexes of about 500 layers of a gigabyte."""
_RACY_NS = 2_000_000_000
"""A file that was written so shortly ago may be written again without its times telling."""

_HEAD = len(VERSION) + 4
_Value = TypeVar("_Value")


class Remembered:
    """The cache. An empty folder name remembers nothing."""

    def __init__(self, cache: str) -> None:
        self._folder = os.path.join(cache, "images") if cache else ""

    @property
    def folder(self) -> str:
        """Where it is; empty for nowhere."""
        return self._folder

    @property
    def usable_folder(self) -> str:
        """The folder if it is there already."""
        return self._folder if os.path.isdir(self._folder) else ""  # noqa: PTH112

    def recall(self, kind: str, key: str, shape: type[_Value]) -> _Value | None:
        """What was kept, or None."""
        if not self._folder:
            return None
        path = self._path(kind, key)
        try:
            with open(path, "rb") as file:
                data = file.read()
            head, body = data[:_HEAD], memoryview(data)[_HEAD:]
            if head != VERSION + _checksum(body):
                return None
            value = msgspec.msgpack.decode(body, type=shape)
        except (*UNDECODABLE, OSError):
            return None
        with suppress(OSError):
            os.utime(path)
        return value

    def holds(self, kind: str, key: str) -> bool:
        """Whether something is there that `recall` would look at; keeps it from being cleared away soon."""
        with suppress(OSError):
            if self._folder:
                os.utime(self._path(kind, key))
                return True
        return False

    def keep(self, kind: str, key: str, value: object) -> None:
        """Keep a value; a folder that cannot be written is no error, only slow."""
        if not self._folder:
            return
        try:
            body = msgspec.msgpack.encode(value)
        except UnicodeEncodeError:
            return  # names that are no UTF-8; rare enough to be looked at again each time
        if len(body) > MOST_BYTES // 4:
            return
        path = self._path(kind, key)
        draft = f"{path}.{os.getpid()}"
        with suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(VERSION + _checksum(body))
                file.write(body)
            os.replace(draft, path)  # noqa: PTH105
            if len(body) > 4096:
                self._prune()

    def _path(self, kind: str, key: str) -> str:
        return os.path.join(self._folder, f"{kind}-{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}")

    def _prune(self) -> None:
        rows = []
        with os.scandir(self._folder) as names:
            for name in names:
                with suppress(OSError):
                    status = name.stat(follow_symlinks=False)
                    rows.append((status.st_mtime_ns, status.st_size, name.path))
        left = sum(size for _, size, _ in rows)
        for _, size, path in sorted(rows):
            if left <= MOST_BYTES:
                break
            with suppress(OSError):
                os.unlink(path)
            left -= size


def _checksum(body: bytes | memoryview) -> bytes:
    """Against damage; whoever may write into the user's own cache may also write the right checksum."""
    from isal import isal_zlib  # noqa: PLC0415 - ten times faster than the library's, and only for images

    return isal_zlib.crc32(body).to_bytes(4, "big")


def state(path: str) -> str:
    """What tells one state of a file from any other, as git's index does."""
    status = os.stat(path)  # noqa: PTH116
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def stamp(path: str) -> str:
    """The state, or nothing for a file that is so young that it could change without its times telling."""
    status = os.stat(path)  # noqa: PTH116
    is_young = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _RACY_NS
    return "" if is_young else state(path)
