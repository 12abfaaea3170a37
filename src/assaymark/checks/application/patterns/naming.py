"""What languages with functions, parameters and definitions have in common when their names are gathered."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.shapes import Called, Definition, Function

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.text import Text

MOST_DEFINITIONS = 50_000


class Gathering:
    """Definitions, functions and comments of one text, each gathered when first asked for."""

    comment_query: str
    harmless: frozenset[str] = frozenset()

    def __init__(self, text: Text) -> None:
        self.text = text
        self._homes: dict[str, dict[int, list[Definition]]] = {}

    def is_local(self, call: Called) -> bool:
        """True when the call may be one of a function of this text; languages with methods say it better."""
        return call.receiver is None

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

    @cached_property
    def _nesting(self) -> tuple[list[int], list[int]]:
        """Starts of the functions in order, and for each the index of the one around it, or -1."""
        around: list[int] = []
        open_ones: list[int] = []
        for at, row in enumerate(self._functions):
            while open_ones and self._functions[open_ones[-1]].end <= row.start:
                open_ones.pop()
            around.append(open_ones[-1] if open_ones else -1)
            open_ones.append(at)
        return [row.start for row in self._functions], around

    def functions_around(self, offset: int) -> list[Function]:
        """The functions around a byte, innermost first."""
        starts, around = self._nesting
        at = bisect_right(starts, offset) - 1
        found: list[Function] = []
        while at >= 0:
            if offset < self._functions[at].end:
                found.append(self._functions[at])
            at = around[at]
        return found

    def homes(self, name: str) -> dict[int, list[Definition]]:
        """The definitions of a variable by the start of the function they stand in, -1 for none."""
        if name not in self._homes:
            found: dict[int, list[Definition]] = {}
            for row in self._definitions.get(name, ()):
                around = self.functions_around(row.at)
                found.setdefault(around[0].start if around else -1, []).append(row)
            self._homes[name] = found
        return self._homes[name]

    @cached_property
    def _by_name(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for row in self._functions:
            found.setdefault(row.name, []).append(row)
        return found

    def named_functions(self, name: str) -> list[Function]:
        """The functions of this name."""
        return self._by_name.get(name, [])

    def comments(self) -> list[Node]:
        return [node for nodes in self.text.captures(self.comment_query).values() for node in nodes]

    def inside(self, nodes: list[Node], function: Function) -> list[Node]:
        """Those nodes whose innermost function is this one."""
        return [node for node in nodes if self.functions_around(node.start_byte)[:1] == [function]]
