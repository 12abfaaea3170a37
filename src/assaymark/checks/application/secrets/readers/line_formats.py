"""Readers of formats that go line by line: .env, .properties, .netrc, .pgpass and htpasswd files.

Values are decoded to Latin-1 so that one character is one byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.secrets.readers.pairs import Pair, Reader

_DOTENV = re.compile(
    rb"^[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z_][\w.\-]{0,120})[ \t]*[=:][ \t]*"
    rb"(?:\"(?P<double>(?:[^\"\\]|\\[\s\S]){0,4096})\"|'(?P<single>[^']{0,4096})'|(?P<bare>[^\r\n#\"'][^\r\n]{0,4096}?)(?=[ \t]+#|[ \t]*\r?$))",  # noqa: E501
    re.MULTILINE,
)
_PROPERTY = re.compile(rb"^[ \t\f]*(?P<key>(?:[^\s=:#!\\]|\\.){1,200})[ \t\f]*[=: \t][ \t\f]*(?P<value>[^\r\n]{1,4096})$", re.MULTILINE)
_NETRC_TOKEN = re.compile(rb"\"(?P<quoted>(?:[^\"\\]|\\.){0,512})\"|(?P<bare>[^\s\"]\S{0,512})")
_HTPASSWD = re.compile(rb"^(?P<user>[^:\s#]{1,255}):(?P<hash>[^\s:]{8,512})", re.MULTILINE)
_ESCAPED = re.compile(rb"\\(.)")


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def dotenv(data: bytes) -> Iterator[Pair]:
    """``KEY=value`` with optional ``export``, quotes (a double-quoted value may go over lines) and comments."""
    for match in _DOTENV.finditer(data):
        for group in ("double", "single", "bare"):
            raw = match.group(group)
            if raw:
                yield Pair(_text(match.group("key")), _text(raw), *match.span(group))


def properties(data: bytes) -> Iterator[Pair]:
    """Java properties: ``=``, ``:`` or white space between key and value. Continuation lines are left to the line layer."""
    for match in _PROPERTY.finditer(data):
        value = match.group("value")
        if not value.endswith(b"\\"):
            stripped = value.rstrip()
            yield Pair(_text(match.group("key")), _text(stripped), match.start("value"), match.start("value") + len(stripped))


def netrc(data: bytes) -> Iterator[Pair]:
    """The word after ``password`` in a .netrc; macro definitions end at an empty line."""
    wanted = ""
    macro_until = 0
    for match in _NETRC_TOKEN.finditer(data):
        if match.start() < macro_until:
            continue
        group = "quoted" if match.group("quoted") is not None else "bare"
        word = match.group(group)
        if wanted == "password":
            yield Pair("password", _text(word), *match.span(group), certain=True)
            wanted = ""
        elif wanted:
            wanted = ""
        elif word in {b"password", b"passwd", b"login", b"account", b"machine"}:
            wanted = "password" if word.startswith(b"passw") else word.decode()
        elif word == b"macdef":
            end = data.find(b"\n\n", match.end())
            macro_until = len(data) if end < 0 else end


def pgpass(data: bytes) -> Iterator[Pair]:
    """The fifth field of ``host:port:database:user:password``; colons and backslashes are escaped."""
    offset = 0
    for line in data.split(b"\n"):
        if not line.lstrip().startswith(b"#"):
            fields = re.split(rb"(?<!\\):", line.rstrip(b"\r"), maxsplit=4)
            if len(fields) == 5 and fields[4]:
                start = offset + sum(len(field) + 1 for field in fields[:4])
                yield Pair("password", _text(_ESCAPED.sub(rb"\1", fields[4])), start, start + len(fields[4]), certain=True)
        offset += len(line) + 1


def htpasswd(data: bytes) -> Iterator[Pair]:
    """The hash after the colon, whatever its algorithm (crypt's bare DES too)."""
    for match in _HTPASSWD.finditer(data):
        yield Pair("password-hash", _text(match.group("hash")), *match.span("hash"), certain=True)


READERS: dict[str, Reader] = {"dotenv": dotenv, "properties": properties, "netrc": netrc, "pgpass": pgpass, "htpasswd": htpasswd}
