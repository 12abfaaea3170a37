"""Scope and statement of Python, through `ast`.

* Scope: the names of the enclosing classes and functions; ``async def`` counts as ``def``, a decorator belongs to what it decorates.
* Statement: the innermost one, whole. Of a compound statement only the header up to its colon; ``except`` and ``case`` are statements
  of their own, and so is each decorator. Lambdas and comprehensions belong to their statement.

All positions are byte offsets into the UTF-8 source, as `ast` gives them. Nothing recurses: the depth of the text is bounded by the parser.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from assaymark.model.scope_text import NOWHERE, Found

_LINE_END = re.compile(rb"\r\n|\r|\n")
_UP_TO_COLON = re.compile(rb"(?:#[^\r\n]*+|[^:#])*+:")
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_NOT_HEADER = frozenset({*_BLOCKS, "decorator_list"})
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class UnparsableError(Exception):
    """`ast` cannot read this text."""


class PythonOutline:
    """The statements of one Python text, in order and without overlap."""

    def __init__(self, text: str) -> None:
        """Read the text.

        Raises:
            UnparsableError: when this interpreter's parser refuses it, for whatever reason.
        """
        try:
            self._source = text.encode("utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as refused:
            raise UnparsableError from refused
        self._lines = [0, *(match.end() for match in _LINE_END.finditer(self._source))]
        self._names: list[tuple[int, str]] = []
        self._bodies: list[tuple[int, int, int]] = []
        self._units: list[tuple[int, int, int]] = []
        self._read(tree)
        self._units.sort()
        self._starts = [start for start, _, _ in self._units]
        self._known: dict[int, Found] = {}
        self._text = ""
        self._mark = (0, 1, 0)

    def find(self, line: int, end_line: int, column: int) -> Found:
        """The statement at a line (from 1) and column (from 1; 0 is the line's first statement)."""
        if not 1 <= line <= len(self._lines):
            return NOWHERE
        position = self._position(line, column)
        after = self._lines[min(end_line, len(self._lines) - 1)] if end_line < len(self._lines) else len(self._source)
        at = bisect_right(self._starts, position) - 1
        if at >= 0 and self._units[at][1] > position:
            return self._found(at)
        if at + 1 < len(self._units) and self._starts[at + 1] < after:
            return self._found(at + 1)
        if at >= 0 and self._units[at][1] > self._lines[line - 1]:
            return self._found(at)
        if -line not in self._known:
            self._known[-line] = Found(line, line, self._scope(self._innermost(position)), self._line(line).strip())
        return self._known[-line]

    def _read(self, tree: ast.Module) -> None:
        todo: list[tuple[Any, int]] = [(node, -1) for node in tree.body]
        while todo:
            node, scope = todo.pop()
            inner = scope
            start = self._start(node)
            if isinstance(node, _NAMED):
                inner = len(self._names)
                self._names.append((scope, node.name))
                self._bodies.append((start, self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0), inner))
                for decorator in node.decorator_list:
                    at = self._source.rfind(b"@", 0, self._offset(decorator.lineno, decorator.col_offset))
                    self._units.append((at, self._end(decorator), inner))
            is_compound = False
            for field in _BLOCKS:
                children = getattr(node, field, None)
                if isinstance(children, list) and not isinstance(node, ast.expr):
                    is_compound = True
                    todo.extend((child, inner) for child in children)
            self._units.append((start, self._header_end(node, start) if is_compound else self._end(node), scope))

    def _start(self, node: Any) -> int:
        if isinstance(node, ast.match_case):
            return self._source.rfind(b"case", 0, self._offset(node.pattern.lineno, node.pattern.col_offset))
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: Any) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)

    def _header_end(self, node: Any, start: int) -> int:
        last = max((self._end(part) for part in _header_parts(node)), default=start)
        colon = _UP_TO_COLON.match(self._source, last)
        return colon.end() if colon else last

    def _offset(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column

    def _line(self, line: int) -> str:
        end = self._lines[line] if line < len(self._lines) else len(self._source)
        return self._source[self._lines[line - 1] : end].decode("utf-8")

    def _position(self, line: int, column: int) -> int:
        """Byte offset; goes on from the last answer, or many questions about one endless line would cost its square."""
        if line != self._mark[0]:
            self._text = self._line(line)
            self._mark = (line, 1, self._lines[line - 1])
        column = column or len(self._text) - len(self._text.lstrip(" \t\x0c")) + 1
        _, from_column, offset = self._mark
        if column < from_column:
            from_column, offset = 1, self._lines[line - 1]
        self._mark = (line, max(1, column), offset + len(self._text[from_column - 1 : column - 1].encode("utf-8")))
        return self._mark[2]

    def _innermost(self, position: int) -> int:
        around = [(end - start, scope) for start, end, scope in self._bodies if start <= position < end]
        return min(around)[1] if around else -1

    def _scope(self, name: int) -> tuple[str, ...]:
        names: list[str] = []
        while name >= 0:
            name, text = self._names[name]
            names.append(text)
        return tuple(reversed(names))

    def _found(self, at: int) -> Found:
        if at + 1 not in self._known:
            start, end, scope = self._units[at]
            statement = self._source[start:end].decode("utf-8")
            self._known[at + 1] = Found(self._row(start), self._row(max(start, end - 1)), self._scope(scope), statement)
        return self._known[at + 1]

    def _row(self, offset: int) -> int:
        row = bisect_left(self._lines, offset)
        return row + 1 if row < len(self._lines) and self._lines[row] == offset else row


def _header_parts(node: Any) -> Iterator[Any]:
    """The parts of a compound statement's header that have a position."""
    for name, value in ast.iter_fields(node):
        if name in _NOT_HEADER:
            continue
        for part in value if isinstance(value, list) else (value,):
            if hasattr(part, "end_lineno"):
                yield part
            elif isinstance(part, ast.AST):
                yield from (inner for inner in ast.iter_child_nodes(part) if hasattr(inner, "end_lineno"))
