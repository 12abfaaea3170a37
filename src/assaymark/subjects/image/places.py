"""Blobs by name: in a folder, or in a plain tar of which only headers are read. A packed tar is unpacked once, into a file without a name.

Guarantees: bounded in members and bytes; a member that the archive cuts off is an error. Nothing is followed out of the folder.
"""

# Names are bytes with surrogate escapes:
# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH123
from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import weakref
from typing import Protocol

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.formats.tar_headers import BLOCK, EXTENSIONS, FOLDER, LONG_NAME, PAX, REGULAR, DamagedTar, is_end, parse, records
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.archive import refused
from assaymark.subjects.image.unpacking import packing, truncated, unpacked
from assaymark.subjects.listing import printable_name, text

DOCUMENT_BYTES = 16 << 20
"""Of a manifest or configuration; those in use have some kilobytes, registries refuse more than 4 MiB."""
MOST_MEMBERS = 20_000
"""Of the outer archive: documents and layers of many images."""


class Blob(Struct, frozen=True):
    """A place in a file."""

    path: str
    """Under which another process opens it."""
    offset: int
    length: int


class Place(Protocol):
    """Where the parts of an image are."""

    def find(self, name: str) -> Blob | None:
        """The blob of this name."""
        ...

    def is_image(self) -> bool:
        """Whether an image is there at all."""
        ...


def open_place(path: str) -> Place:
    """A folder or an archive.

    Raises:
        SubjectNotFound: when there is neither.
        SubjectUnreadable: when a packed archive is damaged.
    """
    return Folder(path) if os.path.isdir(path) else Outer(path)


def looks_like_image(path: str) -> bool:
    """Whether a folder or tar holds an image. Of a packed tar only the first names are looked at: the rest costs as much as reading it.

    Never raises.
    """
    try:
        if not os.path.isdir(path) and packing(_head(path)):
            return _begins_like_image(path)
        return open_place(path).is_image()
    except (OSError, DamagedTar, SubjectNotFound, SubjectUnreadable):
        return False


_FIRST_NAMES = re.compile(rb"(?:\./)?(?:[0-9a-f]{64}(?:/|\.json\Z|\.tar\Z)|blobs/sha256|oci-layout\Z|\d+/layer\.tar\Z)")
"""With one of these begins what docker, podman, skopeo and buildah write."""
_DOUBTFUL = re.compile(rb"(?:\./)?(?:index|manifest)\.json\Z")
"""Others begin so too: only the whole archive tells."""


def _begins_like_image(path: str) -> bool:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        piece = next(iter(unpacked(file.fileno(), 0, size, path)), b"")
    for at in range(0, 4 * BLOCK, BLOCK):
        header = parse(piece[at : at + BLOCK], {})
        if _FIRST_NAMES.match(header.name):
            return True
        if _DOUBTFUL.match(header.name):
            return open_place(path).is_image()
        if header.kind != FOLDER:
            return False
    return False


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(8)


class Folder:
    """An OCI layout on disk."""

    def __init__(self, path: str) -> None:
        self._root = os.path.abspath(path)

    def is_image(self) -> bool:
        """See `Place`."""
        return self.find("oci-layout") is not None and self.find("index.json") is not None

    def find(self, name: str) -> Blob | None:
        """A regular file of this name; links are not followed at its end."""
        path = os.path.join(self._root, name)
        try:
            status = os.lstat(path)
        except OSError:
            return None
        return Blob(path, 0, status.st_size) if stat.S_ISREG(status.st_mode) else None


