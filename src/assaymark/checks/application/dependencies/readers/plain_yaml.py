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
_NOT_KEY = frozenset("&*!|>%@`{}[],#?-:")
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTE_OR_MARK = re.compile(r"['\"{}\[\]#&*!|%`\\?]")
_OTHER_SPACE = re.compile("[\t\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029\ufeff]")
"""Line ends and spaces that YAML and Python do not take for the same."""
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
    """Mappings by indentation, with scalars, one-line collections and sequences of scalars below the keys."""

    def __init__(self, text: str) -> None:
        if _OTHER_SPACE.search(text) or "\n---" in text or "\n..." in text:
            raise _UnusualError
        self._text = text
        self._root = Table()
        self._open: list[tuple[int, Table | list[Any]]] = [(0, self._root)]
        """Collections that further lines may add to, with their indentation, outermost first."""
        self._waiting: tuple[int, Table, str] | None = None
        """A key whose value may begin on the next line: indentation, mapping, key."""
        self._flows: dict[str, Any] = {}
        """What was read before: thousands of entries say the same about engines."""

    def root(self) -> Table:
        prose, first = -1, 0  # indentation of a key with prose below it, and of the first line of the prose
        for number, line in enumerate(self._text.split("\n"), 1):
            body = line.lstrip(" ")
            if not body or (number == 1 and body == "---"):
                continue
            indent = len(line) - len(body)
            if prose >= 0:
                if indent > prose:
                    first = first or indent
                    if indent < first:
                        raise _UnusualError
                    continue
                prose, first = -1, 0
            if body[0] == "#":
                continue
            if body[-1] == " ":
                body = body.rstrip(" ")
            top = self._container(indent, body)
            if isinstance(top, list):
                top.append(self._item(body))
            elif self._entry(top, indent, body, number):
                prose = indent
        return self._root

    def _container(self, indent: int, body: str) -> Table | list[Any]:
        """The collection that a line of this indentation belongs to."""
        is_item = body.startswith("- ")
        waiting, self._waiting = self._waiting, None
        if waiting is not None and (indent > waiting[0] or (indent == waiting[0] and is_item)):
            made: Table | list[Any] = [] if is_item else Table()
            waiting[1][waiting[2]] = made
            self._open.append((indent, made))
            if len(self._open) > _DEEPEST:
                raise _UnusualError
            return made
        while self._open[-1][0] > indent or (self._open[-1][0] == indent and not is_item and isinstance(self._open[-1][1], list)):
            self._open.pop()
            if not self._open:
                raise _UnusualError
        if self._open[-1][0] != indent or is_item is not isinstance(self._open[-1][1], list):
            raise _UnusualError
        return self._open[-1][1]

    def _entry(self, table: Table, indent: int, body: str, number: int) -> bool:
        """Takes in ``key: value``; True when prose of several lines follows, which nobody reads (why a package is deprecated)."""
        first = body[0]
        if first in _NOT_KEY or first in "'\"":
            key, value = _key_of(body)
        else:
            key, colon, value = body.partition(": ")
            if colon:
                key, value = key.rstrip(" "), value.lstrip(" ")
            elif body[-1] == ":" and " #" not in body:
                key = body[:-1].rstrip(" ")
            else:
                raise _UnusualError
        if key in table:
            raise Unreadable("schema", f"line {number}: {key[:80]} stands twice in one mapping", number)
        table.lines[key] = number
        if not value:
            table[key] = None
            self._waiting = indent, table, key
            return False
        if value[0] in "|>":
            if not _BLOCK.match(value):
                raise _UnusualError
            table[key] = ""
            return True
        table[key] = self._value(value)
        return False

    def _value(self, text: str) -> Any:
        if text[0] not in "{[":
            return _scalar(text)
        if text not in self._flows:
            self._flows[text] = _flow(text)
        return self._flows[text]

    def _item(self, body: str) -> Any:
        item = body[2:].lstrip(" ")
        if not item or item[0] in "|>-" or (item[0] not in "'\"" and (": " in item or item[-1] == ":")):
            raise _UnusualError
        return self._value(item)


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
        return _unquoted(quoted.group()), rest.strip(" ")
    if first in _NOT_KEY:
        raise _UnusualError
    key, colon, rest = body.partition(": ")
    if colon:
        return key.rstrip(" "), rest.strip(" ")
    if not body.endswith(":") or " #" in body:
        raise _UnusualError
    return body[:-1].rstrip(" "), ""


def _scalar(text: str) -> Any:
    first = text[0]
    if first in "'\"":
        quoted = (_SINGLE if first == "'" else _DOUBLE).match(text)
        if quoted is None:
            raise _UnusualError
        rest = text[quoted.end() :].lstrip(" ")
        if rest and rest[0] != "#":
            raise _UnusualError
        return _unquoted(quoted.group())
    if first in "{[":
        return _flow(text)
    if first in _NOT_PLAIN or ": " in text or text.endswith(":"):
        raise _UnusualError
    if text in {"~", "null"}:
        return None
    cut = text.find(" #")
    return text if cut < 0 else text[:cut].rstrip(" ")


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
    inner = text[1:-1].strip(" ")
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
        return [part.strip(" ") for part in inner.split(",") if part.strip(" ")]
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
            parts.append(inner[start:at].strip(" "))
            at = start = at + 1
        else:
            at += 1
    parts.append(inner[start:].strip(" "))
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
