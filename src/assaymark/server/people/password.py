"""Passwords: rules, hash, comparison.

Guarantees: argon2id with the library's present parameters, at most two at a time in a process (each takes 64 MiB and a fifth of a second),
a login that is not known costs the same as one that is. Rules are length and a list of the commonest (NIST SP 800-63B section 3.1.1.2);
no rule about kinds of letters. Call it from a thread that may wait, never from the loop.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from assaymark.errors import UsageError
from assaymark.server.people.common_passwords import COMMON

SHORTEST, LONGEST = 12, 256
HASHER = PasswordHasher()
_at_once = threading.BoundedSemaphore(2)


def check_rules(password: str, login: str) -> None:
    """Whether it may be somebody's.

    Raises:
        UsageError: when it may not.
    """
    text = _normal(password)
    if len(text) < SHORTEST:
        raise UsageError(
            "the password is too short", why=f"it has {len(text)} letters", advice=f"use {SHORTEST} or more; a few words will do"
        )
    if len(text) > LONGEST:
        raise UsageError("the password is too long", advice=f"use at most {LONGEST} letters")
    plain = text.casefold()
    if plain in COMMON or len(set(plain)) < 4 or plain == login or plain == login * 2:
        raise UsageError("the password is one of those that are tried first", advice="use a few words that nobody says together")


def hash_of(password: str) -> str:
    """In PHC form."""
    with _at_once:
        return HASHER.hash(_normal(password))


def is_right(hashed: str | None, password: str) -> bool:
    """Whether it is the one; takes as long when there is none."""
    if len(password) > LONGEST:
        password = ""
    with _at_once:
        try:
            HASHER.verify(hashed or _of_nobody(HASHER), _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return HASHER.check_needs_rehash(hashed)


@cache
def _of_nobody(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
