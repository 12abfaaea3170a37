"""The door to HTTP: whoever calls gives a function that makes one exchange, so that the server's guarded client and the command line's
own are used alike, and tests need no network. Redirects and authentication are decided in this room, not behind the door.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Ask(Struct, frozen=True):
    """One request. Its headers are not shown by `repr`: one of them may be a credential."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    most: int = 4 << 20
    """Bytes of an answer that is read at all."""

    def __repr__(self) -> str:
        return f"Ask({self.method} {self.url})"


class Said(Struct, frozen=True):
    """The answer to one request, whatever its status; no redirect was followed."""

    status: int
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes = b""


Send = Callable[[Ask], Said]
"""Raises `SubjectUnreadable` when nobody answers or the answer is larger than was asked for, `UsageError` where it may not go."""
