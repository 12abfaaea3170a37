"""The upper directory of an overlay: all that a container changed lies there, so that only this is read, never the image.

Guarantees
* every way in which an overlay hides or changes what is below is understood: whiteouts (devices 0:0, or marked files), opaque folders,
  renamed folders (``redirect``), files of which only the status was copied (``metacopy``);
* what lies there and differs in nothing that a manifest holds (somebody only touched it) is no change; content is compared, not times;
* what the runtime itself lays there is subtracted by an exact rule: a path of a short list, *and* the shape that the runtime gives it (an
  empty file of root with these permissions, a link with this target, a folder). Anything else at such a path is told;
* no link is followed, no fifo or device opened, names are bytes. What cannot be read, or is too much to list, is said (`Looked.unseen`).

Not seen from here: what is written into mounts (volumes, and the runtime's own ``/etc/hosts`` over the empty file that lies here).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from assaymark.deployment.drift.overlay import Below, Entry, is_opaque, is_whiteout, names_in
from assaymark.deployment.drift.sides import KINDS, described, differences
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drivers.driver import Change
from assaymark.subjects.confined import join, open_folder, open_root
from assaymark.subjects.listing import raw
from assaymark.subjects.manifest_lines import Form
from assaymark.subjects.manifest_reading import attributes_of

MOST = 10_000
"""Changes that are told of one container: whoever changed more is replaced anyway."""


class Shape(Struct, frozen=True):
    """What the runtime lays at a path; always its root's, without attributes and with one name."""

    kind: str
    """``file`` (empty), ``folder``, ``link``."""
    modes: tuple[int, ...] = ()
    target: bytes = b""


class Looked(Struct, frozen=True):
    """What was seen."""

    changes: tuple[Change, ...]
    unseen: tuple[str, ...] = ()


_EMPTY = Shape("file", (0o755, 0o644, 0o600, 0o700))
_FOLDER = Shape("folder", (0o755, 0o555, 0o700))
_FILES = (b"etc/hosts", b"etc/hostname", b"etc/resolv.conf", b"etc/passwd", b"etc/group", b"run/.containerenv", b".dockerenv")
_FOLDERS = (b"etc", b"proc", b"sys", b"dev", b"run", b"run/secrets")


def noise(mountpoints: Sequence[bytes | str] = ()) -> Mapping[bytes, Shape]:
    """What podman and docker lay into an upper directory by themselves.

    Args:
        mountpoints: paths inside at which something was asked to be mounted; where the image has none, an empty file or folder is made.
    """
    found = {**dict.fromkeys(_FILES, _EMPTY), **dict.fromkeys(_FOLDERS, _FOLDER), b"etc/mtab": Shape("link", target=b"/proc/mounts")}
    for each in mountpoints:
        path = (raw(each) if isinstance(each, str) else each).strip(b"/")
        if not path:
            continue
        found.setdefault(path, Shape("mountpoint", _EMPTY.modes))
        while path := path.rpartition(b"/")[0]:
            found.setdefault(path, _FOLDER)
    return found


_NOISE = noise()


def changes(upper: str, lowers: Sequence[str], subtracted: Mapping[bytes, Shape] = _NOISE) -> tuple[Change, ...]:
    """What differs between a container's own directory and the image's, the uppermost first; sorted.

    What could not be seen stands there as kind ``unseen``.

    Raises:
        SubjectUnreadable: when one of them cannot be entered.
    """
    found = looked(upper, lowers, subtracted)
    return (*found.changes, *(Change(each.partition(":")[0], "unseen", each) for each in found.unseen))


def looked(upper: str, lowers: Sequence[str], subtracted: Mapping[bytes, Shape] = _NOISE) -> Looked:
    """As `changes`, with what could not be seen apart."""
    with ExitStack() as stack:
        top = open_root(upper)
        stack.callback(os.close, top)
        roots = []
        for lower in lowers:
            roots.append(open_root(lower))
            stack.callback(os.close, roots[-1])
        return _Upper(top, Below(roots), subtracted).look()


