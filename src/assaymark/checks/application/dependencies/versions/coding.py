"""Parts of a key: numbers of any length and words, each self-delimiting, so that no part can run into the next."""

from __future__ import annotations

SCHEME = "keys/1"
"""Goes into whatever holds keys: those of another scheme cannot be compared with them."""
LONGEST = 500
"""Characters of a version; published ones stay below a hundred."""
_MOST_DIGITS = 250
_MOST_ZEROS = 250


class UnorderableError(ValueError):
    """The ecosystem has no place in its order for this text."""


def number(digits: str) -> bytes:
    """Decimal digits by value: a longer number is a larger one, so its length goes first. An empty text counts as zero.

    Raises:
        UnorderableError: when it has more digits than a version ever has.
    """
    digits = digits.lstrip("0")
    if len(digits) > _MOST_DIGITS:
        raise UnorderableError("a number of more than 250 digits")
    return bytes((len(digits),)) + digits.encode("ascii")


def word(text: str) -> bytes:
    """Text by its bytes, a prefix before what it begins."""
    return text.encode("utf-8") + b"\0"


BELOW_ZEROS = b"\x10"
ZEROS_THEN_LESS = b"\x20"
END = b"\x30"
ABOVE_END = b"\x40"
ZEROS_THEN_MORE = b"\x50"
ABOVE_ZEROS = b"\x60"
"""First bytes of one element of a list that is compared as if it went on with zeros for ever (Maven, RubyGems).

Written out, such a list has no last byte to compare; so a run of zeros is coded by its length and by what follows it. Followed by something
less than zero, it lies below the end, and the longer it is the higher; followed by something more, above it, and the longer the lower.
"""


def zeros(count: int, *, then_more: bool) -> bytes:
    """A run of zeros that is not the last thing in its list.

    Raises:
        UnorderableError: when it is longer than it ever is.
    """
    if count > _MOST_ZEROS:
        raise UnorderableError("a run of more than 250 zeros")
    return ZEROS_THEN_MORE + bytes((255 - count,)) if then_more else ZEROS_THEN_LESS + bytes((count,))
