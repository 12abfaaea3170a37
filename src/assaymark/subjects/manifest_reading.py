"""A tree of files, read into the lines of a manifest (`subjects.manifest` says what they hold and guarantee).

Guarantees: no link is followed, nothing but regular files is opened for reading; what a line says of a file was asked of one open file, or,
where somebody remembers it, belongs to the status that the file has now. What cannot be read is handed to whoever asked, never left out.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from assaymark.subjects.confined import join, open_folder
from assaymark.subjects.listing import raw
from assaymark.subjects.manifest_lines import Form, Line, encode, text_of

_PIECE = 1 << 18
"""Fits into a processor's cache, so that what was copied is hashed there."""
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_VERSION_CONTROL = frozenset({b".git", b".hg", b".svn"})
_CAPABILITY = "security.capability"
TYPES = {
    stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s",
}  # fmt: skip


class Known(NamedTuple):
    """What costs reading of a file."""

    hash: str
    attributes: dict[str, str]


class Remembering(Protocol):
    """Who knows files by their status."""

    def recall(self, status: os.stat_result) -> Known | None: ...

    def keep(self, status: os.stat_result, known: Known) -> None: ...


class UnreadableError(Exception):
    """Something in the tree could not be read, or changed meanwhile."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(why)
        self.path, self.why = path, why


Unread = Callable[[UnreadableError], None]
"""Is told of each; a caller that cannot do without raises it."""


def refuse(error: UnreadableError) -> None:
    """The `Unread` of those who need all."""
    raise error


class Reading:
    """One pass over a tree."""

    def __init__(self, root: int, form: Form, unread: Unread = refuse, remembering: Remembering | None = None) -> None:
        self._root, self._form, self._unread, self._remembering = root, form, unread, remembering
        self._piece = memoryview(bytearray(_PIECE))
        self._names: dict[tuple[int, int], list[Line]] = {}
        self.outside: list[tuple[bytes, int]] = []
        """Paths of files that have more names than the tree holds, and how many more; complete when all lines were read."""

    def lines(self) -> Iterator[tuple[bytes, bytes]]:
        """Path and line of everything, in no order; without recursion, for trees deeper than Python's stack."""
        folders = [b""]
        while folders:
            above = folders.pop()
            try:
                fd = open_folder(self._root, above)
            except OSError as error:
                self._unread(UnreadableError(above or b".", error.strerror or str(error)))
                continue
            try:
                yield from self._folder(fd, above, folders)
            finally:
                os.close(fd)
        yield from self._linked()

    def entry(self, path: bytes) -> bytes | None:
        """The line of one path as it is now, with hard links left out; None when there is nothing.

        Raises:
            UnreadableError: when it cannot be read, or a folder above it is none.
        """
        above, _, name = path.rpartition(b"/")
        try:
            fd = os.dup(self._root) if path == b"." else open_folder(self._root, above)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                return None  # what was a folder is none: nothing is below it
            raise UnreadableError(path, error.strerror or str(error)) from error
        try:
            return encode(self._one(fd, path if path == b"." else name, path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableError(path, error.strerror or str(error)) from error
        finally:
            os.close(fd)

    def _one(self, fd: int, name: bytes, path: bytes) -> Line:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            return self._file(fd, name, path)[0] if stat.S_ISREG(status.st_mode) else self._other(fd, name, path)
        inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        try:
            return line_of(path, os.fstat(inner), attributes_of(inner, self._form), self._form)
        finally:
            os.close(inner)

    def _folder(self, fd: int, above: bytes, folders: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        path = above or b"."
        try:
            yield path, encode(line_of(path, os.fstat(fd), attributes_of(fd, self._form), self._form))
            with os.scandir(fd) as listed:
                names = list(listed)
        except OSError as error:
            self._unread(UnreadableError(path, error.strerror or str(error)))
            return
        left_out = _VERSION_CONTROL if not above and self._form is Form.PORTABLE else frozenset[bytes]()
        for entry in names:
            name = raw(entry.name)
            if name in left_out:
                continue
            path = join(above, name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found, status = self._file(fd, name, path)
                    if status.st_nlink > 1 and self._form is Form.OWNED:
                        self._names.setdefault((status.st_dev, status.st_ino), []).append(found)
                        self.outside.append((path, status.st_nlink))
                    else:
                        yield path, encode(found)
                else:
                    yield path, encode(self._other(fd, name, path))
            except OSError as error:
                self._unread(UnreadableError(path, error.strerror or str(error)))
            except UnreadableError as error:
                self._unread(error)

    def _file(self, folder: int, name: bytes, path: bytes) -> tuple[Line, os.stat_result]:
        remembering = self._remembering
        if remembering is not None:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            known = remembering.recall(status) if stat.S_ISREG(status.st_mode) else None
            if known is not None:
                return line_of(path, status, known.attributes, self._form, known.hash), status
        fd = os.open(name, _FILE, dir_fd=folder)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError(path, "it became something else while it was looked at")
            known = Known(self._hash(fd, status, path), attributes_of(fd, self._form))
        finally:
            os.close(fd)
        if remembering is not None:
            remembering.keep(status, known)
        return line_of(path, status, known.attributes, self._form, known.hash), status

    def _hash(self, fd: int, before: os.stat_result, path: bytes) -> str:
        """Of the whole content, which is that of `before` and stayed so."""
        seal, size, piece = hashlib.sha256(), 0, self._piece
        while size < before.st_size:
            got = os.readv(fd, [piece])
            if not got:
                break
            seal.update(piece[:got])
            size += got
        after = os.fstat(fd)
        same = before.st_mtime_ns == after.st_mtime_ns and before.st_ctime_ns == after.st_ctime_ns and before.st_size == after.st_size
        if size != before.st_size or not same:
            raise UnreadableError(path, "it was changed while it was read")
        return seal.hexdigest()

    def _other(self, folder: int, name: bytes, path: bytes) -> Line:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        found = line_of(path, status, attributes_of(b"/proc/self/fd/%d/" % folder + name, self._form), self._form)
        if not stat.S_ISLNK(status.st_mode):
            return found
        target, encoded = text_of(os.readlink(name, dir_fd=folder))
        return replace(found, l=target, lb64=encoded)

    def _linked(self) -> Iterator[tuple[bytes, bytes]]:
        """Files with several names: each name says the first of those in the tree; names elsewhere do not count."""
        inside = {}
        for lines in self._names.values():
            first = min(line.path for line in lines)
            text, encoded = text_of(first) if len(lines) > 1 else ("", "")
            for line in lines:
                path = line.path
                inside[path] = len(lines)
                yield path, encode(replace(line, n=text, nb64=encoded))
        self.outside = [(path, links - inside[path]) for path, links in self.outside if links > inside[path]]


def attributes_of(where: int | bytes, form: Form) -> dict[str, str]:
    """``security.*`` of an open file, or of a name whose link is not followed."""
    if not hasattr(os, "listxattr"):
        return {}
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
        if not names:
            return {}
        wanted = [name for name in names if (name == _CAPABILITY if form is Form.PORTABLE else name.startswith("security."))]
        return {_name(name): base64.b64encode(os.getxattr(where, name, follow_symlinks=follow)).decode("ascii") for name in wanted}
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.ENOSYS}:
            return {}
        raise


def _name(name: str) -> str:
    return raw(name).decode("utf-8", "backslashreplace")


def line_of(path: bytes, status: os.stat_result, attributes: dict[str, str], form: Form, seal: str = "") -> Line:
    """What its status says; with `seal`, the SHA-256 of its content, of a file."""
    kind = TYPES.get(stat.S_IFMT(status.st_mode), "?")
    name, encoded = text_of(path)
    device = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if kind in {"c", "b"} else ""
    size = status.st_size if seal else None
    if form is Form.PORTABLE:
        mode = "x" if kind == "f" and status.st_mode & stat.S_IXUSR else ""
        return Line(kind, name, encoded, mode, s=size, h=seal, r=device, x=attributes)
    # A link has no permissions that mean anything, and systems differ about what they tell.
    mode = "" if kind == "l" else f"{status.st_mode & 0o7777:04o}"
    return Line(kind, name, encoded, mode, status.st_uid, status.st_gid, size, seal, r=device, x=attributes)
