"""Secrets that the server makes and knows again by their SHA-256: they are random, so a fast hash is enough.

A token is ``assay_``, 32 random bytes as 43 digits to base 62, and their CRC-32 as 6: scanners find it and know it from a random word, and
a mistyped one is refused before any question to the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib

PREFIX = "assay_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _TAIL = 43, 6
_TOKEN = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_BODY}}})([0-9A-Za-z]{{{_TAIL}}})")
_SECRET = re.compile(r"[0-9A-Za-z]{43}")
HINT = len(PREFIX) + 6
"""How much of a token is kept readable."""


def new_secret() -> str:
    """256 random bits for a cookie or a link: letters and digits only, safe in both."""
    return _written(int.from_bytes(secrets.token_bytes(32), "big"), _BODY)


def new_token() -> str:
    """A token; whoever makes it shows it once."""
    body = new_secret()
    return PREFIX + body + _tail(body)


def is_token(text: str) -> bool:
    """Whether it could be one."""
    found = _TOKEN.fullmatch(text)
    return found is not None and hmac.compare_digest(found[2], _tail(found[1]))


def is_secret(text: str) -> bool:
    """Whether it could be one that `new_secret` made."""
    return _SECRET.fullmatch(text) is not None


def hashed(secret: str) -> str:
    """By which it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _tail(body: str) -> str:
    return _written(zlib.crc32(body.encode()), _TAIL)


def _written(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))
