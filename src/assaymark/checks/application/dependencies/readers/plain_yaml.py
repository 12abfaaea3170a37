"""The part of YAML that tools write into lock files, line by line; anything else is left to libyaml.

Guarantees: the same tree from both ways, with the line of every key; a key that stands twice is an error; anchors are never copied, so a
bomb costs what it weighs. Reading lines is several times faster than libyaml's events, and lock files are among the largest YAML files.
"""

from __future__ import annotations

import json
import re
from typing import Any

from assaymark.checks.application.dependencies.readers.texts import text_of
from assaymark.checks.reading import yaml_tree
from assaymark.checks.reading.yaml_tree import Unreadable

_DEEPEST = 50
_NOT_PLAIN = frozenset("&*!|>%@`{}[],#?")
_NOT_KEY = frozenset("&*!|>%`{}[],#?-")
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTE_OR_MARK = re.compile(r"['\"{}\[\]#&*!|%`\\?]")
_BLOCK = re.compile(r"[|>][+-]?\Z")


class Table(dict[str, Any]):
    """A mapping with the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}

    def table(self, key: str) -> Table:
        """The mapping below a key; an empty one when there is none."""
        value = self.get(key)
        return value if isinstance(value, Table) else _EMPTY

    def text(self, key: str) -> str:
        """The scalar below a key; empty when there is none."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """The scalars of the sequence below a key."""
        value = self.get(key)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


_EMPTY = Table()


class _UnusualError(Exception):
    """A form that only libyaml reads."""


def tables(content: bytes) -> list[Table]:
    """Every document whose root is a mapping.

    Raises:
        Unreadable: when the content is no YAML, a root is no mapping, or a key stands twice.
    """
    text = text_of(content)
    try:
        roots: list[Any] = [_Plain(text).root()]
    except _UnusualError:
        roots = [_converted(root, {}, 0) for root in yaml_tree.documents(text)]
    made = [root for root in roots if root]
    for root in made:
        if not isinstance(root, Table):
            raise Unreadable("schema", "the file's root is no mapping; have its tool write it anew")
    return made


class _Plain:
    """Lines of block mappings and sequences."""

    def __init__(self, text: str) -> None:
        if "\t" in text or "\r" in text or "\n---" in text or "\n..." in text:
            raise _UnusualError
        self._lines: list[tuple[int, str, int]] = []
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.rstrip()
            body = line.lstrip(" ")
            if body and body[0] != "#" and not (number == 1 and body == "---"):
                self._lines.append((len(line) - len(body), body, number))
        self._at = 0

    def root(self) -> Any:
        if not self._lines:
            return None
        found = self._block(self._lines[0][0], 0)
        if self._at < len(self._lines):
            raise _UnusualError
        return found

    def _block(self, indent: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise _UnusualError
        body = self._lines[self._at][1]
        return self._sequence(indent, depth) if body.startswith("- ") or body == "-" else self._mapping(indent, depth)

    def _mapping(self, indent: int, depth: int) -> Table:
        made = Table()
        lines = self._lines
        while self._at < len(lines):
            here, body, number = lines[self._at]
            if here != indent or body.startswith("- ") or body == "-":
                if here > indent:
                    raise _UnusualError
                break
            key, rest = _key_of(body)
            if key in made:
                raise Unreadable("schema", f"line {number}: {key[:80]} stands twice in one mapping", number)
            self._at += 1
            made.lines[key] = number
            made[key] = self._value(rest, indent, depth)
        return made

    def _value(self, rest: str, indent: int, depth: int) -> Any:
        if rest:
            if rest[0] in "|>":
                return self._text_block(rest, indent)
            if self._at < len(self._lines) and self._lines[self._at][0] > indent:
                raise _UnusualError  # a scalar over several lines
            return _scalar(rest)
        if self._at >= len(self._lines):
            return None
        here, body, _ = self._lines[self._at]
        if here > indent or (here == indent and (body.startswith("- ") or body == "-")):
            return self._block(here, depth + 1)
        return None

    def _sequence(self, indent: int, depth: int) -> list[Any]:
        made: list[Any] = []
        while self._at < len(self._lines):
            here, body, number = self._lines[self._at]
            if here != indent or not body.startswith("- "):
                if here > indent or body == "-":
                    raise _UnusualError
                break
            item = body[2:].lstrip(" ")
            if _is_pair(item):
                inner = indent + len(body) - len(item)
                self._lines[self._at] = (inner, item, number)
                made.append(self._mapping(inner, depth + 1))
            else:
                self._at += 1
                made.append(self._value(item, indent, depth))
        return made

    def _text_block(self, rest: str, indent: int) -> str:
        if not _BLOCK.match(rest):
            raise _UnusualError
        first = self._at
        while self._at < len(self._lines) and self._lines[self._at][0] > indent:
            self._at += 1
        # The text itself is prose (why a package is deprecated); nobody reads it.
        return "\n".join(body for _, body, _ in self._lines[first : self._at])


def _is_pair(item: str) -> bool:
    if item.startswith(("'", '"')):
        quoted = (_SINGLE if item[0] == "'" else _DOUBLE).match(item)
        return quoted is not None and item[quoted.end() : quoted.end() + 1] == ":"
    return ": " in item or item.endswith(":")


def _key_of(body: str) -> tuple[str, str]:
    """A key and what follows its colon."""
    first = body[0]
    if first in "'\"":
        quoted = (_SINGLE if first == "'" else _DOUBLE).match(body)
        if quoted is None or not body.startswith(":", quoted.end()):
            raise _UnusualError
        rest = body[quoted.end() + 1 :]
        if rest and rest[0] != " ":
            raise _UnusualError
        return _unquoted(quoted.group()), rest.strip()
    if first in _NOT_KEY:
        raise _UnusualError
    key, colon, rest = body.partition(": ")
    if colon:
        return key, rest.strip()
    if not body.endswith(":") or " #" in body:
        raise _UnusualError
    return body[:-1], ""


def _scalar(text: str) -> Any:
    first = text[0]
    if first in "'\"":
        quoted = (_SINGLE if first == "'" else _DOUBLE).match(text)
        if quoted is None:
            raise _UnusualError
        rest = text[quoted.end() :].lstrip()
        if rest and rest[0] != "#":
            raise _UnusualError
        return _unquoted(quoted.group())
    if first in "{[":
        return _flow(text)
    if first in _NOT_PLAIN or ": " in text or text.endswith(":"):
        raise _UnusualError
    cut = text.find(" #")
    return text if cut < 0 else text[:cut].rstrip()


def _unquoted(quoted: str) -> str:
    if quoted[0] == "'":
        return quoted[1:-1].replace("''", "'")
    if "\\" not in quoted:
        return quoted[1:-1]
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise _UnusualError from None


def _flow(text: str) -> Any:
    """``{a: b}`` and ``[a, b]`` with scalars inside, on one line."""
    if text in {"{}", "[]"}:
        return Table() if text == "{}" else []
    inner = text[1:-1].strip()
    if not text.endswith("}" if text[0] == "{" else "]"):
        raise _UnusualError
    parts = _split(inner)
    if text[0] == "[":
        return [_scalar(part) for part in parts]
    made = Table()
    for part in parts:
        key, rest = _key_of(part)
        if key in made or not rest or rest[0] in "{[":
            raise _UnusualError
        made[key] = _scalar(rest)
    return made


def _split(inner: str) -> list[str]:
    """The parts between commas; commas in quotes are none."""
    if not _QUOTE_OR_MARK.search(inner):
        return [part.strip() for part in inner.split(",") if part.strip()]
    parts, at, start = [], 0, 0
    while at < len(inner):
        mark = inner[at]
        if mark in "'\"":
            quoted = (_SINGLE if mark == "'" else _DOUBLE).match(inner, at)
            if quoted is None:
                raise _UnusualError
            at = quoted.end()
        elif mark in "{}[]#&*!|%`\\?":
            raise _UnusualError
        elif mark == ",":
            parts.append(inner[start:at].strip())
            at = start = at + 1
        else:
            at += 1
    parts.append(inner[start:].strip())
    return [part for part in parts if part]


def _converted(node: yaml_tree.Node, known: dict[int, Any], depth: int) -> Any:
    """Libyaml's tree in the same form; a node that is met again is the same object."""
    if id(node) in known:
        if known[id(node)] is None:
            raise Unreadable("schema", "the file holds itself by an alias; have its tool write it anew")
        return known[id(node)]
    if depth > yaml_tree.DEEPEST:
        raise Unreadable("nesting", "the file is nested more deeply than any lock file")
    if isinstance(node, yaml_tree.Scalar):
        return None if not node.style and node.text in {"", "~", "null"} else node.text
    known[id(node)] = None
    made: Any
    if isinstance(node, yaml_tree.Items):
        made = [_converted(each, known, depth + 1) for each in node.entries]
    else:
        made = Table()
        for key, value in node.entries:
            if not isinstance(key, yaml_tree.Scalar):
                raise Unreadable("schema", "a key is no text; have the file's tool write it anew", key.span.start_line)
            if key.text in made:
                raise Unreadable("schema", f"line {key.span.start_line}: {key.text[:80]} stands twice in one mapping", key.span.start_line)
            made.lines[key.text] = key.span.start_line
            made[key.text] = _converted(value, known, depth + 1)
    known[id(node)] = made
    return made
