"""What both servers' files are made of: directives with arguments, some with a block.

Guarantees that every directive knows the member and the place where it is written, also after includes were resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.finding import Span

LARGEST = 1 << 19
"""Bytes of one file; the largest public configuration seen has 130 kB, and the lexer takes a second for half a mebibyte."""
MOST_DIRECTIVES = 20_000
"""Of one configuration, includes counted as often as they are included."""
MOST_ROOTS = 8
"""Times `MOST_DIRECTIVES` is what all configurations of a tree may unfold to together."""
DEEPEST = 60
"""Blocks and includes inside each other; real configurations stay below ten."""


class Directive(Struct, frozen=True, eq=False):
    """One setting as it is written."""

    name: str
    args: tuple[str, ...]
    member: str
    span: Span
    block: tuple[Directive, ...] | None = None

    @property
    def value(self) -> str:
        """All arguments as one text."""
        return " ".join(self.args)


class Gap(Struct, frozen=True):
    """A part that could not be read, while the rest was."""

    member: str
    reason_class: str
    reason: str
    line: int = 0
    subject: str = ""
    """What the gap is about when a file has several: part of its identity."""


class Files(Struct, frozen=True):
    """The members of a tree, as far as one server is concerned."""

    trees: dict[str, tuple[Directive, ...]]
    """Those that read as the server's; a file that is included although it did not look like it joins them."""
    texts: dict[str, str]
    """Of every member that is text."""
    unread: dict[str, Gap]
    """Why a file has no tree."""
    named: frozenset[str]
    """Those whose name, folder or content says that they are the server's, so that they are judged when nobody includes them."""

    def members(self) -> list[str]:
        """All that an include can mean."""
        return [*{**self.texts, **self.unread}]

    def tree(self, member: str, read: Callable[[str, str], tuple[Directive, ...]]) -> tuple[Directive, ...] | None:
        """The directives of an included member, None when it can't be read."""
        if member not in self.trees and member not in self.unread:
            try:
                self.trees[member] = read(self.texts[member], member)
            except Unreadable as why:
                self.unread[member] = Gap(member, why.reason_class, why.reason, why.line)
        return self.trees.get(member)


def text_of(content: bytes, member: str) -> str:
    """The text of a file. Servers do not care for encodings, so what is no UTF-8 is read as Latin-1: names and values are ASCII.

    Raises:
        Unreadable: when it is too large or holds NUL bytes.
    """
    if len(content) > LARGEST:
        raise Unreadable("size", f"{member or 'the file'} has {len(content)} bytes, the limit is {LARGEST}; split it")
    at = content.find(b"\0")
    if at >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise Unreadable("encoding", f"line {line} holds a NUL byte, so this is no text; save it as UTF-8", line)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def walk(directives: tuple[Directive, ...]) -> Iterator[Directive]:
    """Every directive below, in the order of the text."""
    stack = list(reversed(directives))
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(one.block or ()))
