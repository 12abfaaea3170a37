"""Text, JSON and TOML of lock files, with lines for what is wrong.

Guarantees: bounded in bytes and depth; a key that stands twice in one JSON object is an error where `strict` is asked, because tools
disagree about which one counts.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from assaymark.checks.reading.yaml_tree import Unreadable

LARGEST = 32 << 20
"""Bytes; the largest public lock file seen has 4 MB. The engine's own limit is usually lower."""
MOST_MISSES = 16
_T = TypeVar("_T")
_AT_BYTE = re.compile(r"\(byte (\d+)\)\Z")
_AT_LINE = re.compile(r" at line (\d+)(?: column \d+)?\Z")
_OF_NPM = frozenset({"sha1", "sha256", "sha384", "sha512"})


def text_of(content: bytes) -> str:
    """The text of a file.

    Raises:
        Unreadable: when it is too large or no UTF-8.
    """
    bounded(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = line_at(content, error.start)
        raise Unreadable("encoding", f"line {line} is not UTF-8; save the file as UTF-8", line) from error


def bounded(content: bytes) -> bytes:
    """The content, when it is not too large.

    Raises:
        Unreadable: when it is.
    """
    if len(content) > LARGEST:
        raise Unreadable("size", f"the file has {len(content)} bytes, the limit is {LARGEST}")
    return content


def line_at(content: bytes, position: int) -> int:
    """Number of the line that holds a byte."""
    return content.count(b"\n", 0, position) + 1


def json_of(content: bytes, shape: type[_T]) -> _T:
    """The content as a value of this shape; unknown fields are overlooked.

    Raises:
        Unreadable: when it is no JSON or has another shape.
    """
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        return msgspec.json.decode(bounded(content), type=shape)
    except msgspec.ValidationError as error:
        raise Unreadable("schema", f"this is no such lock file: {error}; have its tool write it anew") from error
    except msgspec.DecodeError as error:
        found = _AT_BYTE.search(str(error))
        line = line_at(content, int(found[1])) if found else line_at(content, len(content))
        raise Unreadable(
            "syntax", f"line {line} is no valid JSON; resolve what a merge left there, or have its tool write it anew", line
        ) from error
    except UnicodeDecodeError as error:
        raise Unreadable("encoding", "the file is not UTF-8; save it as UTF-8") from error
    except RecursionError as error:
        raise Unreadable("nesting", "the file is nested more deeply than any of its kind; have its tool write it anew") from error


def json_entries(content: bytes, members: Callable[[Any], dict[str, Any]], shape: type[_T], why: Unreadable) -> Unreadable:
    """The same failure with the line of the first entry that does not have the shape, as far as it can be found."""
    try:
        entries = members(msgspec.json.decode(content))
        for name, value in entries.items():
            try:
                msgspec.convert(value, shape)
            except msgspec.ValidationError as error:
                line = Lines(content).of_key(name)
                return Unreadable("schema", f"line {line}: the entry is not of the form of a lock file ({error})", line)
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        pass
    return why


def without_double_keys(content: bytes) -> None:
    """Look at every object of a small JSON file.

    Raises:
        Unreadable: when a key stands twice in one object.
    """

    def pairs(rows: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in rows}) != len(rows):
            seen: set[str] = set()
            for key, _ in rows:
                if key in seen:
                    raise Unreadable("schema", f"{json.dumps(key[:80])} stands twice in one object; tools disagree which one counts")
                seen.add(key)

    try:
        json.loads(text_of(content), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise Unreadable("syntax", f"line {error.lineno} is no valid JSON; have its tool write the file anew", error.lineno) from error


def toml_of(content: bytes) -> dict[str, Any]:
    """A TOML document.

    Raises:
        Unreadable: when it is none.
    """
    import rtoml  # noqa: PLC0415  not needed to select

    try:
        return rtoml.loads(text_of(content))
    except ValueError as error:
        message = str(error)
        found = _AT_LINE.search(message)
        line = int(found[1]) if found else 0
        nested = "recurs" in message
        raise Unreadable("nesting" if nested else "syntax", f"line {line} is no valid TOML: {message[:200]}", line) from error


def shaped(value: Any, shape: type[_T], line: int = 0) -> _T:
    """A decoded value as a struct.

    Raises:
        Unreadable: when it has another shape.
    """
    try:
        return msgspec.convert(value, shape, strict=True)
    except msgspec.ValidationError as error:
        where = f"line {line}: " if line else ""
        raise Unreadable("schema", f"{where}this is no such lock file: {error}; have its tool write it anew", line) from error


class Lines:
    """Lines of JSON keys that are asked for in the order of the text, so that the text is gone through once."""

    def __init__(self, content: bytes, start: int = 0) -> None:
        self._content = content
        self._position = max(start, 0)
        self._counted = 0
        self._line = 1
        self._misses = 0

    def of_key(self, key: str, opener: bytes = b"") -> int:
        """Line on which the key stands before a value that begins with `opener`; 0 when it is written in another way."""
        if self._misses > MOST_MISSES:
            return 0
        quoted = b'"' + key.encode("utf-8", "replace") + b'"'
        at = self._content.find(quoted + b": " + opener, self._position)
        if at >= 0:
            self._position = at + len(quoted)
            self._line += self._content.count(b"\n", self._counted, at)
            self._counted = at
            return self._line
        return self._of_other_form(json.dumps(key, ensure_ascii=False).encode("utf-8", "replace"), opener)

    def of_pair(self, key: str, value: str) -> int:
        """Line of ``"key": "value"``; 0 when it is written in another way."""
        return self.of_key(key, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

    def _of_other_form(self, quoted: bytes, opener: bytes) -> int:
        at = self._position
        while (at := self._content.find(quoted, at)) >= 0:
            rest = self._content[at + len(quoted) : at + len(quoted) + 64].lstrip()
            if rest.startswith(b":") and rest[1:].lstrip().startswith(opener):
                self._position = at + len(quoted)
                self._line += self._content.count(b"\n", self._counted, at)
                self._counted = at
                return self._line
            at += len(quoted)
        self._misses += 1
        return 0


def table_lines(text: str, header: str) -> list[int]:
    """Lines of every ``[[header]]`` of a TOML text, of its ``name`` where that follows at once."""
    lines: list[int] = []
    counted, line = 0, 1
    for found in re.finditer(rf"^[ \t]*\[\[[ \t]*{re.escape(header)}[ \t]*\]\][^\n]*\n(?P<next>name\b)?", text, re.MULTILINE):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        lines.append(line + (found["next"] is not None))
    return lines


def lines_or_none(lines: list[int], count: int) -> Iterable[int]:
    """The lines when there is one for each, otherwise zeros: a text written in another way is not guessed at."""
    return lines if len(lines) == count else [0] * count


def integrity(text: str) -> tuple[str, ...]:
    """The hashes of a subresource integrity value (``sha512-<base64> sha1-…``), as written."""
    if " " not in text:
        return (text,) if text else ()
    return tuple(sorted(set(text.split())))


def hex_of(hashed: str) -> str:
    """``sha512-<base64>`` as ``sha512:<hex>``; empty when it is none."""
    name, _, value = hashed.partition("-")
    try:
        digits = binascii.a2b_base64(value).hex()
    except ValueError:
        return ""
    return f"{name}:{digits}" if digits and sri_of(f"{name}:{digits}") == hashed else ""


def sri_of(hashed: str) -> str:
    """``sha512:<hex>`` as ``sha512-<base64>``; what npm's tools do not write stays as it is."""
    name, _, digits = hashed.partition(":")
    if name not in _OF_NPM:
        return hashed
    try:
        return f"{name}-{binascii.b2a_base64(binascii.a2b_hex(digits), newline=False).decode()}"
    except ValueError:
        return hashed
