"""How JavaScript and TypeScript say things: calls, names, values, definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.flow import Flow
from assaymark.checks.application.patterns.javascript.names import (
    CARRIERS,
    CLEANERS,
    FILTERS,
    FROM_REQUEST,
    KEEPS,
    METHODS_THAT_CARRY,
    SOURCES,
    TEXT_METHODS,
)
from assaymark.checks.application.patterns.javascript.paths import INNER, Naming, escaped, fields, inner, named
from assaymark.checks.application.patterns.shapes import (
    Called,
    Computed,
    Definition,
    Either,
    Function,
    Gathered,
    Joined,
    Literal,
    Member,
    Name,
    Opaque,
    Shape,
    Through,
)
from assaymark.checks.application.patterns.values import Value, joined, made_safe

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTIONS = frozenset({
    "function_declaration", "generator_function_declaration", "function_expression", "generator_function", "arrow_function",
    "method_definition"
})  # fmt: skip
_CONSTANTS = frozenset({"number", "true", "false", "null", "undefined", "regex"})
_NO_OBJECT = frozenset({"nosql"})
_TEXT_OPERATORS = frozenset({"+"})
_CHOICES = frozenset({"||", "??"})
_DEFINITIONS = """
(variable_declarator name: (_) @name value: (_) @value)
(assignment_expression left: [(identifier) (object_pattern) (array_pattern)] @name right: (_) @value)
(augmented_assignment_expression left: (identifier) @name right: (_) @add)
(for_in_statement left: (_) @name right: (_) @each)
(formal_parameters) @parameters
(arrow_function parameter: (identifier) @parameter)
"""
_GROWS = re.compile(rb"\.(?:push|unshift|append)\(")
_GROWING = """
(call_expression function: (member_expression object: (identifier) @name property: (property_identifier) @_p)
  arguments: (arguments (_) @add) (#any-of? @_p "push" "unshift" "append"))
"""
_FUNCTION_QUERY = "[" + " ".join(f"({kind})" for kind in sorted(_FUNCTIONS)) + "] @function"


class Script(Naming):
    """See `shapes.Speech`."""

    comment_query = "(comment) @c"
    branches = frozenset({"if_statement", "switch_case", "switch_default", "for_statement", "for_in_statement", "while_statement",
                          "catch_clause", "ternary_expression", "binary_expression"})  # fmt: skip
    rivals = frozenset({"if_statement", "ternary_expression"})
    bounds = _FUNCTIONS
    harmless = frozenset({"number", "boolean", "bigint", "Date"})

    # --- values ------------------------------------------------------------------------------------------------------

    def shape(self, node: Node) -> Shape:  # noqa: C901, PLR0911, PLR0912 - one return per kind of node
        kind = node.type
        if kind == "string":
            return Literal(self.string(node))
        if kind in _CONSTANTS:
            return Literal(self.text.of(node))
        if kind in ("identifier", "shorthand_property_identifier"):
            return Literal("undefined") if self.text.of(node) == "undefined" else Name(self.text.of(node))
        if kind in INNER and node.named_child_count:
            return Through(inner(node))
        if kind == "template_string":
            return Joined(tuple(self._pieces(node)))
        if kind in ("binary_expression", "unary_expression"):
            return self._operation(node)
        if kind == "ternary_expression":
            return Either(fields(node, "consequence", "alternative"), node.child_by_field_name("condition"))
        if kind in ("call_expression", "new_expression"):
            return self.called(node)
        if kind in ("member_expression", "subscript_expression"):
            return self._property(node)
        if kind == "object":
            return self._object(node)
        if kind == "array":
            return Gathered(named(node))
        if kind == "assignment_expression":
            return Through(node.child_by_field_name("right") or node)
        if kind == "update_expression" or kind in _FUNCTIONS:
            return Computed()
        return Opaque()

    def _operation(self, node: Node) -> Shape:
        operator = self.text.of(node.child_by_field_name("operator") or node)
        operands = fields(node, "left", "right") or fields(node, "argument")
        if operator in _TEXT_OPERATORS and len(operands) == 2:
            return Joined(operands) if not _numbers(operands) else Computed("+", operands)
        if operator in _CHOICES:
            return Either(operands)
        if operator == "&&" and len(operands) == 2:
            return Either(operands[1:])
        return Computed(operator, operands)

    def _property(self, node: Node) -> Shape:
        of = node.child_by_field_name("object")
        name = node.child_by_field_name("property")
        if of is None:
            return Opaque()
        if name is None:
            index = node.child_by_field_name("index")
            return Member(of, self.string(index) if index is not None and index.type == "string" else "")
        return Member(of, self.text.of(name))

    def _object(self, node: Node) -> Shape:
        parts: list[Node] = []
        keys: list[str] = []
        for child in named(node):
            key = child.child_by_field_name("key")
            value = child.child_by_field_name("value") if child.type == "pair" else child
            if value is not None and child.type in ("pair", "shorthand_property_identifier", "spread_element"):
                parts.append(value)
                keys.append(self._key(key) if key is not None else self.text.of(child) if child.type.startswith("short") else "")
        return Gathered(tuple(parts), tuple(keys))

    def _key(self, key: Node) -> str:
        return self.string(key) if key.type == "string" else self.text.of(key)

    def _pieces(self, node: Node) -> Iterator[Node | str]:
        for child in node.named_children:
            if child.type == "string_fragment":
                yield self.text.of(child)
            elif child.type == "escape_sequence":
                yield escaped(self.text.of(child))
            elif child.type == "template_substitution" and child.named_child_count:
                yield child
        if not node.named_child_count:
            yield ""

    # --- sources and sanitisers --------------------------------------------------------------------------------------

    def source(self, node: Node, shape: Shape) -> str:
        if isinstance(shape, Member | Called):
            path = self.path(node if isinstance(shape, Member) else self.callee(node))
            match = SOURCES.match(path) if isinstance(shape, Member) else SOURCES.fullmatch(path)
            return match[0] if match and not path.endswith(".length") else ""
        return ""

    def cleans(self, call: Called) -> frozenset[str] | None:
        return next((safe for pattern, safe in CLEANERS if pattern.fullmatch(call.path)), None)

    def carries(self, call: Called) -> bool:
        return bool(CARRIERS.fullmatch(call.path)) or (call.receiver is not None and call.name in METHODS_THAT_CARRY)

    def filters(self, call: Called) -> bool:
        return bool(FILTERS.search(call.name))

    def is_local(self, call: Called) -> bool:
        return call.receiver is None or call.path.startswith("this.") or call.path == call.name

    def result(self, call: Called, flow: Flow, depth: int) -> Value | None:
        """Methods of text and lists."""
        if call.receiver is None:
            return None
        if call.name == "join":
            shape = flow.resolved(call.receiver)
            return joined([flow.value(part, depth) for part in shape.parts]) if isinstance(shape, Gathered) and shape.parts else None
        if call.name in ("replace", "replaceAll") and call.args:
            value = replace(flow.value(call.receiver, depth), text=None, prefix="")
            kinds = _replaced(self.text.of(call.args[0]))
            return made_safe(value, kinds) if kinds else value
        if call.name in KEEPS:
            value = flow.value(call.receiver, depth)
            value = replace(value, text=None, prefix="") if call.args else value
            return made_safe(value, _NO_OBJECT) if call.name in TEXT_METHODS and not value.constant else value
        return None

    # --- control flow ------------------------------------------------------------------------------------------------

    def arms(self, branch: Node) -> list[Node]:
        match branch.type:
            case "binary_expression":
                return [*fields(branch, "right")]
            case "switch_case" | "switch_default":
                return branch.children_by_field_name("body")
            case _:
                return [*fields(branch, "consequence", "alternative", "body")]

    def test_of(self, branch: Node, arm: Node) -> tuple[Node, bool | frozenset[str]] | None:
        if branch.type not in ("if_statement", "ternary_expression"):
            return None
        condition = branch.child_by_field_name("condition")
        return None if condition is None else (condition, branch.child_by_field_name("consequence") == arm)

    # --- names -------------------------------------------------------------------------------------------------------

    def define(self) -> list[Definition]:
        found: list[Definition] = []
        growing = self.text.matches(_GROWING) if _GROWS.search(self.text.content) else []
        for _, captured in [*self.text.matches(_DEFINITIONS), *growing]:
            single = captured.get("parameter", ())
            found += [Definition(self.text.of(node), node.start_byte, None, node, how="parameter") for node in single]
            for node in captured.get("parameters", ()):
                for each in named(node):
                    found += self._bound(each, None, "parameter")
            for node in captured.get("name", ()):
                how = next(key for key in ("value", "add", "each") if key in captured)
                found += self._bound(node, captured[how][0], "set" if how == "value" else how)
        return found

    def _bound(self, pattern: Node, value: Node | None, how: str) -> list[Definition]:
        kind = pattern.child_by_field_name("type")
        asked = [self.text.of(child) for child in pattern.named_children if child.type == "decorator"]
        source = next((match[0] for written in asked if (match := FROM_REQUEST.match(written))), "")
        declared = re.findall(r"\w+", self.text.of(kind))[-1:] if kind is not None else []
        return [
            Definition(self.text.of(node), node.start_byte, value, node, member, how, "".join(declared), source)
            for node, member in self.pattern(pattern)
        ]

    def find_functions(self) -> list[Function]:
        return [self._function(node) for node in self.text.captures(_FUNCTION_QUERY).get("function", [])]

    def _function(self, node: Node) -> Function:
        name = node.child_by_field_name("name")
        parent = node.parent
        if name is None and parent is not None:
            name = next((n for field in ("name", "key", "left", "property") if (n := parent.child_by_field_name(field)) is not None), None)
        single = node.child_by_field_name("parameter")
        listed = node.child_by_field_name("parameters")
        rows = [single] if single is not None else [*named(listed)] if listed is not None else []
        names = tuple(next((self.text.of(each) for each, member in self.pattern(row) if not member), "") for row in rows)
        return Function(node.start_byte, node.end_byte, self.text.of(name).rpartition(".")[2] if name is not None else "", names, node)

    def returns(self, function: Function) -> list[Node]:
        body = function.node.child_by_field_name("body")
        if body is not None and body.type != "statement_block":
            return [body]
        return self.inside(self.text.captures("(return_statement (_) @value)", function.node).get("value", []), function)


def _numbers(operands: tuple[Node, ...]) -> bool:
    return all(each.type == "number" for each in operands)


def _replaced(pattern: str) -> frozenset[str]:
    """What text is safe for after everything that a pattern matches was replaced."""
    if not pattern.startswith("/") or "g" not in pattern.rpartition("/")[2]:
        return frozenset()
    if "[^" in pattern or "\\W" in pattern:
        return frozenset({"*"})
    kinds = {"html"} if "<" in pattern else set()
    if "'" in pattern:
        kinds |= {"sql", "html"}
    if "." in pattern and ".." in pattern.replace("\\", ""):
        kinds.add("path")
    return frozenset(kinds)
