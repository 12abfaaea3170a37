"""A YAML text as a tree with positions, built from libyaml's events.

Guarantees: no alias is ever expanded (an alias is the same node object as its anchor, so a bomb costs what it weighs),
nesting and number of nodes are bounded, unknown tags are kept as text, and every failure carries a line.
Does not resolve scalars to types: whoever needs a boolean looks at the text. Recursive documents are possible: walk with a visited set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from assaymark.model.finding import Span

DEEPEST = 200
"""libyaml's own composer overflows the C stack at some ten thousand levels; real files have fewer than twenty."""
MOST_EVENTS = 400_000
LARGEST = 1 << 20
"""Bytes; the largest public pipeline file seen has 200 kB."""


class Unreadable(Exception):  # noqa: N818  it is an answer of the reader, not a defect
    """Why there is no tree."""

    def __init__(self, reason_class: str, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason_class = reason_class
        self.reason = reason
        self.line = line


class Scalar(Struct, frozen=True, eq=False):
    """A text."""

    text: str
    tag: str
    style: str
    """Empty for plain; ``'``, ``"``, ``|`` or ``>``."""
    span: Span


class Items(Struct, frozen=True, eq=False):
    """A sequence."""

    entries: list[Node]
    tag: str
    span: Span
    """Of its beginning only: a collection's end is not kept."""


class Keyed(Struct, frozen=True, eq=False):
    """A mapping, in the order of the text; equal keys are all kept."""

    entries: list[tuple[Node, Node]]
    tag: str
    span: Span

    def get(self, name: str) -> Node | None:
        """The value of a scalar key; of equal keys the last, as readers of pipelines do."""
        for key, value in reversed(self.entries):
            if type(key) is Scalar and key.text == name:
                return value
        return None

    def named(self) -> Iterator[tuple[Scalar, Node]]:
        """The entries whose key is a scalar."""
        for key, value in self.entries:
            if isinstance(key, Scalar):
                yield key, value


Node = Scalar | Items | Keyed


def decode(content: bytes) -> str:
    """The text of a file.

    Raises:
        Unreadable: when it is too large or no UTF-8.
    """
    if len(content) > LARGEST:
        raise Unreadable("size", f"the file has {len(content)} bytes, the limit is {LARGEST}; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable("encoding", f"line {line} is not UTF-8; save the file as UTF-8", line) from error


def documents(text: str) -> list[Node]:
    """Every document of a YAML stream; empty documents are left out.

    Raises:
        Unreadable: when it is no YAML or passes a limit.
    """
    import yaml  # noqa: PLC0415  half the start-up cost of a check that is often not needed

    builder = _Builder()
    try:
        parser = yaml.CLoader(text)
        try:
            while parser.check_event():
                builder.take(parser.get_event())
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        raise _as_unreadable(error, text) from error
    return builder.roots


def _as_unreadable(error: Exception, text: str) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line = mark.line + 1
    else:
        position = getattr(error, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    return Unreadable("syntax", f"line {line} is no valid YAML: {what}", line)


class _Builder:
    """Assembles nodes from events without recursion."""

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self._open: list[tuple[Items | Keyed, list[Node]]] = []
        self._anchors: dict[str, Node] = {}
        self._events = 0

    def take(self, event: Any) -> None:
        self._events += 1
        if self._events > MOST_EVENTS:
            raise Unreadable("size", f"the file has more than {MOST_EVENTS} YAML events; split it", event.start_mark.line + 1)
        name = type(event).__name__
        if name == "ScalarEvent":
            self._add(Scalar(event.value, event.tag or "", event.style or "", _span(event)), event.anchor)
        elif name == "AliasEvent":
            self._alias(event)
        elif name == "MappingStartEvent":
            self._push(Keyed([], event.tag or "", _span(event)), event)
        elif name == "SequenceStartEvent":
            self._push(Items([], event.tag or "", _span(event)), event)
        elif name in {"MappingEndEvent", "SequenceEndEvent"}:
            self._open.pop()
        elif name == "DocumentStartEvent":
            self._anchors = {}

    def _push(self, node: Items | Keyed, event: Any) -> None:
        if len(self._open) >= DEEPEST:
            line = event.start_mark.line + 1
            raise Unreadable("size", f"line {line} is nested deeper than {DEEPEST} levels", line)
        self._add(node, event.anchor)
        self._open.append((node, []))

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        node = self._anchors.get(event.anchor)
        if node is None:
            raise Unreadable("syntax", f"line {line} uses the alias {event.anchor[:60]!r}, which is not defined above", line)
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            if not (isinstance(node, Scalar) and not node.text and not node.style):
                self.roots.append(node)
            return
        parent, waiting = self._open[-1]
        if isinstance(parent, Items):
            parent.entries.append(node)
        elif waiting:
            parent.entries.append((waiting.pop(), node))
        else:
            waiting.append(node)


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def scalar_text(node: Node | None) -> str:
    """The text of a scalar, empty for everything else."""
    return node.text if isinstance(node, Scalar) else ""


def scalars_below(node: Node | None, seen: set[int]) -> Iterator[Scalar]:
    """Every scalar value below a node in the order of the text, keys and ``!reference`` left out; nodes in `seen` are not entered again."""
    stack: list[Node] = [] if node is None else [node]
    while stack:
        current = stack.pop()
        if id(current) in seen or current.tag == "!reference":
            continue
        seen.add(id(current))
        if isinstance(current, Scalar):
            yield current
        elif isinstance(current, Items):
            stack.extend(reversed(current.entries))
        else:
            stack.extend(value for _, value in reversed(current.entries))
