r"""What a tree of files is, as one digest: a line of JSON per entry, sorted by the bytes of its path; the digest is that of the whole text.

Guarantees
* the same tree gives the same bytes on every machine, whatever order a folder is listed in; no time is in it;
* no link is followed, in no part of a name; nothing but regular files is opened for reading, so that no fifo blocks and no device acts;
* what cannot be read, or changes while it is read, makes no manifest: one with holes would approve what lies in them.

Two forms, which give different digests and say so in their first line:

* `OWNED`, for what runs: type, permissions, owner, group, size, SHA-256 or link's target, device numbers, all ``security.*`` attributes;
* `PORTABLE`, for a checkout or an unpacked release on another machine, by another user: of permissions only whether its owner may execute
  it, no owner, of attributes only ``security.capability``; version control's own folder at the top is left out, and nothing else.

Members of a line: ``p`` path (``pb64`` where its bytes are no UTF-8), ``t`` type (``f`` file, ``d`` folder, ``l`` link, ``c`` and ``b``
devices, ``p`` fifo, ``s`` socket), ``m`` permissions in octal (portable: ``x``), ``u`` and ``g`` numbers of owner and group, ``s`` size,
``h`` SHA-256 in hex, ``l`` target (``lb64``), ``r`` device numbers, ``x`` attributes with their values in base64. The tree itself is ``.``.

Not here: hard links (two names of one file are two entries), sparse files, ACLs in ``system.*``. Other file systems mounted below are
entered like any folder. One thread: two are slower with small files.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.digest import Digest, sha256
from assaymark.subjects.confined import join, open_folder, open_root
from assaymark.subjects.listing import printable_name, raw

VERSION = 1
_PIECE = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_VERSION_CONTROL = frozenset({b".git", b".hg", b".svn"})
_CAPABILITY = "security.capability"
_TYPES = {
    stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s",
}  # fmt: skip
_encode = msgspec.json.Encoder(order="sorted").encode


class Form(StrEnum):
    """How much of a tree counts."""

    OWNED = "owned"
    PORTABLE = "portable"


class Manifest(Struct, frozen=True):
    """A tree, written down."""

    text: bytes
    digest: Digest
    """The root: SHA-256 of the text."""
    entries: int


class Line(Struct, frozen=True, omit_defaults=True):
    """One entry; its members are those of the text."""

    t: str
    p: str = ""
    pb64: str = ""
    m: str = ""
    u: int | None = None
    g: int | None = None
    s: int | None = None
    h: str = ""
    l: str = ""  # noqa: E741 - the format's name
    lb64: str = ""
    r: str = ""
    x: dict[str, str] = {}

    @property
    def path(self) -> bytes:
        return base64.b64decode(self.pb64, validate=True) if self.pb64 else self.p.encode()


class Difference(Struct, frozen=True):
    """One path at which two manifests differ; None: it is not there."""

    path: bytes
    expected: Line | None
    observed: Line | None


class _Head(Struct, frozen=True):
    form: Form
    manifest: int


def manifest_of(path: str, form: Form = Form.PORTABLE) -> Manifest:
    """The manifest of the tree at `path`, which may be a link to a folder.

    Raises:
        SubjectUnreadable: when something in it cannot be read or changes meanwhile.
    """
    root = open_root(path)
    try:
        lines = sorted(_walk(root, form))
    except _UnreadableError as error:
        where = printable_name(os.fsdecode(error.path or b"."))
        raise SubjectUnreadable(f"{where} in {printable_name(path)} cannot be read", why=error.why, advice="nothing is left out") from error
    finally:
        os.close(root)
    head = _encode(_Head(form, VERSION))
    text = b"\n".join((head, *(line for _, line in lines), b""))
    return Manifest(text, sha256(text), len(lines))


def differences(expected: bytes, observed: bytes) -> Iterator[Difference]:
    """Where two manifests of one form differ, by path.

    Raises:
        ValueError: when one is no manifest, or they are of different forms.
    """
    (form, one), (other_form, other) = _read(expected), _read(observed)
    if form is not other_form:
        raise ValueError(f"one manifest is {form}, the other {other_form}")
    for path in sorted(one.keys() | other.keys()):
        if one.get(path) != other.get(path):
            yield Difference(path, one.get(path), other.get(path))


# --- reading a tree --------------------------------------------------------------------------------------------------


class _UnreadableError(Exception):
    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(why)
        self.path, self.why = path, why


def _walk(root: int, form: Form) -> Iterator[tuple[bytes, bytes]]:
    """Path and line of everything, in the order of folders; without recursion, for trees deeper than Python's stack."""
    folders = [b""]
    while folders:
        above = folders.pop()
        try:
            fd = open_folder(root, above)
        except OSError as error:
            raise _UnreadableError(above, error.strerror or str(error)) from error
        try:
            yield above or b".", _encode(_line(above or b".", os.fstat(fd), _attributes(fd, form), form))
            for name in _names(fd, above):
                path = join(above, name)
                if not above and form is Form.PORTABLE and name in _VERSION_CONTROL:
                    continue
                try:
                    found = _entry(fd, name, path, form)
                except OSError as error:
                    raise _UnreadableError(path, error.strerror or str(error)) from error
                if found is None:
                    folders.append(path)
                else:
                    yield path, found
        finally:
            os.close(fd)


