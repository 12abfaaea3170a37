"""What the client says and how the daemon answers; the client's half is in `assaymark.hookclient`, by hand and without imports.

Guarantees that bytes which are no whole request of this protocol are told apart from those of another version. Does no input or output.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from msgspec import Struct

from assaymark.hookclient import ACCEPTED, DECLINED, ERR, EXIT, OUT, PROTOCOL

__all__ = ["ACCEPTED", "DECLINED", "ERR", "EXIT", "OUT", "OtherVersion", "Request", "Write", "decode", "frame"]

Write = Callable[[int, bytes], None]
"""Writes to the client's standard output (1) or error (2)."""

_FIXED = 6
"""Fields before the arguments."""


class OtherVersion(ValueError):  # noqa: N818 - says what it is
    """A request of another version of the protocol: whoever sends it has newer or older code than this process."""


class Request(Struct, frozen=True):
    """One call of the program."""

    stamp: str
    """The client's code, see `hookclient.stamp`."""
    executable: str
    umask: int
    terminals: tuple[bool, bool, bool]
    """Whether standard input, output and error are terminals."""
    argv: tuple[str, ...]
    """Without the program's name."""
    cwd: str
    environment: Mapping[str, str]
    """The variables that may change an answer; the daemon's own are not seen by the handler."""
    input: bytes | None = None
    """What came on standard input, if it was read already; None means that `sys.stdin` is the client's own."""

    @property
    def colour(self) -> bool:
        """Whether standard error is a terminal whose user wants colours."""
        return self.terminals[2] and not self.environment.get("NO_COLOR")


def decode(body: bytes) -> Request:
    """The request in these bytes, without the length before them.

    Raises:
        OtherVersion: when it is one of another protocol.
        ValueError: when it is none.
    """
    fields = [os.fsdecode(part) for part in body.split(b"\0")]
    if fields[0] != PROTOCOL:
        known_family = fields[0].startswith("assay/") and len(fields[0]) < 20
        raise (OtherVersion if known_family else ValueError)("not this protocol")
    if len(fields) < _FIXED + 1:
        raise ValueError("fields are missing")
    count = int(fields[5])
    if not 0 <= count < len(fields) - _FIXED or set(fields[4]) - {"0", "1"} or len(fields[4]) != 3:
        raise ValueError("fields contradict each other")
    argv = fields[_FIXED : _FIXED + count]
    cwd, *pairs = fields[_FIXED + count :]
    if not cwd.startswith("/") or not all("=" in pair for pair in pairs):
        raise ValueError("no folder, or no environment")
    return Request(
        stamp=fields[1],
        executable=fields[2],
        umask=int(fields[3], 8) & 0o777,
        terminals=(fields[4][0] == "1", fields[4][1] == "1", fields[4][2] == "1"),
        argv=tuple(argv),
        cwd=cwd,
        environment=dict(pair.split("=", 1) for pair in pairs),
    )


def frame(kind: int, body: bytes = b"") -> bytes:
    """One frame of the answer."""
    return bytes([kind]) + len(body).to_bytes(4, "big") + body
