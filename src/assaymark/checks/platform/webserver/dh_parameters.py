"""How long the Diffie-Hellman parameters in a PEM file are.

Reads the length of the first number of the first ``DH PARAMETERS`` block. Guarantees an answer in bits or None; a malformed file gives
None.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from posixpath import basename

from assaymark.checks.platform.webserver.profile import profile

_BLOCK = re.compile(r"-----BEGIN DH PARAMETERS-----([A-Za-z0-9+/=\s]{1,8000})-----END DH PARAMETERS-----")
_NAMED = re.compile(r"(?<!\d)(512|768|1024)(?!\d)")


def weak_bits(path: str, texts: Mapping[str, str]) -> tuple[int, str]:
    """Bits of the parameters that a path names when they are too few, else 0, and how they are known: by the file or its name."""
    name = basename(path)
    members = [member for member in texts if basename(member) == name]
    measured = bits_of(texts[members[0]]) if len(members) == 1 else None
    if measured is not None:
        return (measured, "The file holds") if measured < profile().dh_bits else (0, "")
    told = _NAMED.search(path)
    return (int(told[1]), "By its name the file holds") if told else (0, "")


def bits_of(text: str) -> int | None:
    """Bits of the prime, None when there is none."""
    found = _BLOCK.search(text)
    if found is None:
        return None
    try:
        data = b64decode("".join(found[1].split()), validate=True)
    except (Error, ValueError):
        return None
    outer = _content(data, 0x30)
    prime = _content(outer, 0x02) if outer is not None else None
    return int.from_bytes(prime, "big").bit_length() if prime else None


def _content(data: bytes, tag: int) -> bytes | None:
    """The content of the DER element that begins here, when it has this tag."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, at = data[1], 2
    if length >= 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    return data[at : at + length] if at + length <= len(data) else None
