"""Credentials for the sample repository: valid in form, made at build time, known to nobody's account.

Every value is a pure function of its label, so the sample has the same commit ids everywhere, and no file of this project holds one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
import zlib
from collections.abc import Callable

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MARK = re.compile(rb"@@([a-z-]+):([a-z0-9-]+)@@")


def fill(content: bytes) -> bytes:
    """Replace each ``@@kind:label@@`` of a recipe file.

    Raises:
        KeyError: when the recipe names a kind that nobody makes.
    """
    return _MARK.sub(lambda match: _MAKERS[match[1].decode()](match[2].decode()).encode(), content)


def _bytes(label: str, count: int) -> bytes:
    return hashlib.shake_256(b"harbour sample: " + label.encode()).digest(count)


def _letters(label: str, alphabet: str, count: int) -> str:
    return "".join(alphabet[byte % len(alphabet)] for byte in _bytes(label, count))


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(width, "0")


def github_token(label: str) -> str:
    """A personal access token of GitHub whose last six digits are the CRC-32 of the others, as the real ones' are."""
    body = _letters("github " + label, _BASE62, 30)
    return "ghp" + "_" + body + _base62(zlib.crc32(body.encode()), 6)


def payment_key(label: str) -> str:
    """A live secret key of a payment provider."""
    return "_".join(("sk", "live", "51" + _letters("payment " + label, _BASE62, 97)))


def cloud_key_id(label: str) -> str:
    return "AK" + "IA" + _letters("cloud id " + label, _BASE32, 16)


def cloud_key(label: str) -> str:
    return base64.b64encode(_bytes("cloud key " + label, 30)).decode()


def password(label: str) -> str:
    """What a person in a hurry lets a generator make."""
    return _letters("password " + label, _BASE62[10:] + "23456789#%+", 18)


def private_key(label: str) -> str:
    """A whole PKCS #8 Ed25519 key (RFC 8410, section 7)."""
    der = bytes.fromhex("302e020100300506032b657004220420") + _bytes("key " + label, 32)
    name = "PRIVATE" + " KEY"
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {name}-----\n{body}\n-----END {name}-----"


_MAKERS: dict[str, Callable[[str], str]] = {
    "github-token": github_token,
    "payment-key": payment_key,
    "cloud-key-id": cloud_key_id,
    "cloud-key": cloud_key,
    "password": password,
    "private-key": private_key,
}
