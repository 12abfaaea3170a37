"""Several small files as one input, where a check of one content needs more than one to answer: a package database and the release that
it is of.

The form is ours: a first line, then for each part its name, its length and its bytes. Pure; reading back what was joined gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping

MAGIC = b"assaymark-parts/1\n"


class DamagedParts(ValueError):  # noqa: N818 - a state of the bytes
    """The lengths do not add up."""


def join(parts: Mapping[str, bytes]) -> bytes:
    """The parts as one, in order of their names."""
    pieces = [MAGIC]
    for name in sorted(parts):
        shown = name.encode("utf-8", "surrogateescape")
        pieces.append(b"%d %d\n%s" % (len(shown), len(parts[name]), shown))
        pieces.append(parts[name])
    return b"".join(pieces)


def split(data: bytes) -> dict[str, bytes]:
    """The parts again.

    Raises:
        DamagedParts: when this is something else.
    """
    if not data.startswith(MAGIC):
        raise DamagedParts("these are no joined parts")
    found: dict[str, bytes] = {}
    at = len(MAGIC)
    while at < len(data):
        end = data.find(b"\n", at, at + 64)
        words = data[at:end].split(b" ") if end > 0 else []
        if len(words) != 2 or not all(word.isdigit() for word in words):
            raise DamagedParts("a part has no lengths")
        name, size = int(words[0]), int(words[1])
        start = end + 1 + name
        if start + size > len(data):
            raise DamagedParts("a part ends too early")
        found[data[end + 1 : start].decode("utf-8", "surrogateescape")] = data[start : start + size]
        at = start + size
    return found
