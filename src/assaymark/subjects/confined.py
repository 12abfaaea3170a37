"""Files below a folder, without ever leaving it.

Guarantees: no symbolic link is followed, in no part of a name and whatever changes meanwhile; nothing but regular files is opened for
reading (a fifo would block, a device would act); content is read in pieces, so that a large file costs no memory until it is asked for;
what a reader hands out has the digest it was asked by.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Content, Entry, EntryKind
from assaymark.subjects.empty import unreadable_file
from assaymark.subjects.listing import printable_name, raw

_PIECE = 1 << 18
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def open_root(path: str) -> int:
    """Descriptor of the folder that everything else is relative to.

    Raises:
        SubjectUnreadable: when it cannot be entered.
    """
    try:
        return os.open(raw(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SubjectUnreadable(f"{printable_name(path)} cannot be entered", why=error.strerror or str(error)) from error


def open_folder(root: int, path: bytes) -> int:
    """Descriptor of a folder below `root`; every part is opened by itself, so that long and deep names work.

    Raises:
        OSError: when a part is missing, no folder, or a link.
    """
    fd = os.dup(root)
    for part in path.split(b"/") if path else ():
        try:
            inner = _step(fd, part)
        finally:
            os.close(fd)
        fd = inner
    return fd


def _step(fd: int, part: bytes) -> int:
    if part in {b"", b".", b".."}:
        raise OSError("a name that leaves its folder")
    return os.open(part, _FOLDER, dir_fd=fd)


def describe(folder: int, name: bytes, path: str) -> tuple[Entry, bool]:
    """The entry of one name in an open folder, hashed; False when its content could not be read (the digest then says which file it was).

    Folders are for the caller to enter.

    Raises:
        FileNotFoundError: when it is gone.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    executable = bool(status.st_mode & stat.S_IXUSR)
    try:
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(name, dir_fd=folder)
            return Entry(path=path, digest=sha256(target), kind=EntryKind.SYMLINK, size=len(target)), True
        if not stat.S_ISREG(status.st_mode):
            return Entry(path=path, digest=sha256(b"special\0%o" % stat.S_IFMT(status.st_mode)), kind=EntryKind.SPECIAL, size=0), True
        digest, size = _digest(folder, name)
    except FileNotFoundError:
        raise
    except OSError:
        return unreadable(path, f"{status.st_dev}/{status.st_ino}/{status.st_size}/{status.st_mtime_ns}"), False
    return Entry(path=path, digest=digest, size=size, executable=executable), True


def unreadable(path: str, identity: str) -> Entry:
    """An entry for what is there but cannot be read: its reader says so, nobody takes it for clean."""
    return Entry(path=path, digest=sha256(b"unreadable\0" + raw(path) + b"\0" + identity.encode()))


def _digest(folder: int, name: bytes) -> tuple[Digest, int]:
    seal = hashlib.sha256()
    size = 0
    for piece in _pieces(folder, name):
        seal.update(piece)
        size += len(piece)
    return Digest("sha256:" + seal.hexdigest()), size


def _pieces(folder: int, name: bytes) -> Generator[bytes]:
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("no longer a regular file")
        while piece := os.read(fd, _PIECE):
            yield piece
    finally:
        os.close(fd)


def git_digest(folder: int, name: bytes, like: Digest) -> Digest:
    """The id that git would give the file's raw bytes (or a link's target), in the format of `like`.

    Raises:
        OSError: when it cannot be read.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    algorithm = like.partition(":")[0]
    made = hashlib.sha1(b"blob %d\0" % status.st_size, usedforsecurity=False)
    if algorithm == "git-sha256":
        made = hashlib.sha256(b"blob %d\0" % status.st_size)
    for piece in (os.readlink(name, dir_fd=folder),) if stat.S_ISLNK(status.st_mode) else _pieces(folder, name):
        made.update(piece)
    return Digest(f"{algorithm}:{made.hexdigest()}")


class FilesSpec(Struct, frozen=True):
    """Recipe of a reader of files below a folder."""

    root: str
    places: Mapping[Digest, str]
    """One path that had each digest when it was listed; empty for what could not be read even then."""

    def open(self) -> FilesReader:
        return FilesReader(self.root, self.places)


class FilesReader:
    """Reads files by the digest they had when they were listed."""

    def __init__(self, root: str, places: Mapping[Digest, str]) -> None:
        self._root = open_root(root)
        self._places = places

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """See `assaymark.model.subject.Reader`."""
        for digest in digests:
            path = self._places.get(digest)
            if not path:
                yield Content(digest=digest, data=None, size=-1, problem="missing" if path is None else "unreadable")
                continue
            yield self._content(digest, raw(path), limit)

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def _content(self, digest: Digest, path: bytes, limit: int) -> Content:
        above, _, name = path.rpartition(b"/")
        try:
            folder = open_folder(self._root, above)
        except OSError:
            return Content(digest=digest, data=None, size=-1, problem="changed")
        try:
            size, data = _load(folder, name, limit)
        except (FileNotFoundError, _NoFileError):
            return Content(digest=digest, data=None, size=-1, problem="changed")
        except OSError:
            return Content(digest=digest, data=None, size=-1, problem="unreadable")
        finally:
            os.close(folder)
        if data is None:
            return Content(digest=digest, data=None, size=size, problem="too-large")
        if sha256(data) != digest:
            return Content(digest=digest, data=None, size=len(data), problem="changed")
        return Content(digest=digest, data=data, size=len(data))


class _NoFileError(OSError):
    """What was a file or link is something else now."""


def _load(folder: int, name: bytes, limit: int) -> tuple[int, bytes | None]:
    """Size and content, or no content when it is larger than `limit`, also when it grows while it is read."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(name, dir_fd=folder)
        return len(target), target
    if not stat.S_ISREG(status.st_mode):
        raise _NoFileError("no longer a regular file")
    if status.st_size > limit:
        return status.st_size, None
    data = bytearray()
    with closing(_pieces(folder, name)) as pieces:
        for piece in pieces:
            data += piece
            if len(data) > limit:
                return len(data), None
    return len(data), bytes(data)


def read_below(root: str, path: str, *, limit: int) -> bytes | None:
    """Content of one file as it is now; None when there is no such file.

    Raises:
        SubjectUnreadable: when it is larger than `limit` bytes or cannot be read.
    """
    above, _, name = raw(path).rpartition(b"/")
    top = open_root(root)
    try:
        folder = open_folder(top, above)
    except OSError:
        return None
    finally:
        os.close(top)
    try:
        data = _load(folder, name, limit)[1]
    except (FileNotFoundError, _NoFileError):
        return None
    except OSError as error:
        raise unreadable_file(path, "unreadable") from error
    finally:
        os.close(folder)
    if data is None:
        raise unreadable_file(path, "too-large")
    return data


def list_folder(root: int, path: bytes) -> list[tuple[bytes, bool]]:
    """Names in a folder below `root`, and whether each is a folder itself.

    Raises:
        OSError: when it cannot be listed.
    """
    fd = open_folder(root, path)
    try:
        with os.scandir(fd) as names:
            return [(os.fsencode(name.name), _is_folder(name)) for name in names]
    finally:
        os.close(fd)


def _is_folder(name: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return name.is_dir(follow_symlinks=False)
    return False


def join(above: bytes, name: bytes) -> bytes:
    """A name below a folder; the root is empty."""
    return above + b"/" + name if above else name
