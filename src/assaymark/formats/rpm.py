"""Headers of installed packages, as rpm keeps them in its database: https://rpm.org/docs/ (format of headers).

A header is an index of (tag, type, offset, count) and a store of values. Pure; sizes are checked before anything is read, and a header
that does not add up is an error. Reads only what is asked for; signatures are not verified: this is what the image says of itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from struct import Struct as Layout
from struct import error as StructError  # noqa: N812 - the library's name says nothing here

from msgspec import Struct

from assaymark.formats.sqlite_pages import rows

NAME, VERSION, RELEASE, EPOCH, ARCH = 1000, 1001, 1002, 1003, 1022
SOURCE_RPM, VENDOR, MODULARITY = 1044, 1011, 5096
FILE_DIGESTS, FILE_FLAGS, FOLDER_INDEXES, FILE_NAMES, FOLDERS = 1035, 1037, 1116, 1117, 1118
_CHAR, _INT8, _INT16, _INT32, _INT64, _STRING, _BINARY, _STRINGS, _I18N = 1, 2, 3, 4, 5, 6, 7, 8, 9
_WIDTHS = {_CHAR: 1, _INT8: 1, _INT16: 2, _INT32: 4, _INT64: 8}
_COUNTS = Layout(">II")
_ENTRY = Layout(">IIiI")
RPM_LIST = "//packages.json"
"""Ends the name of a part that is a list of `RpmPackage` and no database; it holds an empty part, so no file has such a name."""
MOST_TAGS = 65_535
MOST_STORE = 256 << 20
"""rpm's own limits."""


class DamagedHeader(ValueError):  # noqa: N818 - a state of the bytes
    """No header, or one that says impossible things."""


class RpmHeader:
    """One package's header."""

    def __init__(self, blob: bytes) -> None:
        """Reads its index.

        Raises:
            DamagedHeader: when it does not add up.
        """
        try:
            count, size = _COUNTS.unpack_from(blob)
        except StructError as error:
            raise DamagedHeader("the header is too short") from error
        start = 8 + count * 16
        if not 0 < count <= MOST_TAGS or size > MOST_STORE or len(blob) < start + size:
            raise DamagedHeader("the header is not as long as it says")
        self._store = blob[start : start + size]
        self._tags: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, number in _ENTRY.iter_unpack(blob[8:start]):
            if 0 <= offset <= size:
                self._tags.setdefault(tag, (kind, offset, number))

    def text(self, tag: int) -> str:
        """A string; empty when the tag is not there."""
        return next(iter(self.texts(tag, most=1)), b"").decode("utf-8", "replace")

    def texts(self, tag: int, most: int = 1 << 31) -> list[bytes]:
        """Strings; none when the tag is not there or of another type.

        Raises:
            DamagedHeader: when they are cut off.
        """
        kind, offset, count = self._tags.get(tag, (0, 0, 0))
        if kind not in {_STRING, _STRINGS, _I18N}:
            return []
        wanted = 1 if kind == _STRING else min(count, most)
        found = self._store[offset:].split(b"\0", wanted)
        if len(found) <= wanted:
            raise DamagedHeader("its strings are cut off")
        return found[:wanted]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Whole numbers; none when the tag is not there or of another type.

        Raises:
            DamagedHeader: when they are cut off.
        """
        kind, offset, count = self._tags.get(tag, (0, 0, 0))
        width = _WIDTHS.get(kind, 0)
        if not width:
            return ()
        part = self._store[offset : offset + count * width]
        if len(part) < count * width:
            raise DamagedHeader("its numbers are cut off")
        return tuple(int.from_bytes(part[at : at + width], "big") for at in range(0, len(part), width))


class RpmPackage(Struct, frozen=True, array_like=True):
    """What advisories and lists ask of a package."""

    name: str
    version: str
    release: str
    epoch: int | None
    architecture: str
    source: str
    """File name of the source package, e.g. ``bash-5.1.8-6.el9.src.rpm``."""
    vendor: str
    modularity: str

    @property
    def evr(self) -> str:
        """``[epoch:]version-release``, as rpm prints it."""
        return f"{self.epoch}:{self.version}-{self.release}" if self.epoch else f"{self.version}-{self.release}"


def headers(database: bytes) -> Iterator[RpmHeader]:
    """Headers of ``rpmdb.sqlite``, in the order of their numbers.

    Raises:
        NotSqlite, DamagedHeader: when the database or a header is damaged.
    """
    for _, columns in rows(database, "Packages"):
        blob = columns[-1] if columns else None
        if not isinstance(blob, bytes):
            raise DamagedHeader("a row of the database holds no header")
        yield RpmHeader(blob)


def package(header: RpmHeader) -> RpmPackage:
    """The package of a header.

    Raises:
        DamagedHeader: when it has no name or version.
    """
    name, version = header.text(NAME), header.text(VERSION)
    if not name or not version:
        raise DamagedHeader("a header names no package")
    epochs = header.numbers(EPOCH)
    return RpmPackage(
        name=name,
        version=version,
        release=header.text(RELEASE),
        epoch=epochs[0] if epochs else None,
        architecture=header.text(ARCH),
        source=header.text(SOURCE_RPM),
        vendor=header.text(VENDOR),
        modularity=header.text(MODULARITY),
    )


def files(header: RpmHeader) -> Iterator[tuple[bytes, bytes]]:
    """Files of a package with their digests; folders and links have none.

    Raises:
        DamagedHeader: when its lists do not fit each other.
    """
    names, digests = header.texts(FILE_NAMES), header.texts(FILE_DIGESTS)
    folders, indexes = header.texts(FOLDERS), header.numbers(FOLDER_INDEXES)
    if len(names) != len(indexes) or (digests and len(digests) != len(names)):
        raise DamagedHeader("its lists of files have different lengths")
    for name, digest, index in zip(names, digests, indexes, strict=False):
        if digest and index < len(folders):
            try:
                yield (folders[index] + name).lstrip(b"/"), binascii.unhexlify(digest)
            except binascii.Error as error:
                raise DamagedHeader("a digest of its files is none") from error
