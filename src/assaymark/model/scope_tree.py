"""Scope and statement from a syntax tree (`syntax_tree`), the same way for every language with a grammar.

* Scope: the names of the enclosing classes and functions; a function without a name of its own has the name of the variable, property or
  field that holds it. Callbacks add nothing, so wrapping code in one does not move it.
* Statement: the innermost one, whole, but without the bodies of blocks and functions in it, which are statements of their own: of a
  loop remains its header, of a call with a callback the call. The opening tag of a JSX element is a statement.

Linear in the text, bounded in depth; what could not be read (``ERROR``) belongs to the statement around it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from msgspec import Struct

from assaymark.model.scope_text import NOWHERE, Found

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST = 4_000
"""Levels of the tree that are looked at below the root; more is made by machine."""
_LINE_END = re.compile(rb"\r\n|\r|\n")

_SCRIPT_NAMED = frozenset({
    "function_declaration", "generator_function_declaration", "class_declaration", "abstract_class_declaration", "class",
    "method_definition", "function_expression", "internal_module", "module", "enum_declaration", "interface_declaration"
})  # fmt: skip
_JAVA_NAMED = frozenset({
    "class_declaration", "interface_declaration", "enum_declaration", "record_declaration", "annotation_type_declaration",
    "method_declaration", "constructor_declaration", "compact_constructor_declaration"
})  # fmt: skip
_PHP_NAMED = frozenset({
    "class_declaration", "interface_declaration", "trait_declaration", "enum_declaration", "function_definition",
    "method_declaration"
})  # fmt: skip
_FUNCTIONS = frozenset({
    "function_declaration", "generator_function_declaration", "function_expression", "generator_function", "arrow_function",
    "method_definition", "class", "lambda_expression", "func_literal", "anonymous_function", "class_body", "object"
})  # fmt: skip
_SCRIPT_UNITS = frozenset({
    "expression_statement", "lexical_declaration", "variable_declaration", "return_statement", "throw_statement",
    "if_statement", "for_statement", "for_in_statement", "while_statement", "do_statement", "switch_statement",
    "switch_case", "switch_default", "try_statement", "catch_clause", "finally_clause", "labeled_statement",
    "import_statement", "export_statement", "with_statement", "field_definition", "public_field_definition", "decorator",
    "jsx_opening_element", "jsx_self_closing_element", "type_alias_declaration"
})  # fmt: skip
_JAVA_UNITS = frozenset({
    "expression_statement", "local_variable_declaration", "return_statement", "throw_statement", "if_statement",
    "for_statement", "enhanced_for_statement", "while_statement", "do_statement", "switch_expression", "switch_label",
    "try_statement", "try_with_resources_statement", "resource", "catch_clause", "synchronized_statement",
    "labeled_statement", "assert_statement", "yield_statement", "field_declaration", "import_declaration",
    "package_declaration", "explicit_constructor_invocation", "marker_annotation", "annotation", "enum_constant"
})  # fmt: skip
_GO_UNITS = frozenset({
    "expression_statement", "short_var_declaration", "assignment_statement", "var_spec", "const_spec", "return_statement",
    "if_statement", "for_statement", "go_statement", "defer_statement", "send_statement", "inc_statement", "dec_statement",
    "expression_switch_statement", "type_switch_statement", "select_statement", "expression_case", "default_case",
    "type_case", "communication_case", "import_spec", "type_spec", "labeled_statement"
})  # fmt: skip
_PHP_UNITS = frozenset({
    "expression_statement", "echo_statement", "return_statement", "if_statement", "else_if_clause", "for_statement",
    "foreach_statement", "while_statement", "do_statement", "switch_statement", "case_statement", "default_statement",
    "try_statement", "catch_clause", "unset_statement", "const_declaration", "property_declaration", "global_declaration",
    "static_variable_declaration", "namespace_use_declaration", "attribute", "exit_statement"
})  # fmt: skip
_BODIES = ("body", "consequence", "alternative")


class _Kinds(Struct, frozen=True):
    """Which nodes of a grammar mean what."""

    named: frozenset[str]
    units: frozenset[str]
    blocks: frozenset[str]
    """Bodies that are left out of the statement around them."""


_SCRIPT = _Kinds(_SCRIPT_NAMED, _SCRIPT_UNITS | _SCRIPT_NAMED, frozenset({"statement_block", "class_body", "switch_body"}))
_KINDS = {
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "java": _Kinds(
        _JAVA_NAMED, _JAVA_UNITS | _JAVA_NAMED, frozenset({"block", "class_body", "constructor_body", "switch_block", "interface_body"})
    ),
    "go": _Kinds(
        frozenset({"function_declaration", "method_declaration"}),
        _GO_UNITS | {"function_declaration", "method_declaration"},
        frozenset({"block"}),
    ),
    "php": _Kinds(
        _PHP_NAMED, _PHP_UNITS | _PHP_NAMED, frozenset({"compound_statement", "declaration_list", "switch_block", "enum_declaration_list"})
    ),
}


class TreeOutline:
    """The statements of one text."""

    def __init__(self, source: bytes, root: Node, grammar: str) -> None:
        self._source = source
        self._root = root
        self._kinds = _KINDS[grammar]
        self._lines = [0, *(match.end() for match in _LINE_END.finditer(source))]
        self._known: dict[tuple[int, int], Found] = {}
        self._text = ""
        self._mark = (0, 1, 0)

    def find(self, line: int, end_line: int, column: int) -> Found:
        """The statement at a line (from 1) and column (from 1; 0 is the line's first statement)."""
        del end_line
        if not 1 <= line <= len(self._lines):
            return NOWHERE
        return self.at(self._position(line, column))

    def at(self, offset: int) -> Found:
        """The statement at a byte."""
        path = self._path(offset)
        innermost = len(path) - 1
        while innermost > 0 and path[innermost].type not in self._kinds.units:
            innermost -= 1
        unit = path[innermost]
        if innermost == 0:
            line = self.line_of(offset)
            statement = self._decoded(self._lines[line - 1], self._line_end(line)).strip()
            return self._known.setdefault((-line, 0), Found(line, line, (), statement))
        key = (unit.start_byte, unit.end_byte)
        if key not in self._known:
            end = self._header_end(unit)
            self._known[key] = Found(
                self.line_of(unit.start_byte),
                self.line_of(max(unit.start_byte, end - 1)),
                tuple(name for node in path[1:innermost] if (name := self._name(node))),
                self._statement(unit, end),
            )
        return self._known[key]

    def line_of(self, offset: int) -> int:
        """The line (from 1) of a byte."""
        return bisect_right(self._lines, offset)

    def column_of(self, offset: int) -> int:
        """The column (from 1, in code points) of a byte."""
        start = self._lines[self.line_of(offset) - 1]
        return len(self._source[start:offset].decode("utf-8", "replace")) + 1

    def _path(self, offset: int) -> list[Node]:
        """From the root down to the innermost node at a byte."""
        cursor = self._root.walk()
        path = [self._root]
        while len(path) <= DEEPEST and cursor.goto_first_child_for_byte(offset) is not None:
            node = cursor.node
            if node is None or not node.start_byte <= offset < node.end_byte:
                break
            path.append(node)
        return path

    def _name(self, node: Node) -> str:
        """What a node adds to the scope of what stands in it."""
        if node.type in self._kinds.named:
            name = node.child_by_field_name("name")
            receiver = node.child_by_field_name("receiver")
            return (f"{_receiver(receiver)}." if receiver else "") + self._of(name)
        if node.type in ("variable_declarator", "pair", "field_definition", "public_field_definition", "assignment_expression"):
            value = node.child_by_field_name("value") or node.child_by_field_name("right")
            if value is not None and value.type in _FUNCTIONS and value.type != "object":
                left = (node.child_by_field_name(field) for field in ("name", "key", "property", "left"))
                return self._of(next((part for part in left if part is not None), None)).rpartition(".")[2]
        return ""

    def _of(self, node: Node | None) -> str:
        return "" if node is None else " ".join(self._decoded(node.start_byte, min(node.end_byte, node.start_byte + 200)).split())

    def _header_end(self, unit: Node) -> int:
        """Where the statement ends when its body is a statement without braces, as in ``if (a) b();``."""
        if unit.type.startswith("do_"):
            return unit.end_byte
        parts = [part for field in _BODIES if (part := unit.child_by_field_name(field)) is not None and part.start_byte > unit.start_byte]
        if unit.type in ("switch_case", "switch_default", "expression_case", "type_case", "default_case", "case_statement"):
            colon = next((child for child in unit.children if child.type in (":", ";")), None)
            return colon.end_byte if colon else unit.end_byte
        return min((part.start_byte for part in parts), default=unit.end_byte)

    def _statement(self, unit: Node, end: int) -> str:
        pieces: list[bytes] = []
        at = unit.start_byte
        todo = list(reversed(unit.children))
        looked = 0
        while todo and looked < 20_000:
            node = todo.pop()
            looked += 1
            if node.start_byte >= end:
                continue
            if node.type in self._kinds.blocks:
                pieces += [self._source[at : node.start_byte], b"{}"]
                at = node.end_byte
            elif node.end_byte - node.start_byte > 1:
                todo.extend(reversed(node.children))
        pieces.append(self._source[at:end])
        return b"".join(pieces).decode("utf-8", "replace").strip()

    def _decoded(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def _line_end(self, line: int) -> int:
        return self._lines[line] if line < len(self._lines) else len(self._source)

    def _position(self, line: int, column: int) -> int:
        """Byte offset; goes on from the last answer, or many questions about one endless line would cost its square."""
        if line != self._mark[0]:
            self._text = self._decoded(self._lines[line - 1], self._line_end(line))
            self._mark = (line, 1, self._lines[line - 1])
        column = column or len(self._text) - len(self._text.lstrip()) + 1
        _, from_column, offset = self._mark
        if column < from_column:
            from_column, offset = 1, self._lines[line - 1]
        self._mark = (line, max(1, column), offset + len(self._text[from_column - 1 : column - 1].encode("utf-8", "replace")))
        return self._mark[2]


def _receiver(node: Node) -> str:
    """The type of a Go method's receiver without pointer and type parameters."""
    words = re.findall(r"\w+", (node.text or b"").decode("utf-8", "replace").partition("[")[0])
    return words[-1] if words else ""