def _names(fd: int, above: bytes) -> list[bytes]:
    try:
        with os.scandir(fd) as names:
            return [raw(name.name) for name in names]
    except OSError as error:
        raise _UnreadableError(above, error.strerror or str(error)) from error


def _entry(folder: int, name: bytes, path: bytes, form: Form) -> bytes | None:
    """Its line; None of a folder, which is entered."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return None
    if stat.S_ISREG(status.st_mode):
        return _file(folder, name, path, form)
    where = b"/proc/self/fd/%d/" % folder + name
    attributes = _attributes(where, form)
    if stat.S_ISLNK(status.st_mode):
        target, encoded = _text(os.readlink(name, dir_fd=folder))
        return _encode(replace(_line(path, status, attributes, form), l=target, lb64=encoded))
    return _encode(_line(path, status, attributes, form))


def _file(folder: int, name: bytes, path: bytes, form: Form) -> bytes:
    """Everything is asked of the one open file, so that its owner and its content belong together."""
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise _UnreadableError(path, "it became something else while it was looked at")
        seal, size = hashlib.sha256(), 0
        while piece := os.read(fd, _PIECE):
            seal.update(piece)
            size += len(piece)
        after = os.fstat(fd)
        if size != before.st_size or (before.st_mtime_ns, before.st_ctime_ns) != (after.st_mtime_ns, after.st_ctime_ns):
            raise _UnreadableError(path, "it was changed while it was read")
        return _encode(replace(_line(path, before, _attributes(fd, form), form), s=size, h=seal.hexdigest()))
    finally:
        os.close(fd)


def _attributes(where: int | bytes, form: Form) -> dict[str, str]:
    """``security.*`` of an open file, or of a name whose link is not followed."""
    if not hasattr(os, "listxattr"):
        return {}
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
        wanted = [name for name in names if (name == _CAPABILITY if form is Form.PORTABLE else name.startswith("security."))]
        return {_name(name): base64.b64encode(os.getxattr(where, name, follow_symlinks=follow)).decode("ascii") for name in wanted}
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.ENOSYS}:
            return {}
        raise


def _name(name: str) -> str:
    return raw(name).decode("utf-8", "backslashreplace")


# --- lines -----------------------------------------------------------------------------------------------------------


def _line(path: bytes, status: os.stat_result, attributes: dict[str, str], form: Form) -> Line:
    kind = _TYPES.get(stat.S_IFMT(status.st_mode), "?")
    name, encoded = _text(path)
    device = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if kind in {"c", "b"} else ""
    found = Line(kind, name, encoded, r=device, x=attributes)
    if form is Form.PORTABLE:
        return replace(found, m="x") if kind == "f" and status.st_mode & stat.S_IXUSR else found
    # A link has no permissions that mean anything, and systems differ about what they tell.
    mode = "" if kind == "l" else f"{stat.S_IMODE(status.st_mode):04o}"
    return replace(found, m=mode, u=status.st_uid, g=status.st_gid)


def _text(value: bytes) -> tuple[str, str]:
    """As text, or in base64 where it is none."""
    try:
        return value.decode("utf-8"), ""
    except UnicodeDecodeError:
        return "", base64.b64encode(value).decode("ascii")


def _read(text: bytes) -> tuple[Form, dict[bytes, Line]]:
    head, *lines = text.split(b"\n")
    try:
        first = msgspec.json.decode(head, type=_Head)
        found = {line.path: line for line in (msgspec.json.decode(each, type=Line) for each in lines[:-1])}
    except UNDECODABLE as error:
        raise ValueError(f"this is no manifest: {error}") from error
    if first.manifest != VERSION or len(found) != len(lines) - 1 or lines[-1:] != [b""]:
        raise ValueError(f"this is no manifest of version {VERSION}")
    return first.form, found
