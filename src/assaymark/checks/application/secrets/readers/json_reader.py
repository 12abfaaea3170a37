"""Pairs of a JSON text with byte positions (RFC 8259, and comments and trailing commas as JSONC has them).

One pass over tokens with an explicit stack: depth cannot exhaust anything. ``{"name": K, "value": V}`` siblings count as a pair (K, V).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from assaymark.checks.application.secrets.readers.pairs import MAX_BYTES, MAX_DEPTH, MAX_PAIRS, NotParsed, Pair
from assaymark.formats.undecodable import UNDECODABLE

_TOKEN = re.compile(
    rb"[ \t\r\n,]+|//[^\n]*|/\*[\s\S]*?\*/|(?P<string>\"(?:[^\"\\]|\\.)*\")|(?P<punctuation>[{}\[\]:])|(?P<scalar>[-+\w.]+)|(?P<wrong>[\s\S])"  # noqa: E501
)
_NAMES = frozenset({"name", "key", "id", "variable", "field"})
_VALUES = frozenset({"value", "default", "content", "secret", "val"})


class _Frame:
    """One open object or array."""

    __slots__ = ("key", "name", "parent", "pending", "value")

    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.key = ""
        self.pending = False
        self.name = ""
        self.value: tuple[str, int, int] | None = None


def pairs(data: bytes) -> Iterator[Pair]:
    """Every string under its key.

    Raises:
        NotParsed: when it is no JSON or beyond the limits.
    """
    if len(data) > MAX_BYTES:
        raise NotParsed
    stack: list[_Frame] = []
    found = 0
    last = ("", 0, 0)
    for token in _TOKEN.finditer(data):
        kind = token.lastgroup
        if kind is None:
            continue
        if kind == "wrong" or found > MAX_PAIRS:
            raise NotParsed
        if kind == "punctuation":
            yield from _structure(stack, token.group(), last)
        elif kind == "string":
            start, end = token.start() + 1, token.end() - 1
            last = (_string(data[start - 1 : end + 1]), start, end)
            pair = _value(stack, last)
            if pair is not None:
                found += 1
                yield pair
        elif stack:
            stack[-1].pending = False


def _string(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=str) if b"\\" in raw else raw[1:-1].decode("utf-8", "replace")
    except UNDECODABLE:
        return raw[1:-1].decode("utf-8", "replace")


def _structure(stack: list[_Frame], mark: bytes, last: tuple[str, int, int]) -> Iterator[Pair]:
    if mark in b"{[":
        if len(stack) >= MAX_DEPTH:
            raise NotParsed
        stack.append(_Frame(_path(stack)))
        if len(stack) > 1:
            stack[-2].pending = False
    elif mark == b":":
        if not stack:
            raise NotParsed
        stack[-1].key, stack[-1].pending = last[0], True
    else:
        if not stack:
            raise NotParsed
        frame = stack.pop()
        if frame.name and frame.value:
            yield Pair(frame.name, *frame.value)


def _path(stack: list[_Frame]) -> str:
    return stack[-1].key or stack[-1].parent if stack else ""


def _value(stack: list[_Frame], text: tuple[str, int, int]) -> Pair | None:
    """A string that follows a colon, or stands in an array whose key names it."""
    if not stack:
        return None
    frame = stack[-1]
    if not frame.pending:
        return None
    frame.pending = False
    lowered = frame.key.lower()
    if lowered in _NAMES:
        frame.name = text[0]
    elif lowered in _VALUES:
        frame.value = text
        return Pair(frame.parent, *text) if frame.parent and not frame.name else None
    certain = lowered in {"auth", "identitytoken"} and bool(frame.parent) and len(stack) == 3
    return Pair(frame.key, *text, certain=certain)
