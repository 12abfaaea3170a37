"""Pairs of a YAML stream with byte positions, from libyaml's events.

Nothing is constructed: aliases are not followed (a bomb stays small), tags are not resolved. ``name:``/``value:`` siblings count as a pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from assaymark.checks.application.secrets.readers.pairs import MAX_BYTES, MAX_DEPTH, MAX_PAIRS, NotParsed, Pair

_MAX_YAML = MAX_BYTES // 4
"""libyaml's events cost microseconds each in Python."""
_NAMES = frozenset({"name", "key"})
_VALUES = frozenset({"value", "default"})


class _Frame:
    """One open mapping or sequence."""

    __slots__ = ("key", "mapping", "name", "value", "waiting")

    def __init__(self, mapping: bool, key: str) -> None:
        self.mapping = mapping
        self.key = key
        self.waiting = mapping
        self.name = ""
        self.value: tuple[str, int, int] | None = None


def pairs(data: bytes) -> Iterator[Pair]:
    """Every scalar under its key.

    Raises:
        NotParsed: when it is no YAML or beyond the limits.
    """
    if len(data) > _MAX_YAML:
        raise NotParsed
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotParsed from error
    offsets = _Offsets(text)
    stack: list[_Frame] = []
    events = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            events += 1
            if events > MAX_PAIRS * 2 or len(stack) > MAX_DEPTH:
                raise NotParsed
            yield from _event(event, stack, offsets)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotParsed from error


class _Offsets:
    """Byte offset of a character index; the identity for ASCII."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ascii = text.isascii()

    def of(self, index: int) -> int:
        return index if self._ascii else len(self.text[:index].encode("utf-8"))


def _event(event: Any, stack: list[_Frame], offsets: _Offsets) -> Iterator[Pair]:
    if isinstance(event, yaml.ScalarEvent):
        yield from _scalar(event, stack, offsets)
    elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
        key = stack[-1].key if stack else ""
        _taken(stack)
        stack.append(_Frame(isinstance(event, yaml.MappingStartEvent), key))
    elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
        frame = stack.pop()
        if frame.name and frame.value:
            yield Pair(frame.name, *frame.value)
    elif isinstance(event, yaml.AliasEvent):
        _taken(stack)


def _taken(stack: list[_Frame]) -> None:
    """A node stood where a key or a value was due."""
    if stack and stack[-1].mapping:
        stack[-1].waiting = not stack[-1].waiting


def _scalar(event: Any, stack: list[_Frame], offsets: _Offsets) -> Iterator[Pair]:
    if not stack:
        return
    frame = stack[-1]
    if frame.mapping and frame.waiting:
        frame.key, frame.waiting = event.value, False
        return
    _taken(stack)
    if not event.value or not frame.key:
        return
    place = _place(event, offsets)
    lowered = frame.key.lower()
    if frame.mapping and lowered in _NAMES:
        frame.name = event.value
    elif frame.mapping and lowered in _VALUES:
        frame.value = (event.value, *place)
    yield Pair(frame.key, event.value, *place)


def _place(event: Any, offsets: _Offsets) -> tuple[int, int]:
    """Bytes of the value itself when it stands as it is, of the whole scalar when it is folded or escaped."""
    start, end = event.start_mark.index, event.end_mark.index
    inner = offsets.text.find(event.value, start, end)
    if inner >= 0:
        start, end = inner, inner + len(event.value)
    return offsets.of(start), offsets.of(end)
