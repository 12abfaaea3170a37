"""Entity tags (RFC 9110, 8.8.3 and 13.1): which state of a resource a caller has seen.

Guarantees: the same state has the same strong tag on every process; ``If-None-Match`` compares weakly, ``If-Match`` strongly; a header that
is no list of tags matches nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

_TAGS = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MOST = 4096
"""Characters of a header that are read."""


def tag_of(value: Any) -> str:
    """The tag of what an operation answers."""
    return tag_of_bytes(msgspec.json.encode(value))


def tag_of_bytes(data: bytes) -> str:
    """The tag of an answer's bytes."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def matches(header: str, tag: str, *, strong: bool) -> bool:
    """Whether a header of a condition names this state."""
    if header.strip() == "*":
        return True
    return any(text == tag and not (strong and weak) for weak, text in _TAGS.findall(header[:_MOST]))
