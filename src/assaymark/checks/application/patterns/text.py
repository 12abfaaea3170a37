"""One text with its tree and its statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.model import syntax_tree
from assaymark.model.scope_tree import TreeOutline

if TYPE_CHECKING:
    from tree_sitter import Node

WORD = re.compile(rb"[\w$]{2,60}")


class Text:
    """See the module."""

    def __init__(self, content: bytes, grammar: str) -> None:
        """Parse it.

        Raises:
            NoTreeError: when nothing of it can be read.
        """
        self.content = content
        self.grammar = grammar
        self.root = syntax_tree.parse(content, grammar)

    @cached_property
    def outline(self) -> TreeOutline:
        return TreeOutline(self.content, self.root, self.grammar)

    @cached_property
    def has_errors(self) -> bool:
        return self.root.has_error

    def of(self, node: Node) -> str:
        """A node as it is written."""
        return self.content[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def leaves(self, words: Iterable[str]) -> Iterator[tuple[str, Node]]:
        """Every place where one of the words stands by itself, with the innermost node there."""
        rows = sorted({word.encode() for word in words})
        if not rows:
            return
        pattern = re.compile(rb"(?<![\w$])(?:" + b"|".join(re.escape(row) for row in rows) + rb")(?![\w$])")
        for match in pattern.finditer(self.content):
            leaf = self.root.descendant_for_byte_range(match.start(), match.end())
            if leaf is not None:
                yield match.group().decode(), leaf

    def captures(self, query: str, node: Node | None = None) -> dict[str, list[Node]]:
        """What a query of tree-sitter finds in the text, or below a node."""
        return compiled(self.grammar, query).captures(node or self.root)

    def matches(self, query: str, node: Node | None = None) -> list[tuple[int, dict[str, list[Node]]]]:
        """The same, match by match, each with the number of its pattern."""
        return compiled(self.grammar, query).matches(node or self.root)


class _Compiled:
    def __init__(self, grammar: str, query: str) -> None:
        from tree_sitter import Query  # noqa: PLC0415 - see `model.syntax_tree`

        self._query = Query(syntax_tree.language(grammar), query)

    def captures(self, node: Node) -> dict[str, list[Node]]:
        from tree_sitter import QueryCursor  # noqa: PLC0415

        return QueryCursor(self._query).captures(node)

    def matches(self, node: Node) -> list[tuple[int, dict[str, list[Node]]]]:
        from tree_sitter import QueryCursor  # noqa: PLC0415

        return QueryCursor(self._query).matches(node)


_COMPILED: dict[tuple[str, str], _Compiled] = {}


def compiled(grammar: str, query: str) -> _Compiled:
    """A query, compiled once per process and grammar."""
    key = (grammar, query)
    if key not in _COMPILED:
        _COMPILED[key] = _Compiled(grammar, query)
    return _COMPILED[key]
