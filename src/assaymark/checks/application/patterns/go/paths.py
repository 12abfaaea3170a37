"""What an expression of Go is called: packages by the path they are imported from, variables and fields as their types.

``r.URL.Query().Get`` is ``net/http.Request.URL.Query().Get`` where ``r`` is a ``*http.Request``; ``db.Query`` is
``database/sql.Open().Query`` where ``db`` is what ``sql.Open`` gave. Pointers, slices of structures and generics are seen through.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.go.defining import defined, functions_of
from assaymark.checks.application.patterns.go.names import HARMLESS, SAME, STANDARD
from assaymark.checks.application.patterns.go.nodes import fields, named, only
from assaymark.checks.application.patterns.naming import Gathering
from assaymark.checks.application.patterns.shapes import Called, Definition, Function

if TYPE_CHECKING:
    from tree_sitter import Node

_DEEPEST_PATH = 16
_LONGEST_PATH = 600
"""Of what is longer, the middle is left out: rules ask how it begins and ends."""
_MOST_STEPS = 60_000
_MOST_LOOKED_AT = 40
"""Definitions of one variable, backwards from where it is used."""
_VERSION = re.compile(r"(?:/v\d+|\.v\d+)$")
_PLAIN = frozenset({"byte", "string", "any", *(kind for kind in HARMLESS if kind.isalnum())})
_SEEN_THROUGH = frozenset({"pointer_type", "parenthesized_type", "generic_type"})
_ELEMENTS = {"slice_type": "element", "array_type": "element", "map_type": "value", "channel_type": "value"}
_IMPORTS = "(import_spec) @import"


class Paths(Gathering):
    """See the module."""

    comment_query = "(comment) @c"

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name of a package in this text -> where it is imported from, without its version."""
        found: dict[str, str] = {}
        for node in self.text.captures(_IMPORTS).get("import", []):
            path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
            if path is not None:
                bare = _VERSION.sub("", self.text.of(path).strip('"`'))
                found[self.text.of(name) if name is not None else _package(bare)] = bare
        return found or STANDARD

    def define(self) -> list[Definition]:
        return defined(self)

    def find_functions(self) -> list[Function]:
        return functions_of(self)

    # --- calls -------------------------------------------------------------------------------------------------------

    def call_at(self, leaf: Node) -> Called | None:
        node = leaf.parent
        if node is None:
            return None
        if node.type == "composite_literal" and leaf.type == "type_identifier":
            return self.called(node)
        if node.type == "qualified_type" and node.parent is not None and node.parent.type == "composite_literal":
            return self.called(node.parent) if node.child_by_field_name("name") == leaf else None
        callee = leaf
        if node.type == "selector_expression" and node.child_by_field_name("field") == leaf:
            callee, node = node, node.parent
        if node is not None and node.type == "call_expression" and node.child_by_field_name("function") == callee:
            return self.called(node)
        return None

    def called(self, node: Node) -> Called:
        """A call, or a structure that is made."""
        if node.type == "composite_literal":
            path = self.type_path(node.child_by_field_name("type"))
            return Called(node, path.rpartition(".")[2], path, None, (), makes=True)
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        args = named(arguments) if arguments is not None else ()
        path = self.path(function)
        receiver = function.child_by_field_name("operand") if function is not None and function.type == "selector_expression" else None
        return Called(node, path.rpartition(".")[2], path, receiver, args)

    def path(self, node: Node | None, depth: int = 0) -> str:
        """What an expression is called; ``?`` for what has no name."""
        if node is None or depth > _DEEPEST_PATH:
            return "?"
        if node.id in self._paths:
            return self._paths[node.id]
        if len(self._paths) > _MOST_STEPS:
            return "?"
        self._paths[node.id] = "?"
        found = self._path(node, depth + 1)
        if len(found) > _LONGEST_PATH:
            found = found[: _LONGEST_PATH // 2] + found[-_LONGEST_PATH // 2 :]
        found = next((kind for pattern, kind in SAME if pattern.fullmatch(found)), found)
        if depth and "?" in found:
            del self._paths[node.id]
        else:
            self._paths[node.id] = found
        return found

    @cached_property
    def _paths(self) -> dict[int, str]:
        return {}

    def _path(self, node: Node, depth: int) -> str:  # noqa: PLR0911 - one return per kind of node
        match node.type:
            case "identifier" | "package_identifier":
                return self._named(node, depth)
            case "selector_expression":
                return self._selected(node, depth)
            case "call_expression":
                return self._result(node, depth)
            case "composite_literal" | "type_conversion_expression" | "type_assertion_expression":
                return self.type_path(node.child_by_field_name("type"))
            case "parenthesized_expression" | "unary_expression" | "index_expression" | "slice_expression" | "variadic_argument":
                inner = node.child_by_field_name("operand") or only(node)
                return self.path(inner, depth)
            case "slice_type" | "type_identifier" | "qualified_type" | "generic_type" | "map_type":
                return self.type_path(node)
        return "?"

    def _named(self, node: Node, depth: int) -> str:
        name = self.text.of(node)
        kind = self.type_of(node, depth)
        if kind:
            return kind
        if name in self.imports and not self.homes(name):
            return self.imports[name]
        dotted = self.imports.get(".", "")
        return f"{dotted}.{name}" if dotted and name[:1].isupper() and not self.named_functions(name) else name

    def _selected(self, node: Node, depth: int) -> str:
        of, field = fields(node, "operand", "field")
        base, name = self.path(of, depth), self.text.of(field)
        return self._fields.get(base, {}).get(name) or f"{base}.{name}"

    def _result(self, node: Node, depth: int) -> str:
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        path = self.path(function, depth)
        if path in ("new", "make") and arguments is not None and named(arguments):
            return self.type_path(named(arguments)[0])
        return self._results.get(path.rpartition(".")[2], "") if self._is_own(path) else f"{path}()"

    def _is_own(self, path: str) -> bool:
        head, _, name = path.rpartition(".")
        return name in self._results and (not head or head in self._types)

    # --- types -------------------------------------------------------------------------------------------------------

    def type_path(self, node: Node | None, depth: int = 0) -> str:
        """A type without what makes it a pointer or, unless of plain values, a list of it."""
        if node is None or depth > _DEEPEST_PATH:
            return "?"
        if node.type in _SEEN_THROUGH:
            return self.type_path(node.child_by_field_name("type") or only(node), depth + 1)
        if node.type in _ELEMENTS:
            element = self.type_path(node.child_by_field_name(_ELEMENTS[node.type]) or only(node), depth + 1)
            return f"[]{element}" if element in _PLAIN else element
        if node.type == "qualified_type":
            package, name = fields(node, "package", "name")
            return f"{self.imports.get(self.text.of(package), self.text.of(package))}.{self.text.of(name)}"
        return self.text.of(node) if node.type == "type_identifier" else node.type.partition("_")[0]

    def type_of(self, name: Node, depth: int = 0) -> str:
        """The type of a variable, or what it was made by; nothing for what is none."""
        homes = self.homes(self.text.of(name))
        if not homes:
            return ""
        for place in [*(function.start for function in self.functions_around(name.start_byte)), -1]:
            rows = homes.get(place, [])
            end = len(rows) if place == -1 else bisect_right(rows, name.start_byte, key=lambda row: row.at)
            before = [row for row in rows[max(0, end - _MOST_LOOKED_AT) : end] if row.how not in ("add", "given")]
            for row in reversed(before):
                if row.kind:
                    return row.kind
                value = row.value
                if value is not None and not value.start_byte <= name.start_byte < value.end_byte and not row.member:
                    found = self.path(value, depth)
                    if found != "?":
                        return found
            if before:
                return ""
        return ""

    def field_kind(self, node: Node) -> str:
        """The type of a field of a structure of this text."""
        of, field = fields(node, "operand", "field")
        return self._fields.get(self.path(of), {}).get(self.text.of(field), "")

    @cached_property
    def _fields(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        query = (
            "(type_spec name: (_) @name type: (struct_type (field_declaration_list (field_declaration name: (_) @field type: (_) @kind))))"
        )
        for _, captured in self.text.matches(query):
            kind = self.type_path(captured["kind"][0])
            for field in captured["field"]:
                found.setdefault(self.text.of(captured["name"][0]), {})[self.text.of(field)] = kind
        return found

    @cached_property
    def _types(self) -> frozenset[str]:
        """Types of this text."""
        return frozenset(self.text.of(node) for node in self.text.captures("(type_spec name: (_) @name)").get("name", []))

    @property
    def types(self) -> frozenset[str]:
        return self._types

    @cached_property
    def _results(self) -> dict[str, str]:
        """What the functions of this text give back, the first of it."""
        found: dict[str, str] = {}
        for function in self.functions():
            result = function.node.child_by_field_name("result")
            if result is None or not function.name:
                continue
            first = next((each.child_by_field_name("type") for each in named(result)), None) if result.type == "parameter_list" else result
            kind = self.type_path(first)
            found[function.name] = kind if found.get(function.name, kind) == kind else "?"
        return found


def _package(path: str) -> str:
    """The name that a package most likely has, after the last part of where it is imported from."""
    last = path.rpartition("/")[2]
    return re.sub(r"^go-|-go$|\.go$", "", last).replace("-", "_")
