"""Headers of tar: POSIX ustar and pax, GNU's long names, one 512-byte block at a time.

Pure. Guarantees that a damaged header is an error and never the end of an archive, and that numbers in every notation (octal, base 256,
pax) are bounded. Sparse files are told as such, in GNU's old and new notations: what stands in the archive is not their content.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from msgspec import Struct

BLOCK = 512
LONGEST = 1 << 60
"""Bytes of a file: beyond what any file system holds."""

REGULAR, HARD_LINK, SYMLINK, FOLDER = b"0", b"1", b"2", b"5"
_OLD_REGULAR = frozenset({b"\0", b"7"})
LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL = b"L", b"K", b"x", b"g"
EXTENSIONS = frozenset({LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL})
"""Headers that say something of the one that follows."""
WITHOUT_CONTENT = frozenset({HARD_LINK, SYMLINK, b"3", b"4", FOLDER, b"6"})
_GNU_SPARSE = b"S"
_KNOWN = frozenset({REGULAR, b"3", b"4", b"6", HARD_LINK, SYMLINK, FOLDER, _GNU_SPARSE}) | EXTENSIONS
_EMPTY = bytes(BLOCK)
_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")


class DamagedTar(ValueError):  # noqa: N818 - a state of the archive
    """No header, or one that says impossible things."""


class Header(Struct):
    """One header, with what the extensions before it say."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    """Bytes that follow in the archive."""
    link: bytes
    sparse: bool = False
    more_sparse: bool = False
    """Blocks of GNU's old sparse map follow the header."""
    capabilities: bool = False
    """The file carries capabilities of Linux in an extended attribute."""

    @property
    def padded(self) -> int:
        """Bytes of content and padding that follow."""
        return -(-self.size // BLOCK) * BLOCK


def is_end(block: bytes) -> bool:
    """Two such blocks end an archive."""
    return block == _EMPTY


def parse(block: bytes, extended: Mapping[bytes, bytes]) -> Header:
    """The header in a block, changed by the extension records that came before it.

    Raises:
        DamagedTar: see the class.
    """
    if len(block) != BLOCK:
        raise DamagedTar("it ends within a header")
    name, mode, uid, gid, size, _, checksum, kind, link, magic, _, _, _, _, _, prefix = _FIELDS.unpack(block)
    if number(checksum) not in _sums(block):
        raise DamagedTar("a header's checksum is wrong")
    name = _text(name)
    if magic == b"ustar\0" and prefix[0]:
        name = _text(prefix) + b"/" + name
    if kind in _OLD_REGULAR:
        kind = FOLDER if name.endswith(b"/") else REGULAR
    header = Header(name, kind, number(mode) & 0o7777, number(uid), number(gid), number(size), _text(link))
    if kind == _GNU_SPARSE:
        header.kind, header.sparse, header.more_sparse = REGULAR, True, block[482] != 0
    elif kind not in _KNOWN:
        raise DamagedTar(f"a member is of the unknown type {kind!r}")
    if extended and kind not in EXTENSIONS:
        _extend(header, extended)
    if header.kind in WITHOUT_CONTENT:
        header.size = 0
    return header


def _sums(block: bytes) -> tuple[int, int]:
    """The checksum over unsigned bytes, and over signed ones as some old programs make it."""
    unsigned = 256 + sum(block[:148]) + sum(block[156:])
    if block.isascii():
        return unsigned, unsigned
    return unsigned, unsigned - 256 * sum(byte > 127 for byte in block[:148] + block[156:])


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def number(field: bytes) -> int:
    """A number in octal, or in base 256 when its first bit is set.

    Raises:
        DamagedTar: when it is neither, negative, or beyond `LONGEST`.
    """
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40 or value > LONGEST:
            raise DamagedTar("a number in a header is impossible")
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else _not_octal()
    except ValueError as error:
        raise DamagedTar("a number in a header is not octal") from error


def _not_octal() -> int:
    raise ValueError


def _extend(header: Header, extended: Mapping[bytes, bytes]) -> None:
    for key, value in extended.items():
        match key:
            case b"path":
                header.name = value
            case b"linkpath":
                header.link = value
            case b"size":
                header.size = _decimal(value)
            case b"uid":
                header.uid = _decimal(value)
            case b"gid":
                header.gid = _decimal(value)
            case b"SCHILY.xattr.security.capability":
                header.capabilities = True
            case b"GNU.sparse.name":
                header.name, header.sparse = value, True
            case _ if key.startswith(b"GNU.sparse."):
                header.sparse = True


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20 or int(value) > LONGEST:
        raise DamagedTar("a number in an extended header is impossible")
    return int(value)


def records(data: bytes) -> dict[bytes, bytes]:
    r"""Records of a pax header, ``<length> <key>=<value>\n``; the last one of a key counts.

    Raises:
        DamagedTar: when the lengths do not add up.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        length, space, _ = data[at : at + 21].partition(b" ")
        if not data[at : at + 1].strip(b"\0"):
            break  # some programs pad with zeros
        if not space or not length.isdigit() or not len(length) + 3 <= int(length) <= len(data) - at:
            raise DamagedTar("an extended header's record is not as long as it says")
        record = data[at + len(length) + 1 : at + int(length)]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise DamagedTar("an extended header's record is no key and value")
        found[key] = value[:-1]
        at += int(length)
    return found
