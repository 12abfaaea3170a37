"""Lays a tree of files into the root of an image, as the recipe says: owner, permissions and time of nothing come from chance.

Guarantees
* what is laid depends on the recipe and on names, contents, links and (where it says ``keep``) owners and permissions of the source; not on
  when, where, by whom or with which umask it was made;
* no link is followed, neither in the source nor in the image: a base that has a link where the source has a folder is refused, because
  its files would otherwise land elsewhere;
* a file that changes while it is read, or cannot be read, ends the bake.

Folders of the base stay as they are unless a rule names them. In an image two names of one file become two files: whether a copy of the
source kept hard links must not decide. Other attributes than file capabilities are not laid, and those only with ``modes = "keep"``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from assaymark.deployment.bake.recipe import Files, Modes, Rule, Special, owner_of
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.subjects.confined import join, open_folder, open_root
from assaymark.subjects.listing import printable_name, text
from assaymark.verdict.globs import matches_any

_PIECE, _ROOM = 1 << 20, 1 << 30
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SECOND = 10**9
_CAPABILITY = "security.capability"
KEEP = "keep"


class Laid(Struct, frozen=True):
    """What was done."""

    files: int = 0
    folders: int = 0
    links: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    """Devices, fifos and sockets that stayed out, as text."""


class _Tree:
    """A tree, with the folder in it that was opened last: what is done next is mostly done there."""

    def __init__(self, path: str) -> None:
        self.root = open_root(path)
        self._path: bytes = b""
        self._fd = os.dup(self.root)

    def at(self, path: bytes) -> int:
        """The folder of this path, open until another is asked for.

        Raises:
            OSError: as `open_folder`.
        """
        if path != self._path:
            fd = open_folder(self.root, path)
            os.close(self._fd)
            self._path, self._fd = path, fd
        return self._fd

    def close(self) -> None:
        os.close(self._fd)
        os.close(self.root)


class _Plan(Struct, frozen=True):
    files: Files
    source: _Tree
    root: _Tree
    when: int
    """In nanoseconds."""
    exact: bool
    twins: dict[tuple[int, int], bytes] = {}
    """Of files with several names: where the first of them was laid."""


def lay(source: str, root: str, files: Files, *, timestamp: int, exact: bool) -> Laid:
    """Lay everything of the folder `source` that the recipe does not exclude into the folder `root`.

    Args:
        source: folder.
        root: folder.
        files: how.
        timestamp: seconds since 1970, of everything that is laid.
        exact: for a copy of a tree: `root` itself gets owner and permissions, too, and two names of one file stay two names of one. Not
            in an image, whose layers do not hold its root folder, and whose digest must not depend on how its source was copied.

    Raises:
        UsageError: when source and base contradict each other, or something in it is not laid at all.
        SubjectUnreadable: when something cannot be read.
    """
    opened = _Tree(source)
    try:
        target = _Tree(root)
        try:
            return _laid(_Plan(files, opened, target, timestamp * _SECOND, exact, {}))
        finally:
            target.close()
    finally:
        opened.close()


def _laid(plan: _Plan) -> Laid:
    into = os.fsencode(plan.files.into.strip("/"))
    _ground(plan, into)
    counts = {"files": 0, "folders": 0, "links": 0, "bytes": 0}
    left_out: list[str] = []
    for path, status in _walk(plan):
        place = join(into, path)
        try:
            kind = _one(plan, path, place, status)
        except OSError as error:
            raise SubjectUnreadable(f"{_shown(path)} cannot be laid into the image", why=error.strerror or str(error)) from error
        if kind:
            counts[kind] += 1
            counts["bytes"] += status.st_size if kind == "files" else 0
        else:
            left_out.append(_shown(path))
    for folder in plan.files.folders:
        _ground(plan, os.fsencode(folder.strip("/")), made=True)
    return Laid(**counts, left_out=tuple(left_out))


def _walk(plan: _Plan) -> Iterator[tuple[bytes, os.stat_result]]:
    """Everything below the source that is not excluded, a folder before what is in it, in the order of names."""
    waiting = [b""]
    while waiting:
        above = waiting.pop()
        for name in _names(plan.source, above):
            path = join(above, name)
            if matches_any(text(path), plan.files.exclude):
                continue
            status = _status(plan.source, above, name)
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            yield path, status


def _names(source: _Tree, above: bytes) -> list[bytes]:
    try:
        with os.scandir(source.at(above)) as rows:
            return sorted(os.fsencode(row.name) for row in rows)
    except OSError as error:
        raise SubjectUnreadable(f"{_shown(above) or 'the source'} cannot be listed", why=error.strerror or str(error)) from error


def _status(source: _Tree, above: bytes, name: bytes) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=source.at(above), follow_symlinks=False)
    except OSError as error:
        raise SubjectUnreadable(f"{_shown(join(above, name))} changed while it was read", why=error.strerror or str(error)) from error


# --- laying one thing ------------------------------------------------------------------------------------------------


def _ground(plan: _Plan, into: bytes, *, made: bool = False) -> None:
    """The folder that everything goes into, and the root itself where it counts; or one that is made, whatever the source has."""
    own = None if made else os.fstat(plan.source.root)
    if plan.exact and not made:
        _settle(plan, b"", own if not into else None)
    above = b""
    for part in into.split(b"/") if into else ():
        place = join(above, part)
        _folder(plan, _parent(plan, place), place, own if place == into else None)
        above = place


def _one(plan: _Plan, path: bytes, place: bytes, status: os.stat_result) -> str:
    """Lay one thing; what it was counted as, nothing for what stays out."""
    mode = status.st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        if plan.files.special is Special.REFUSE:
            raise UsageError(
                f"{_shown(path)} is a device, fifo or socket", why="an image holds files, folders and links",
                advice='exclude it, or write special = "leave-out" under [files]',
            )  # fmt: skip
        return ""
    fd = _parent(plan, place)
    if stat.S_ISDIR(mode):
        _folder(plan, fd, place, status)
        return "folders"
    _free(fd, place)
    above, _, name = path.rpartition(b"/")
    folder = plan.source.at(above)
    if stat.S_ISLNK(mode):
        _link(plan, fd, place, os.readlink(name, dir_fd=folder), status)
        return "links"
    if not _twin(plan, fd, place, status):
        _file(plan, fd, place, (folder, name))
    return "files"


def _twin(plan: _Plan, fd: int, place: bytes, status: os.stat_result) -> bool:
    """Whether it was laid as another name of a file that is there."""
    if not plan.exact or status.st_nlink == 1:
        return False
    first = plan.twins.setdefault((status.st_dev, status.st_ino), place)
    if first == place:
        return False
    above, _, name = first.rpartition(b"/")
    folder = open_folder(plan.root.root, above)
    try:
        os.link(name, place.rpartition(b"/")[2], src_dir_fd=folder, dst_dir_fd=fd, follow_symlinks=False)
    finally:
        os.close(folder)
    return True


def _parent(plan: _Plan, place: bytes) -> int:
    above = place.rpartition(b"/")[0]
    try:
        return plan.root.at(above)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        raise _collides(above, "a link or a file") from error


def _folder(plan: _Plan, fd: int, place: bytes, status: os.stat_result | None) -> None:
    name = place.rpartition(b"/")[2]
    try:
        os.mkdir(name, 0o700, dir_fd=fd)
    except FileExistsError:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            raise _collides(place, "a link" if stat.S_ISLNK(found.st_mode) else "a file") from None
        if not _ruled(plan.files, place):
            return
        status = found if status is None else status
    _settle(plan, place, status)


def _settle(plan: _Plan, place: bytes, status: os.stat_result | None) -> None:
    """Owner, permissions and time of a folder that is there."""
    fd = open_folder(plan.root.root, place)
    try:
        user, group = _owner(plan.files, place, status)
        os.fchown(fd, user, group)
        os.fchmod(fd, _mode(plan.files, place, status, is_folder=True))
        os.utime(fd, ns=(plan.when, plan.when))
    finally:
        os.close(fd)


def _free(fd: int, place: bytes) -> None:
    """Take away what the base has under this name; never a folder."""
    name = place.rpartition(b"/")[2]
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise _collides(place, "a folder")
    os.unlink(name, dir_fd=fd)


def _link(plan: _Plan, fd: int, place: bytes, target: bytes, status: os.stat_result) -> None:
    name = place.rpartition(b"/")[2]
    os.symlink(target, name, dir_fd=fd)
    user, group = _owner(plan.files, place, status)
    os.chown(name, user, group, dir_fd=fd, follow_symlinks=False)
    os.utime(name, ns=(plan.when, plan.when), dir_fd=fd, follow_symlinks=False)


def _file(plan: _Plan, fd: int, place: bytes, origin: tuple[int, bytes]) -> None:
    folder, own = origin
    given = os.open(own, _READ, dir_fd=folder)
    try:
        before = os.fstat(given)
        if not stat.S_ISREG(before.st_mode):
            raise OSError("it became something else while it was looked at")
        made = os.open(place.rpartition(b"/")[2], _WRITE, 0o600, dir_fd=fd)
        try:
            size = _copy(given, made)
            after = os.fstat(given)
            if size != before.st_size or (before.st_mtime_ns, before.st_ctime_ns) != (after.st_mtime_ns, after.st_ctime_ns):
                raise OSError("it was changed while it was read")
            user, group = _owner(plan.files, place, before)
            os.fchown(made, user, group)
            os.fchmod(made, _mode(plan.files, place, before, is_folder=False))
            if plan.files.modes is Modes.KEEP:
                _capability(given, made)
            os.utime(made, ns=(plan.when, plan.when))
        finally:
            os.close(made)
    finally:
        os.close(given)


def _copy(given: int, made: int) -> int:
    """By the kernel, which shares the blocks where its file system can; by hand where it will not."""
    size = 0
    with suppress(OSError):
        while count := os.copy_file_range(given, made, _ROOM):
            size += count
    while piece := os.read(given, _PIECE):
        view = memoryview(piece)
        while view:
            view = view[os.write(made, view) :]
        size += len(piece)
    return size


def _capability(given: int, made: int) -> None:
    """After owner and permissions: the kernel takes it away when either changes."""
    try:
        value = os.getxattr(given, _CAPABILITY)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return
        raise
    os.setxattr(made, _CAPABILITY, value)


# --- owners and permissions ------------------------------------------------------------------------------------------


def _ruled(files: Files, place: bytes) -> bool:
    return any(matches_any(text(place), rule.paths) for rule in files.rule)


def _last(files: Files, place: bytes) -> Sequence[Rule]:
    """The rules for a path, the one that wins first."""
    return [rule for rule in reversed(files.rule) if matches_any(text(place), rule.paths)]


def _owner(files: Files, place: bytes, status: os.stat_result | None) -> tuple[int, int]:
    said = next((rule.owner for rule in _last(files, place) if rule.owner), files.owner)
    if said != KEEP:
        return owner_of(said)
    return (status.st_uid, status.st_gid) if status is not None else (0, 0)


def _mode(files: Files, place: bytes, status: os.stat_result | None, *, is_folder: bool) -> int:
    rules = _last(files, place)
    said = next((mode for rule in rules if (mode := rule.folder_mode if is_folder else rule.mode)), "")
    if said:
        return int(said, 8)
    if files.modes is Modes.KEEP and status is not None:
        return stat.S_IMODE(status.st_mode)
    return 0o755 if is_folder or (status is not None and status.st_mode & stat.S_IXUSR) else 0o644


def _collides(place: bytes, what: str) -> UsageError:
    return UsageError(
        f"{_shown(place)} is {what} in the base image and something else in the source",
        why="files would land elsewhere than they say, or hide what the base holds", advice="name the place that the base means",
    )  # fmt: skip


def _shown(path: bytes) -> str:
    return printable_name(text(path))
