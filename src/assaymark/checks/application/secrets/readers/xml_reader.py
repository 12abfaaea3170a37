"""Pairs of an XML document with byte positions: element texts, attributes, and ``key``/``value`` attribute couples.

A document type with entity declarations is refused (no expansion, no external reads); expat keeps no stack of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from assaymark.checks.application.secrets.readers.pairs import MAX_BYTES, MAX_DEPTH, MAX_PAIRS, NotParsed, Pair

_NAMES = ("key", "name", "id", "property")
_VALUES = ("value", "val", "default")


def pairs(data: bytes) -> Iterator[Pair]:
    """Every text and attribute under its name.

    Raises:
        NotParsed: when it is not well-formed, declares entities or goes beyond the limits.
    """
    if len(data) > MAX_BYTES:
        raise NotParsed
    document = _Document(data)
    try:
        document.parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotParsed from error
    yield from document.found


class _Document:
    """Handlers of one parse."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: list[Pair] = []
        self._open: list[tuple[str, str]] = []
        self._text: list[str] = []
        self._start = -1
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._refuse

    def _refuse(self, *_declaration: object) -> None:
        raise NotParsed

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH or len(self.found) > MAX_PAIRS:
            raise NotParsed
        self._text.clear()
        self._start = -1
        called = next((attributes[word] for word in _NAMES if attributes.get(word)), "")
        self._open.append((name, called))
        tag_at = self.parser.CurrentByteIndex
        for attribute, value in attributes.items():
            key = called if called and attribute.lower() in _VALUES else attribute
            self._add(key, value, tag_at)

    def _characters(self, text: str) -> None:
        if self._start < 0:
            self._start = self.parser.CurrentByteIndex
        self._text.append(text)

    def _end(self, _name: str) -> None:
        name, called = self._open.pop()
        value = "".join(self._text).strip()
        if value and self._start >= 0:
            generic = called and name.lower() in {"property", "entry", "string", "value", "setting", "param", "parameter", "add", "item"}
            self._add(called if generic else name, value, self._start)
        self._text.clear()
        self._start = -1

    def _add(self, key: str, value: str, after: int) -> None:
        """Positions are those of the value as written; a value that was written with references is left to the line layer."""
        raw = value.encode("utf-8", "replace")
        start = self.data.find(raw, after, after + 20_000) if raw else -1
        if start >= 0:
            self.found.append(Pair(key, value, start, start + len(raw)))
