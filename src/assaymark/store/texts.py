"""Text of others as both databases can keep it: no lone surrogates, no NUL, no more than a bound."""

from __future__ import annotations

import re

from assaymark.views.encoding import well_formed

_ELLIPSIS = "…"
_REFUSED = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    r"""The text, what a database refuses written visibly (``\x00``)."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", "\\x00")
    return (well_formed(text) if _REFUSED.search(text) else text).replace("\0", "\\x00")


def cut(text: str, limit: int) -> str:
    """The same, cut to so many characters."""
    text = plain(text)
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS
