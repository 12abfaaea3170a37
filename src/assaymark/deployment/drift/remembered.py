"""Hashes of files, remembered by what the kernel alone can write: a file's inode and the time of its last change (``ctime``).

Guarantees
* content, owner, mode, attributes and names cannot be changed through the file system without a new ``ctime``, whatever is done to other
  times; what changed within the last moments is not remembered, because a second change could carry the same time;
* once in each period everything is read, at an instant drawn by chance when the period before it began; also when the clock went back;
* a memory that is another user's, no regular file, or damaged remembers nothing.

It does not protect from who writes to the disk beneath the file system, sets the clock or writes this file, all of which take root: that is
what reading everything at an instant that he cannot know is for.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import SECOND, Instant
from assaymark.subjects.manifest_reading import Known

VERSION = 1
DAY = Instant(86_400 * SECOND)
_SETTLED = 2_000_000_000
"""Nanoseconds after which the clock that stamps changes has moved on, on every file system that counts."""
_MOST_BYTES = 1 << 30


class _File(Struct, frozen=True, array_like=True):
    device: int
    inode: int
    changed: int
    modified: int
    size: int
    hash: bytes
    attributes: dict[str, str]


class _Kept(Struct, frozen=True, array_like=True):
    version: int
    at: int
    full_at: int
    """When everything is read again."""
    files: list[_File]


class Remembered:
    """Of one tree, during one pass."""

    def __init__(self, path: Path, now: Instant, *, period: Instant = DAY, full: bool = False) -> None:
        """`full`: read everything now, and remember it."""
        self._path, self._now, self._period = path, now, period
        kept = _load(path)
        self.full = full or kept is None or now >= kept.full_at or now < kept.at or kept.full_at > now + 2 * period
        self._full_at = drawn(now, period) if self.full or kept is None else Instant(kept.full_at)
        self._known = {} if self.full or kept is None else {(each.device, each.inode): each for each in kept.files}
        self._seen: list[_File] = []
        self.recalled = 0

    def recall(self, status: os.stat_result) -> Known | None:
        """What is known of the file with this status."""
        known = self._known.get((status.st_dev, status.st_ino))
        if known is None or known.changed != status.st_ctime_ns or known.size != status.st_size or known.modified != status.st_mtime_ns:
            return None
        self._seen.append(known)
        self.recalled += 1
        return Known(known.hash.hex(), known.attributes)

    def keep(self, status: os.stat_result, known: Known) -> None:
        """Remember it, if it has been so for long enough."""
        if status.st_ctime_ns > self._now * 1000 - _SETTLED:
            return
        seal = bytes.fromhex(known.hash)
        where = (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size)
        self._seen.append(_File(*where, seal, known.attributes))

    def save(self) -> None:
        """Write it down: what this pass met, and nothing else.

        Raises:
            UsageError: when it cannot be written.
        """
        data = msgspec.msgpack.encode(_Kept(VERSION, self._now, self._full_at, self._seen))
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            draft.replace(self._path)
        except OSError as error:
            raise UsageError(f"{self._path} cannot be written", why=error.strerror or str(error)) from error


def drawn(now: Instant, period: Instant, below: Callable[[int], int] = secrets.randbelow) -> Instant:
    """An instant in the next period that nobody can foretell."""
    return Instant((now // period + 1) * period + below(period))


def _load(path: Path) -> _Kept | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        mine = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
        if not mine or status.st_size > _MOST_BYTES:
            return None
        try:
            kept = msgspec.msgpack.decode(file.read(_MOST_BYTES), type=_Kept)
        except UNDECODABLE:
            return None
    return kept if kept.version == VERSION else None