class _Upper:
    def __init__(self, top: int, below: Below, subtracted: Mapping[bytes, Shape]) -> None:
        self._top, self._below, self._noise = top, below, subtracted
        self._root = os.fstat(top)
        self._changes: list[Change] = []
        self._unseen: list[str] = []

    def look(self) -> Looked:
        if not _sees_marks(self._root):
            self._unseen.append("marks: opaque and renamed folders are told to root (CAP_SYS_ADMIN) alone")
        folders = [b""]
        while folders:
            above = folders.pop()
            try:
                fd = open_folder(self._top, above)
            except OSError as error:
                self._missed(above, error)
                continue
            try:
                folders += self._folder(fd, above)
            finally:
                os.close(fd)
            if len(self._changes) > MOST:
                self._unseen.append(f"changes: more than {MOST}, the others are not listed")
                break
        return Looked(tuple(sorted(self._changes)[:MOST]), tuple(self._unseen))

    def _folder(self, fd: int, above: bytes) -> Iterator[bytes]:
        """Its entries' changes; gives the folders in it."""
        try:
            names = names_in(fd)
            if not above:
                self._compare(Entry(fd, b".", self._root), b".")
            if is_opaque(fd):
                self._hidden(above, names)
        except OSError as error:
            self._missed(above, error)
            return
        for name in names:
            path = join(above, name)
            try:
                if self._entry(Entry(fd, name, os.stat(name, dir_fd=fd, follow_symlinks=False)), path):
                    yield path
            except OSError as error:
                self._missed(path, error)

    def _entry(self, entry: Entry, path: bytes) -> bool:
        """Tell its change; whether it is a folder that is to be entered."""
        if is_whiteout(entry):
            self._removed(path)
            return False
        if entry.name.startswith(b".wh.") and self._removed(join(path.rpartition(b"/")[0], entry.name[4:])):
            return False  # of overlays in user space, that may make no devices
        self._compare(entry, path)
        return stat.S_ISDIR(entry.status.st_mode)

    def _compare(self, entry: Entry, path: bytes) -> None:
        with self._below.at(path) as below:
            found = list(differences(below, entry)) if below is not None else []
        if below is None and not self._is_noise(entry, path):
            self._tell(path, "added", described(entry))
        elif found:
            self._tell(path, "changed", ", ".join(found))

    def _is_noise(self, entry: Entry, path: bytes) -> bool:
        shape, status = self._noise.get(path), entry.status
        if shape is None or (status.st_uid, status.st_gid) != (self._root.st_uid, self._root.st_gid):
            return False
        kind = KINDS.get(stat.S_IFMT(status.st_mode))
        if kind == "link":
            return shape.kind == "link" and os.readlink(entry.name, dir_fd=entry.folder) == shape.target
        empty_file = kind == "file" and status.st_size == 0 and status.st_nlink == 1
        fits = kind == shape.kind or (shape.kind == "mountpoint" and kind in {"file", "folder"})
        if not fits or (kind == "file" and not empty_file) or status.st_mode & 0o7777 not in shape.modes:
            return False
        return not attributes_of(entry.place, Form.OWNED)

    def _hidden(self, above: bytes, names: set[bytes]) -> None:
        """An opaque folder hides what is below it and does not lie in it again."""
        for name in self._below.names(above) - names:
            self._removed(join(above, name))

    def _removed(self, path: bytes) -> bool:
        """Tell it; False when there was nothing."""
        with self._below.at(path) as below:
            if below is None:
                return False
            self._tell(path, "removed", described(below))
            return True

    def _tell(self, path: bytes, kind: str, detail: str) -> None:
        self._changes.append(Change(spelled(path), kind, detail))

    def _missed(self, path: bytes, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # gone meanwhile is not there
            self._unseen.append(f"{spelled(path or b'.')}: {error.strerror or error}")


def _sees_marks(root: os.stat_result) -> bool:
    """Root's marks are for those with the capability; where a user mounts, he reads his own."""
    if root.st_uid != 0:
        return True
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    except OSError:
        return os.geteuid() == 0
    return bool(int(effective, 16) >> 21 & 1)
