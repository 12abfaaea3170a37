"""What languages with functions, parameters and definitions have in common when their names are gathered."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.shapes import Definition, Function

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.text import Text

MOST_DEFINITIONS = 50_000


class Gathering:
    """Definitions, functions and comments of one text, each gathered when first asked for."""

    comment_query: str

    def __init__(self, text: Text) -> None:
        self.text = text

    def define(self) -> list[Definition]:
        raise NotImplementedError

    def find_functions(self) -> list[Function]:
        raise NotImplementedError

    @cached_property
    def _definitions(self) -> dict[str, list[Definition]]:
        found: dict[str, list[Definition]] = {}
        for each in sorted(self.define()[:MOST_DEFINITIONS], key=lambda row: row.at):
            found.setdefault(each.name, []).append(each)
        return found

    def definitions(self) -> dict[str, list[Definition]]:
        return self._definitions

    @cached_property
    def _functions(self) -> list[Function]:
        return sorted(self.find_functions(), key=lambda row: (row.start, -row.end))

    def functions(self) -> list[Function]:
        return self._functions

    def comments(self) -> list[Node]:
        return [node for nodes in self.text.captures(self.comment_query).values() for node in nodes]

    def inside(self, nodes: list[Node], function: Function) -> list[Node]:
        """Those nodes whose innermost function is this one."""
        others = [row for row in self._functions if function.start < row.start < function.end]
        return [
            node
            for node in nodes
            if function.start <= node.start_byte < function.end and not any(row.start <= node.start_byte < row.end for row in others)
        ]
