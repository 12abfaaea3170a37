"""Packagist: what Composer's comparison does, which is PHP's `version_compare` without a leading ``v``.

Words go by their first letters: unknown ones before ``dev``, ``a…``, ``b…``, ``rc``, then the end, numbers, and ``p…``.
"""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.versions.coding import UnorderableError, number

_FORM = re.compile(r"[vV]?[0-9A-Za-z._+~/-]+\Z", re.ASCII)
_PARTS = re.compile(r"[0-9]+|[^0-9._+-]+")
_UNKNOWN, _END, _NUMBER, _PATCH = b"\x01", b"\x06", b"\x07", b"\x08"
_RANKS = (("dev", b"\x02"), ("a", b"\x03"), ("b", b"\x04"), ("RC", b"\x05"), ("rc", b"\x05"), ("p", _PATCH))


def composer(text: str) -> bytes:
    """Key of a version.

    Raises:
        UnorderableError: when it holds what no version holds.
    """
    text = text.strip()
    if not _FORM.match(text):
        raise UnorderableError("no version of Packagist")
    parts = _PARTS.findall(text[1:] if text[0] in "vV" else text)
    if not parts:
        raise UnorderableError("no version of Packagist")
    return b"".join(_NUMBER + number(part) if part[0].isdecimal() else _rank(part) for part in parts) + _END


def _rank(part: str) -> bytes:
    return next((rank for start, rank in _RANKS if part.startswith(start)), _UNKNOWN)