class Outer:
    """The members of a plain tar; only headers are read."""

    def __init__(self, path: str) -> None:
        self._fd, self._path = _opened(path)
        weakref.finalize(self, os.close, self._fd)  # whoever holds a layout holds this place, and reads from it
        self._size = os.fstat(self._fd).st_size
        self._at = 0
        self._count = 0
        self._shown = path
        self._blobs: dict[str, Blob] = {}
        self._links: dict[str, str] = {}

    def find(self, name: str) -> Blob | None:
        """The last member of this name, through the links that docker makes between equal layers."""
        while self._step():
            pass
        for _ in range(4):
            if name in self._blobs:
                return self._blobs[name]
            if name not in self._links:
                return None
            target = self._links[name]
            name = os.path.normpath(os.path.join(os.path.dirname(name), target))
        return None

    def is_image(self) -> bool:
        """Stops at the first name that tells."""
        while True:
            if "manifest.json" in self._blobs:
                return self._is_manifest()
            if "oci-layout" in self._blobs:
                return True
            if not self._step():
                return False

    def _is_manifest(self) -> bool:
        """Other things have a ``manifest.json`` too."""
        try:
            rows = msgspec.json.decode(document(self, "manifest.json", self._shown))
        except (*UNDECODABLE, SubjectUnreadable):
            return False
        return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) and "Layers" in row for row in rows)

    def _step(self) -> bool:
        """Read one more header; False at the end."""
        extended: dict[bytes, bytes] = {}
        while self._at < self._size:
            block = os.pread(self._fd, BLOCK, self._at)
            if is_end(block):
                self._at = self._size
                return False
            header = parse(block, extended)
            self._at += BLOCK
            if header.kind in EXTENSIONS:
                if header.size > DOCUMENT_BYTES:
                    raise DamagedTar("an extended header is too long")
                data = os.pread(self._fd, header.size, self._at)
                extended |= records(data) if header.kind == PAX else {b"path": data.rstrip(b"\0")} if header.kind == LONG_NAME else {}
                self._at += header.padded
                continue
            self._member(os.path.normpath(text(header.name)), header.kind == REGULAR, header.size, text(header.link))
            self._at += header.padded
            return True
        return False

    def _member(self, name: str, is_file: bool, size: int, link: str) -> None:
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise DamagedTar(f"it has more than {MOST_MEMBERS} members")
        if is_file:
            if self._at + size > self._size:
                raise DamagedTar("it ends within a member")
            self._blobs[name] = Blob(self._path, self._at, size)
            self._links.pop(name, None)
        elif link:
            self._links[name] = link
            self._blobs.pop(name, None)


def _opened(path: str) -> tuple[int, str]:
    """An open plain tar, and the name under which other processes find it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SubjectNotFound(f"{printable_name(path)} cannot be opened", why=error.strerror or str(error)) from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise SubjectNotFound(f"{printable_name(path)} is no regular file", advice="name the archive itself")
        if not packing(os.pread(fd, 8, 0)):
            kept, fd = fd, -1
            return kept, os.path.abspath(path)
        kept = _unpacked_aside(fd, status.st_size, path)
        return kept, f"/proc/{os.getpid()}/fd/{kept}"
    finally:
        if fd >= 0:
            os.close(fd)


def _unpacked_aside(fd: int, size: int, path: str) -> int:
    try:
        with tempfile.TemporaryFile() as plain:
            for piece in unpacked(fd, 0, size, path):
                plain.write(piece)
            plain.flush()
            return os.dup(plain.fileno())
    except OSError as error:
        why = f"it is packed as a whole, and cannot be unpacked beside: {error.strerror or error}"
        raise refused(path, why, "unpack it yourself (`gunzip`), or name a larger TMPDIR") from error


def document(place: Place, name: str, shown: str, *, digest: str = "") -> bytes:
    blob = place.find(name)
    if blob is None:
        raise refused(shown, f"it does not hold {printable_name(name)}, which it names", "save the image again, with all its parts")
    if blob.length > DOCUMENT_BYTES:
        raise refused(shown, f"its {printable_name(name)} is larger than {DOCUMENT_BYTES >> 20} MiB")
    with open(blob.path, "rb") as file:
        data = os.pread(file.fileno(), blob.length, blob.offset)
    if len(data) < blob.length:
        raise truncated(shown)
    if digest and "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise refused(shown, f"its {printable_name(name)} has another digest than its name says", "fetch it again")
    return data
