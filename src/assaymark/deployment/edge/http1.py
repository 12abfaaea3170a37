"""Heads of HTTP/1.1 messages, read strictly (RFC 9112) and written anew. Pure.

Guarantees
* where a message ends is the same for whoever is before and behind the edge: what could be read in two ways (both lengths, two lengths,
  a coding that is not chunked alone, bare line ends, folded lines, blanks before a colon) is refused, not repaired;
* what belongs to one connection only (``Connection`` and what it names, ``Keep-Alive``, ``Proxy-Connection``, ``Trailer``,
  ``TE``) ends here.

Not here: HTTP/2 and 3, ``CONNECT``, trailers (they are left out, as RFC 9110 6.5.1 allows).
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

MOST_HEAD = 32 << 10
MOST_FIELDS = 128
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VALUE = re.compile(rb"[\t \x21-\x7e\x80-\xff]*")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t \x21-\x7e\x80-\xff]*))?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t \x21-\x7e\x80-\xff]*)?")
_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"trailer", b"te", b"upgrade"})
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_EMPTY = frozenset({204, 304})
SWITCHING = 101


class MessageError(Exception):
    """It is no message that two readers would understand alike; carries the status that says so."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Ends(StrEnum):
    """What tells where a body ends."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"
    """The connection; responses only."""
    TUNNEL = "tunnel"
    """It is no message any more (101)."""


class Request(Struct, frozen=True):
    """The head of one."""

    method: bytes
    target: bytes
    minor: int
    """Of its version: 1.0 or 1.1."""
    fields: tuple[tuple[bytes, bytes], ...]
    ends: Ends
    length: int
    keeps: bool
    """Whether its sender wants to send another one on this connection."""
    upgrade: bytes

    @property
    def safe(self) -> bool:
        """Whether asking it twice does nothing that asking it once does not."""
        return self.method in _SAFE and self.ends is Ends.NONE and not self.upgrade


class Response(Struct, frozen=True):
    """The head of one."""

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    ends: Ends
    length: int
    keeps: bool
    upgrade: bytes


def request(head: bytes) -> Request:
    """That of a head, with its empty line.

    Raises:
        MessageError: when it is none.
    """
    line, fields = _parts(head)
    words = line.split(b" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not _TARGET.fullmatch(words[1]):
        raise MessageError("the first line is no request")
    if words[2] not in {b"HTTP/1.0", b"HTTP/1.1"}:
        raise MessageError("this is no version that is spoken here", 505)
    if words[0] == b"CONNECT":
        raise MessageError("no connections to elsewhere are made here", 405)
    minor = 1 if words[2] == b"HTTP/1.1" else 0
    hosts = sum(name.lower() == b"host" for name, _ in fields)
    if hosts > 1 or (minor and not hosts):
        raise MessageError("it names no host, or more than one")
    ends, length = _framing(fields, minor)
    options = _options(fields)
    keeps = b"close" not in options if minor else False
    upgrade = _one(fields, b"upgrade") if minor and b"upgrade" in options else b""
    return Request(words[0], words[1], minor, fields, ends, length, keeps, upgrade)


def response(head: bytes, method: bytes) -> Response:
    """That of a head, with its empty line, as the answer to a request by this method.

    Raises:
        MessageError: when it is none.
    """
    line, fields = _parts(head)
    found = _STATUS.fullmatch(line)
    if found is None:
        raise MessageError("the first line is no status", 502)
    minor, status = int(found[1]), int(found[2])
    options = _options(fields)
    keeps = b"close" not in options if minor else b"keep-alive" in options
    upgrade = _one(fields, b"upgrade")
    if status == SWITCHING:
        return Response(status, found[3] or b"", fields, Ends.TUNNEL, 0, keeps=False, upgrade=upgrade)
    ends, length = _framing(fields, minor)
    if method == b"HEAD" or status < 200 or status in _EMPTY:
        ends, length = Ends.NONE, 0
    elif ends is Ends.NONE and not any(name.lower() == b"content-length" for name, _ in fields):
        ends, keeps = Ends.CLOSE, False
    return Response(status, found[3] or b"", fields, ends, length, keeps, upgrade)


def chunk_size(line: bytes) -> int:
    """Of the line before a chunk.

    Raises:
        MessageError: when it is none.
    """
    found = _CHUNK.fullmatch(line.removesuffix(b"\r\n")) if line.endswith(b"\r\n") else None
    if found is None:
        raise MessageError("the size of a chunk is none")
    return int(found[1], 16)


def written_request(said: Request, client: str) -> bytes:
    """What goes to an instance."""
    fields = _passing(said.fields)
    if said.upgrade:
        fields += [(b"Connection", b"upgrade"), (b"Upgrade", said.upgrade)]
    before = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    fields = [each for each in fields if each[0].lower() != b"x-forwarded-for"]
    fields.append((b"X-Forwarded-For", b", ".join([*before, client.encode("ascii", "replace")])))
    return _written(b"%b %b HTTP/1.%d" % (said.method, said.target, said.minor), fields)


def written_response(said: Response, *, keeps: bool) -> bytes:
    """What goes to whoever asked; `keeps`: they may ask again on this connection."""
    fields = _passing(said.fields)
    if said.ends is Ends.TUNNEL:
        fields += [(b"Connection", b"upgrade"), (b"Upgrade", said.upgrade)]
    elif said.status >= 200 and not keeps:
        fields.append((b"Connection", b"close"))
    return _written(b"HTTP/1.1 %d %b" % (said.status, said.reason), fields)


def refusal(status: int, text: str, *, retry: int = 0) -> bytes:
    """What the edge itself answers, after which it closes."""
    body = f"{text}\n".encode()
    fields = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
    if retry:
        fields.append((b"Retry-After", b"%d" % retry))
    return _written(b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"Error")), fields) + body


_REASONS = {
    400: b"Bad Request", 405: b"Method Not Allowed", 408: b"Request Timeout", 431: b"Request Header Fields Too Large",
    501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Timeout", 505: b"HTTP Version Not Supported",
}  # fmt: skip


# --- parts -----------------------------------------------------------------------------------------------------------


def _parts(head: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    if not head.endswith(b"\r\n\r\n"):
        raise MessageError("the head does not end")
    line, *rest = head[:-4].split(b"\r\n")
    if len(rest) > MOST_FIELDS:
        raise MessageError(f"it has more than {MOST_FIELDS} fields", 431)
    return line, tuple(_field(each) for each in rest)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    value = value.strip(b" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise MessageError("a field is none")
    return name, value


def _framing(fields: tuple[tuple[bytes, bytes], ...], minor: int) -> tuple[Ends, int]:
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or not minor or len(codings) > 1:
            raise MessageError("it says in two ways where it ends")
        if codings[0].lower() != b"chunked":
            raise MessageError("this coding is not understood", 501)
        return Ends.CHUNKED, 0
    if not lengths:
        return Ends.NONE, 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise MessageError("its length is no number")
    length = int(lengths[0])
    return (Ends.LENGTH if length else Ends.NONE), length


def _options(fields: tuple[tuple[bytes, bytes], ...]) -> frozenset[bytes]:
    """What the fields ``Connection`` name, in lower case."""
    said = (value for name, value in fields if name.lower() == b"connection")
    return frozenset(word.strip(b" \t").lower() for value in said for word in value.split(b","))


def _one(fields: tuple[tuple[bytes, bytes], ...], wanted: bytes) -> bytes:
    return b", ".join(value for name, value in fields if name.lower() == wanted)


def _passing(fields: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    # What tells where the message ends, and whose it is, is never among what a sender may take out.
    left = _HOP | (_options(fields) - {b"content-length", b"transfer-encoding", b"host"})
    return [(name, value) for name, value in fields if name.lower() not in left]


def _written(line: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"\r\n".join([line, *(b"%b: %b" % each for each in fields), b"", b""])
