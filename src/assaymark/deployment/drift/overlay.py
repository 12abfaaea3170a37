"""How an overlay marks what it hides, and what of several lower directories is seen at a path.

After the kernel's description of overlayfs: whiteouts are character devices 0:0, or empty files with the attribute ``whiteout``; a folder
whose attribute ``opaque`` is ``y`` hides what lies below it. Marks are in ``trusted.overlay.*``, in ``user.overlay.*`` where a user mounts,
in ``user.fuseoverlayfs.*`` where a program does.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from assaymark.subjects.listing import raw

_SPACES = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_NOT_THERE = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.EACCES})


class Entry(NamedTuple):
    """A name in an open folder, and what it is."""

    folder: int
    name: bytes
    status: os.stat_result

    @property
    def place(self) -> bytes:
        """A path by which its attributes are asked, without following it."""
        return b"/proc/self/fd/%d/" % self.folder + self.name


def mark(entry: Entry, what: str) -> bytes | None:
    """The overlay's own attribute of an entry, whose link is not followed; None when it has none."""
    return _attribute(entry.place, what)


def is_opaque(fd: int) -> bool:
    """Whether an open folder hides what is below it."""
    return _attribute(fd, "opaque") == b"y" or _marked_by_name(fd)


def is_whiteout(entry: Entry) -> bool:
    """Whether an entry only says that what is below is gone."""
    status = entry.status
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and mark(entry, "whiteout") is not None


def _marked_by_name(fd: int) -> bool:
    try:
        os.stat(b".wh..wh..opq", dir_fd=fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def _attribute(where: int | bytes, what: str) -> bytes | None:
    for space in _SPACES:
        try:
            return os.getxattr(where, space + what, follow_symlinks=isinstance(where, int))
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
    return None


class Below:
    """Lower directories, the uppermost first, as one."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots

    @contextmanager
    def at(self, path: bytes) -> Iterator[Entry | None]:
        """What is seen at a path, as long as it is looked at."""
        found = None
        for root in self._roots:
            found, ended = _step_down(root, path)
            if found is not None or ended:
                break
        try:
            yield found
        finally:
            if found is not None:
                os.close(found.folder)

    def names(self, path: bytes) -> set[bytes]:
        """What is seen in a folder."""
        found: set[bytes] = set()
        for root in self._roots:
            here, ended = _step_down(root, path or b".")
            if here is None:
                if ended:
                    break
                continue
            try:
                if not stat.S_ISDIR(here.status.st_mode):
                    break
                folder = os.open(here.name, _FOLDER, dir_fd=here.folder)
            finally:
                os.close(here.folder)
            try:
                found.update(names_in(folder))
                if is_opaque(folder):
                    break
            finally:
                os.close(folder)
        return {name for name in found if self._is_seen(path + b"/" + name if path else name)}

    def _is_seen(self, path: bytes) -> bool:
        with self.at(path) as found:
            return found is not None


def names_in(folder: int) -> set[bytes]:
    """Of an open folder."""
    with os.scandir(folder) as entries:
        return {raw(entry.name) for entry in entries}


def _step_down(root: int, path: bytes) -> tuple[Entry | None, bool]:
    """The entry in this directory, or whether those beneath it are hidden at this path."""
    fd, parts, hides = os.dup(root), path.split(b"/"), False
    try:
        for number, part in enumerate(parts):
            status = _status(fd, part)
            if status is None:
                return None, hides
            found = Entry(fd, part, status)
            if is_whiteout(found):
                return None, True
            if number == len(parts) - 1:
                fd = -1
                return found, True
            if not stat.S_ISDIR(status.st_mode):
                return None, True
            inner = os.open(part, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
            hides = hides or is_opaque(fd)
        return None, hides
    finally:
        if fd >= 0:
            os.close(fd)


def _status(fd: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
