"""The kernel's fanotify, by its system calls: which names in a file system were changed, and by which process.

After ``fanotify(7)``, ``fanotify_init(2)``, ``fanotify_mark(2)``, ``open_by_handle_at(2)``; reports folders by their handles and names in
them (``FAN_REPORT_DFID_NAME``, Linux 5.9). Guarantees: when the kernel lost events, that is an event (`Happened.lost`); nothing below a
watched folder is dropped here. Needs CAP_SYS_ADMIN to watch a file system and CAP_DAC_READ_SEARCH to turn a handle into a path.

Not told: writing through a shared mapping before its file is closed, and writing by a hard link that lies outside of the folder.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from msgspec import Struct

from assaymark.deployment.drift.who import UNKNOWN, Process, process
from assaymark.errors import EngineMissing
from assaymark.subjects.listing import printable_name

_INIT = 0x00000001 | 0x00000002 | 0x00000400 | 0x00000800
"""FAN_CLOEXEC, FAN_NONBLOCK, FAN_REPORT_DIR_FID, FAN_REPORT_NAME; class FAN_CLASS_NOTIF."""
_PIDFD = 0x00000080
"""FAN_REPORT_PIDFD, Linux 5.15: whose process it was, even when its number is given to another one."""
_ADD, _FILESYSTEM = 0x00000001, 0x00000100
MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_ONDIR, _OVERFLOW = 0x40000000, 0x4000
NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE
"""What may concern everything below a name."""
MASK = MODIFY | ATTRIB | CLOSE_WRITE | NAMES | _ONDIR
_HEAD = struct.Struct("=IBBHqii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
_INFO = struct.Struct("=BBH")  # info_type, pad, len
_DFID_NAME, _PIDFD_INFO = 2, 4
_FSID = 8
_SIZE = 1 << 16
_ADVICE = "without --watch the same is found by scanning, at intervals"


class Happened(Struct, frozen=True):
    """One event below a watched folder."""

    root: int
    """Of which watched folder, by the number that `Fanotify.watch` gave."""
    path: bytes = b""
    """Below it, ``.`` for itself; empty when `lost`."""
    mask: int = 0
    who: Process = UNKNOWN
    lost: bool = False
    """The kernel, or we, could not tell what happened: it must be looked for everywhere below this root."""


class _Root(Struct, frozen=True):
    fd: int
    path: bytes
    fsid: bytes


class Fanotify:
    """A group that watches whole file systems, and tells what happens below folders of them.

    A change in a folder that is gone by the time it is read is not told: nothing of it is left, and that the folder went is an event too.
    """

    def __init__(self) -> None:
        """Open it.

        Raises:
            EngineMissing: when the kernel or the user's rights do not let it.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        for name in ("fanotify_init", "fanotify_mark", "open_by_handle_at"):
            if not hasattr(self._libc, name):
                raise EngineMissing("changes cannot be watched", why=f"the C library has no {name}", advice=_ADVICE)
        self._roots: list[_Root] = []
        self.fd = self._libc.fanotify_init(_INIT | _PIDFD, os.O_RDONLY | os.O_CLOEXEC)
        self._has_pidfd = self.fd >= 0
        if self.fd < 0 and ctypes.get_errno() == errno.EINVAL:
            self.fd = self._libc.fanotify_init(_INIT, os.O_RDONLY | os.O_CLOEXEC)
        if self.fd < 0:
            raise _refused(ctypes.get_errno())

    def watch(self, path: str | bytes) -> int:
        """Watch what lies below a folder; gives its number.

        Raises:
            EngineMissing: when it cannot be watched.
        """
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fsid = struct.pack("=Q", os.fstatvfs(fd).f_fsid)
        mark = self._libc.fanotify_mark
        mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
        refused = ctypes.get_errno() if mark(self.fd, _ADD | _FILESYSTEM, MASK, fd, None) < 0 else 0
        if not refused and self._libc.open_by_handle_at(fd, ctypes.create_string_buffer(8), os.O_PATH) < 0:
            refused = errno.EPERM if ctypes.get_errno() == errno.EPERM else 0  # what it says of no handle at all is of no matter
        if refused:
            os.close(fd)
            raise _refused(refused, os.fsdecode(path))
        self._roots.append(_Root(fd, _place(fd), fsid))
        return len(self._roots) - 1

    def read(self) -> Iterator[Happened]:
        """What happened since; nothing when nothing did."""
        while True:
            try:
                data = os.read(self.fd, _SIZE)
            except BlockingIOError:
                return
            yield from self._events(data)

    def wait(self, seconds: float) -> bool:
        """Whether something happened within the time."""
        return bool(select.select([self.fd], [], [], seconds)[0])

    def close(self) -> None:
        for fd in (self.fd, *(root.fd for root in self._roots)):
            with suppress(OSError):
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _events(self, data: bytes) -> Iterator[Happened]:
        place = 0
        while place + _HEAD.size <= len(data):
            length, _, _, head, mask, fd, pid = _HEAD.unpack_from(data, place)
            if fd >= 0:  # not asked for
                os.close(fd)
            if mask & _OVERFLOW:
                yield from (Happened(number, lost=True, mask=mask) for number in range(len(self._roots)))
            else:
                yield from self._event(mask, pid, data[place + head : place + length])
            place += length

    def _event(self, mask: int, pid: int, infos: bytes) -> Iterator[Happened]:
        where, pidfd = b"", -1
        place = 0
        while place + _INFO.size <= len(infos):
            kind, _, length = _INFO.unpack_from(infos, place)
            inner = infos[place + _INFO.size : place + length]
            if kind == _DFID_NAME:
                where = inner
            elif kind == _PIDFD_INFO:
                pidfd = struct.unpack_from("=i", inner)[0]
            place += max(length, _INFO.size)
        try:
            found = list(self._places(where))
            who = process(pid, pidfd if self._has_pidfd else None) if found else UNKNOWN
        finally:
            if pidfd >= 0:
                os.close(pidfd)
        for number, path in found:
            yield Happened(number, path, mask, who) if path is not None else Happened(number, lost=True, mask=mask)

    def _places(self, info: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Below which roots a folder's handle and a name in it are, and where; None: it cannot be told."""
        size = struct.unpack_from("=I", info, _FSID)[0] if len(info) >= _FSID + 8 else 0
        end = _FSID + 8 + size
        name = info[end:].partition(b"\0")[0]
        for number, root in enumerate(self._roots):
            if root.fsid != info[:_FSID]:
                continue
            fd = self._libc.open_by_handle_at(root.fd, ctypes.create_string_buffer(info[_FSID:end], 8 + size), os.O_PATH | os.O_CLOEXEC)
            if fd < 0:
                if ctypes.get_errno() != errno.ESTALE:
                    yield number, None
                continue
            try:
                folder = _place(fd)
            finally:
                os.close(fd)
            path = _below(root.path, folder if name in {b"", b"."} else folder.rstrip(b"/") + b"/" + name)
            if path:
                yield number, path


def _place(fd: int) -> bytes:
    return os.fsencode(Path(f"/proc/self/fd/{fd}").readlink())


def _below(root: bytes, path: bytes) -> bytes:
    """A path as seen from a folder; empty when it is not below."""
    if path == root:
        return b"."
    inside = root.rstrip(b"/") + b"/"
    return path[len(inside) :] if path.startswith(inside) else b""


def _refused(number: int, path: str = "") -> EngineMissing:
    if number == errno.EPERM:
        why = "watching a file system takes CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH"
        return EngineMissing("changes cannot be watched", why=why, advice=f"run it as root; {_ADVICE}")
    if number in {errno.EOPNOTSUPP, errno.ENODEV, errno.EXDEV}:
        why = f"the file system of {printable_name(path)} tells no changes (an overlay does not; its upper directory does)"
        return EngineMissing("changes cannot be watched", why=why, advice=_ADVICE)
    return EngineMissing("changes cannot be watched", why=os.strerror(number), advice=_ADVICE)
