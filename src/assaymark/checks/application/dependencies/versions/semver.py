"""Semantic Versioning 2.0.0 (section 11) as npm, Go, crates.io and Hex use it; with build metadata, as Pub orders it; NuGet's four numbers.

Lenient where the ecosystems are: a leading ``v``, and missing numbers count as zero. Build metadata is left out of the order, except Pub's.
"""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.versions.coding import UnorderableError, number, word

_FORM = re.compile(r"[vV=]?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.+-]*))?\Z", re.ASCII)
_NUGET = re.compile(r"[vV]?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]*))?\Z", re.ASCII)
_NOTHING, _DIGITS, _WORD = b"\x01", b"\x02", b"\x03"
_EARLY, _RELEASE = b"\x01", b"\x02"


def semver(text: str) -> bytes:
    """Key of a version.

    Raises:
        UnorderableError: when it is none.
    """
    match = _FORM.match(text)
    if match is None:
        raise UnorderableError("no semantic version")
    first, second, third, early, _ = match.groups()
    return number(first) + number(second or "") + number(third or "") + _before(early)


def pub(text: str) -> bytes:
    """The same with build metadata, which Pub orders: none before any.

    Raises:
        UnorderableError: when it is no version.
    """
    build = _identifiers(text.partition("+")[2]) if "+" in text else _NOTHING
    return semver(text) + build


def nuget(text: str) -> bytes:
    """Four numbers, letters of any case alike.

    Raises:
        UnorderableError: when it is no version.
    """
    match = _NUGET.match(text)
    if match is None:
        raise UnorderableError("no NuGet version")
    *numbers, early, _ = match.groups()
    return b"".join(number(part or "") for part in numbers) + _before(early.lower() if early else None)


def _before(early: str | None) -> bytes:
    return _RELEASE if early is None else _EARLY + _identifiers(early)


def _identifiers(text: str) -> bytes:
    """Dot-separated; digits by value and before words, the shorter list before the longer."""
    parts = [_DIGITS + number(part) if part.isdecimal() else _WORD + word(part) for part in text.split(".")]
    return b"".join(parts) + _NOTHING
