"""Bytes that somebody sent become a document that can be read one way only.

Guarantees: JSON in which a name stands twice in one object, a number is none (`NaN`) or has thousands of digits, or whose nesting is
deeper than any tool writes, is refused before a reader sees it; text is UTF-8 afterwards, also where it came as UTF-16 with a mark, as
shells on Windows write it. Memory stays that of the bytes. Not here: what the document means.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from xml.parsers import expat

import msgspec

from assaymark.checks.application.dependencies.readers.xml_text import Element, elements
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE

MOST_FINDINGS = 500_000
"""In one document."""
_MOST_LINES = 1_000_000
_T = TypeVar("_T")
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class _TwiceError(ValueError):
    """A name stands twice in one object."""


def utf8(data: bytes) -> bytes:
    """The same text in UTF-8 without a mark.

    Raises:
        UsageError: when it is in another encoding.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        for mark, name in _MARKS:
            if data.startswith(mark):
                return data.decode(name).encode()
        data.decode()
    except UnicodeError as error:
        raise UsageError("the document is not UTF-8", why=str(error)[:200], advice="let the tool write UTF-8") from error
    return data


def is_xml(data: bytes) -> bool:
    return data[:200].lstrip().startswith(b"<")


def checked_json(data: bytes) -> None:
    """Look at a whole JSON document, or at one per line.

    Raises:
        UsageError: when it cannot be read, or not one way only.
    """
    if _fault(data) is None:
        return
    lines = [line for line in data.split(b"\n") if line.strip()]
    if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in (lines[0], lines[1])):
        raise _refused(_fault(data))
    for number, line in enumerate(lines, 1):
        if fault := _fault(line):
            raise _refused(fault, f"line {number}: ")


def _refused(fault: Exception | None, where: str = "") -> UsageError:
    if isinstance(fault, RecursionError):
        return UsageError("the document is nested too deeply", advice="no tool writes such a report: check where it comes from")
    if isinstance(fault, _TwiceError):
        return UsageError(f"{where}the document says a thing twice", why=str(fault), advice="programs disagree about which one counts")
    return UsageError("the document is neither JSON nor XML that is read here", why=f"{where}{fault}"[:200])


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"{twice[:60]!r} stands twice in one object")


def _constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


_scanner = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)


def _fault(data: bytes) -> Exception | None:
    try:
        _scanner.decode(data.decode())
    except (ValueError, RecursionError) as error:
        return error
    return None


def is_lines(data: bytes) -> bool:
    """Whether it is one JSON document per line and not one in all; of JSON that was looked at."""
    first, end, rest = data.strip().partition(b"\n")
    if not end or not first.startswith(b"{") or not first.rstrip().endswith(b"}") or not rest.strip():
        return False
    fault = _fault(first)
    return fault is None or isinstance(fault, _TwiceError)


def decoded(data: bytes, shape: type[_T], tool: str) -> _T:
    """The document in the shape in which the tool writes it.

    Raises:
        UsageError: when it has another.
    """
    return _decoded(msgspec.json.Decoder(shape).decode, data, tool)


def rows(data: bytes, shape: type[_T], tool: str) -> Iterator[_T]:
    """Rows of a list, of one document per line, or the only one.

    Raises:
        UsageError: when one has another shape.
    """
    if data.lstrip().startswith(b"["):
        yield from _decoded(msgspec.json.Decoder(list[shape]).decode, data, tool)  # type: ignore[valid-type]
        return
    decode = msgspec.json.Decoder(shape).decode
    if not is_lines(data):
        yield _decoded(decode, data, tool)
        return
    lines = [line for line in data.split(b"\n") if line.strip()]
    if len(lines) > _MOST_LINES:
        raise UsageError(f"the document has more than {_MOST_LINES} lines", advice="split it into several imports by category")
    for number, line in enumerate(lines, 1):
        yield _decoded(decode, line, tool, f"line {number}: ")


def _decoded(decode: Callable[[bytes], _T], data: bytes, tool: str, where: str = "") -> _T:
    try:
        return decode(data)
    except UNDECODABLE as error:
        advice = "send the report as the tool wrote it, whole"
        raise UsageError(f"this is no report of {tool} that is read here", why=f"{where}{error}"[:300], advice=advice) from error


def tree(data: bytes, tool: str) -> Element:
    """An XML document.

    Raises:
        UsageError: when it is none, declares entities, or passes a limit.
    """
    try:
        return elements(data)
    except Unreadable as error:
        raise UsageError(
            f"the XML document of {tool} cannot be read", why=error.reason, advice="send the report as the tool wrote it, whole"
        ) from error


def root_of(data: bytes) -> tuple[str, str]:
    """Name and namespace of the first element of an XML document; empty when there is none."""
    found: list[tuple[str, str]] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, _attributes: dict[str, str]) -> None:
        if not found:
            space, _, local = name.rpartition(" ")
            found.append((local, space))

    def refuse(*_: object) -> None:
        raise UsageError("the XML document declares entities", advice="send the report as the tool wrote it")

    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        for at in range(0, min(len(data), 1 << 16), 4096):
            parser.Parse(data[at : at + 4096], False)
            if found:
                return found[0]
    except (expat.ExpatError, LookupError, ValueError):
        pass
    return found[0] if found else ("", "")


def bounded(count: int, tool: str) -> None:
    """Refuse more than can be taken.

    Raises:
        UsageError: when it is more.
    """
    if count > MOST_FINDINGS:
        raise UsageError(f"the report of {tool} has more than {MOST_FINDINGS} findings", advice="split it into several imports by category")
