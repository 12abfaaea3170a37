"""Which files an installed package brought, as package managers write it down: dpkg, apk and pip.

Each reader gives names relative to the root (or to the folder of its list) with the digest that the file had when it was installed: MD5,
SHA-1 or SHA-256, told apart by their length. Pure, linear, and tolerant: a line that says nothing is passed over, since it can only make
a file count as changed. Headers of rpm are read by `assaymark.formats.rpm`.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator

Owned = Iterator[tuple[bytes, bytes]]

_MD5_LINE = re.compile(rb"^([0-9a-f]{32})  (.+)$", re.MULTILINE)
_CONFFILE = re.compile(rb"^ (/.+?) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)
_RECORD = re.compile(rb'^(?:"((?:[^"]|"")+)"|([^,"\n]+)),sha256=([\w-]{43})=?,\d*\r?$', re.MULTILINE)


def md5sums(data: bytes) -> Owned:
    """Dpkg's ``info/<package>.md5sums``: configuration files are not in it."""
    for found in _MD5_LINE.finditer(data):
        yield found[2], binascii.unhexlify(found[1])


def conffiles(data: bytes) -> Owned:
    """Configuration files in dpkg's ``status``, as the packages brought them."""
    for found in _CONFFILE.finditer(data):
        yield found[1].lstrip(b"/"), binascii.unhexlify(found[2])


def apk_files(data: bytes) -> Owned:
    """Apk's ``installed``: ``F:`` is a folder, ``R:`` a file in it, ``Z:`` its SHA-1."""
    folder = name = b""
    for line in data.split(b"\n"):
        key, value = line[:2], line[2:]
        if key == b"F:":
            folder, name = value, b""
        elif key == b"R:":
            name = value
        elif key == b"Z:" and name and value.startswith(b"Q1"):
            digest = _base64(value[2:])
            if digest is not None:
                yield folder + b"/" + name if folder else name, digest


def record(data: bytes) -> Owned:
    """Pip's ``RECORD`` (PEP 376, PEP 627): names relative to the folder of the packages."""
    for found in _RECORD.finditer(data):
        digest = _base64(found[3] + b"=")
        if digest is not None:
            yield (found[1] or b"").replace(b'""', b'"') or found[2], digest


def _base64(text: bytes) -> bytes | None:
    try:
        return urlsafe_b64decode(text)
    except binascii.Error:
        return None
