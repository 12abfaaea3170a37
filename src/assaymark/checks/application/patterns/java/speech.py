"""How Java says things: calls, types of variables, values, definitions."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.flow import Flow
from assaymark.checks.application.patterns.java.containers import from_container
from assaymark.checks.application.patterns.java.names import CARRIERS, CLEANERS, FILTERS, FROM_REQUEST, GROWS, HARMLESS, KEEPS, SOURCES
from assaymark.checks.application.patterns.naming import Gathering
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
from assaymark.checks.application.patterns.text import Text
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTIONS = frozenset({"method_declaration", "constructor_declaration", "lambda_expression", "compact_constructor_declaration"})
_INNER = {"parenthesized_expression": -1, "cast_expression": -1, "argument_list": 0, "condition": 0}
_NUMBERS = frozenset({"decimal_integer_literal", "hex_integer_literal", "decimal_floating_point_literal", "true", "false", "null_literal"})
_PACKAGE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")
_DEEPEST_PATH = 16
_DEFINITIONS = """
(local_variable_declaration) @local
(field_declaration) @local
(formal_parameter) @parameter
(spread_parameter) @parameter
(catch_formal_parameter) @caught
(resource name: (identifier) @name value: (_) @value) @resource
(enhanced_for_statement type: (_) @type name: (identifier) @name value: (_) @each)
(assignment_expression left: (identifier) @name operator: _ @operator right: (_) @value)
(assignment_expression left: (field_access object: (this) field: (identifier) @name) operator: _ @operator right: (_) @value)
(lambda_expression parameters: (identifier) @bare)
(inferred_parameters (identifier) @bare)
"""
_GROWING = "(method_invocation name: (identifier) @name arguments: (argument_list (_))) @call"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Java(Gathering):
    """See `shapes.Speech`."""

    comment_query = "[(line_comment) (block_comment)] @c"
    branches = frozenset({"if_statement", "switch_block", "for_statement", "enhanced_for_statement", "while_statement", "catch_clause",
                          "ternary_expression"})  # fmt: skip
    rivals = frozenset({"if_statement", "ternary_expression"})
    bounds = _FUNCTIONS
    harmless = HARMLESS

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self._classes = {name.decode() for name in re.findall(rb"\b(?:class|record|enum)\s+(\w+)", text.content)}

    # --- calls and paths ---------------------------------------------------------------------------------------------

    def call_at(self, leaf: Node) -> Called | None:
        parent = leaf.parent
        if parent is None:
            return None
        if parent.type == "method_invocation" and parent.child_by_field_name("name") == leaf:
            return self.called(parent)
        node = leaf
        while node.type in ("type_identifier", "scoped_type_identifier", "generic_type"):
            if node.parent is None:
                return None
            node = node.parent
        if leaf.type == "type_identifier" and node.type == "object_creation_expression":
            made = self.called(node)
            return made if made.name == self.text.of(leaf) else None
        return None

    def called(self, node: Node) -> Called:
        arguments = node.child_by_field_name("arguments")
        args = named(arguments) if arguments is not None else ()
        if node.type == "object_creation_expression":
            name = self._type(node.child_by_field_name("type"))
            return Called(node, name, name, None, args, makes=True)
        receiver = node.child_by_field_name("object")
        name = self.text.of(node.child_by_field_name("name") or node)
        return Called(node, name, f"{self.path(receiver)}.{name}" if receiver is not None else name, receiver, args)

    def path(self, node: Node | None, depth: int = 0) -> str:  # noqa: PLR0911 - one return per kind of node
        """What an expression is called; a variable stands as its type."""
        if node is None or depth > _DEEPEST_PATH:
            return "?"
        match node.type:
            case "identifier" | "type_identifier":
                return self.type_of(node) or self.text.of(node)
            case "this" | "super":
                return node.type
            case "field_access" | "scoped_identifier" | "scoped_type_identifier":
                return self._dotted(node, depth)
            case "method_invocation":
                name = self.text.of(node.child_by_field_name("name") or node)
                of = node.child_by_field_name("object")
                return f"{self.path(of, depth + 1)}.{name}()" if of is not None else f"{name}()"
            case "object_creation_expression":
                return f"{self._type(node.child_by_field_name('type'))}()"
        if node.type in _INNER and node.named_child_count:
            cast = node.child_by_field_name("type") if node.type == "cast_expression" else None
            return self._type(cast) if cast is not None else self.path(node.named_children[_INNER[node.type]], depth + 1)
        return "?"

    def _dotted(self, node: Node, depth: int) -> str:
        of, field = node.child_by_field_name("object"), node.child_by_field_name("field")
        if of is not None and of.type == "this" and field is not None:
            return self.type_of(field) or self.text.of(field)
        written = re.sub(r"\s+", "", self.text.of(node))
        if re.fullmatch(r"[\w.]+", written) and not (of is not None and of.type == "identifier" and self.type_of(of)):
            return _PACKAGE.sub("", written)
        return f"{self.path(of, depth + 1)}.{self.text.of(field) if field is not None else '?'}"

    def _type(self, node: Node | None) -> str:
        """The last word of a type, without its parameters."""
        if node is None:
            return ""
        written = self.text.of(node).partition("<")[0]
        words = re.findall(r"\w+", written)
        return words[-1] if words else ""

    def type_of(self, name: Node) -> str:
        """The declared type of a variable, from the nearest declaration before; nothing for what is none."""
        rows = self._kinds.get(self.text.of(name))
        if not rows:
            return ""
        before = [row for row in rows if row.at <= name.start_byte]
        row = (before or rows)[-1]
        if row.kind in ("var", "final") and row.value is not None:
            return self.path(row.value)
        return row.kind

    @cached_property
    def _kinds(self) -> dict[str, list[Definition]]:
        kinds = {name: [row for row in rows if row.kind] for name, rows in self.definitions().items()}
        return {name: rows for name, rows in kinds.items() if rows}

    def aliases(self) -> dict[str, str]:
        """Java imports under the same name; what matters is the last word anyway."""
        return {}

    # --- values ------------------------------------------------------------------------------------------------------

    def shape(self, node: Node) -> Shape:  # noqa: C901, PLR0911, PLR0912 - one return per kind of node
        kind = node.type
        if kind == "string_literal":
            return Literal("".join(self._piece(child) for child in node.named_children))
        if kind == "character_literal":
            return Literal(self.text.of(node)[1:-1])
        if kind in _NUMBERS:
            return Literal(self.text.of(node))
        if kind == "identifier":
            return Name(self.text.of(node))
        if kind in _INNER and node.named_child_count:
            return Through(node.named_children[_INNER[kind]])
        if kind in ("binary_expression", "unary_expression"):
            return self._operation(node)
        if kind == "ternary_expression":
            return Either(fields(node, "consequence", "alternative"), node.child_by_field_name("condition"))
        if kind in ("method_invocation", "object_creation_expression"):
            return self.called(node)
        if kind == "field_access":
            return self._field(node)
        if kind == "array_access":
            return Member(node.child_by_field_name("array") or node, "")
        if kind == "array_initializer":
            return Gathered(named(node))
        if kind == "array_creation_expression":
            value = node.child_by_field_name("value")
            return Gathered(named(value)) if value is not None else Computed()
        if kind == "switch_expression":
            return Either(tuple(self._results(node)))
        if kind == "assignment_expression":
            return Through(node.child_by_field_name("right") or node)
        if kind in ("instanceof_expression", "update_expression", "class_literal", "lambda_expression"):
            return Computed()
        return Opaque()

    def _piece(self, node: Node) -> str:
        written = self.text.of(node)
        return _ESCAPES.get(written[1:2], written[1:]) if node.type == "escape_sequence" else written

    def _operation(self, node: Node) -> Shape:
        operator = self.text.of(node.child_by_field_name("operator") or node)
        operands = fields(node, "left", "right") or fields(node, "operand")
        if operator == "+" and len(operands) == 2 and not all(self._is_number(each) for each in operands):
            return Joined(operands)
        return Computed(operator, operands)

    def _is_number(self, node: Node) -> bool:
        if node.type == "identifier":
            return self.type_of(node) in HARMLESS
        if node.type in ("binary_expression", "parenthesized_expression"):
            return all(self._is_number(child) for child in named(node))
        return node.type in _NUMBERS

    def _field(self, node: Node) -> Shape:
        of, name = node.child_by_field_name("object"), node.child_by_field_name("field")
        if of is None or name is None:
            return Opaque()
        return Name(self.text.of(name)) if of.type == "this" else Member(of, self.text.of(name))

    def _results(self, node: Node) -> list[Node]:
        body = node.child_by_field_name("body")
        found: list[Node] = []
        for rule in named(body) if body is not None else ():
            last = named(rule)[-1] if named(rule) else None
            if rule.type == "switch_rule" and last is not None and last.type == "expression_statement" and last.named_child_count:
                found.append(last.named_children[0])
        return found + self.text.captures("(yield_statement (_) @y)", node).get("y", [])

    # --- sources and sanitisers --------------------------------------------------------------------------------------

    def source(self, node: Node, shape: Shape) -> str:
        del node
        if isinstance(shape, Called) and not shape.makes and SOURCES.fullmatch(shape.path):
            return shape.path.rpartition(".")[2]
        return ""

    def cleans(self, call: Called) -> frozenset[str] | None:
        return next((safe for pattern, safe in CLEANERS if pattern.fullmatch(call.path)), None)

    def carries(self, call: Called) -> bool:
        return bool(CARRIERS.fullmatch(call.path))

    def filters(self, call: Called) -> bool:
        return bool(FILTERS.search(call.name))

    def is_local(self, call: Called) -> bool:
        head = call.path.partition(".")[0]
        return not call.makes and (call.receiver is None or head in ("this", *self._classes) or head.removesuffix("()") in self._classes)

    def result(self, call: Called, flow: Flow, depth: int) -> Value | None:
        found = from_container(self, call, flow, depth)
        if found is None and call.receiver is not None and call.name in KEEPS and not call.path.startswith(("System.", "Runtime.")):
            value = flow.value(call.receiver, depth)
            found = value if value.foreign or value.built or value.text is not None else None
            return replace(value, text=None, prefix="") if found is not None and call.args else found
        return found

    # --- control flow ------------------------------------------------------------------------------------------------

    def arms(self, branch: Node) -> list[Node]:
        if branch.type == "switch_block":
            return [child for child in branch.named_children if child.type in ("switch_block_statement_group", "switch_rule")]
        return [*fields(branch, "consequence", "alternative", "body")]

    def test_of(self, branch: Node, arm: Node) -> tuple[Node, bool | frozenset[str]] | None:
        if branch.type == "switch_block":
            return self._case(branch, arm)
        if branch.type not in ("if_statement", "ternary_expression"):
            return None
        condition = branch.child_by_field_name("condition")
        return None if condition is None else (condition, branch.child_by_field_name("consequence") == arm)

    def _case(self, block: Node, arm: Node) -> tuple[Node, frozenset[str]] | None:
        """The labels of a case, together with those of the cases that fall into it; nothing for a default."""
        labels: list[Node] = []
        for group in self.arms(block):
            own = [child for child in group.named_children if child.type == "switch_label"]
            labels += own
            if group == arm:
                break
            if len(own) != group.named_child_count:
                labels = []
        constants = [shape.text for label in labels for each in named(label) if isinstance(shape := self.shape(each), Literal)]
        switch = block.parent
        subject = switch.child_by_field_name("condition") if switch is not None else None
        if subject is None or not constants or any(not label.named_child_count for label in labels):
            return None
        return subject, frozenset(constants)

    # --- names -------------------------------------------------------------------------------------------------------

    def define(self) -> list[Definition]:
        found: list[Definition] = []
        for _, captured in self.text.matches(_DEFINITIONS):
            for node in captured.get("local", ()):
                found += self._declared(node)
            for node in captured.get("parameter", ()):
                found += self._parameter(node)
            for node in (*captured.get("bare", ()), *captured.get("caught", ())):
                name = node.child_by_field_name("name") or node
                found.append(Definition(self.text.of(name), name.start_byte, None, name, how="parameter"))
            for name in captured.get("name", ()):
                value = next(iter([*captured.get("value", ()), *captured.get("each", ())]), None)
                kind = next(iter(captured.get("type", ())), None)
                if kind is None and "resource" in captured:
                    kind = captured["resource"][0].child_by_field_name("type")
                joins = "operator" in captured and self.text.of(captured["operator"][0]) == "+="
                how = "each" if "each" in captured else "add" if joins else "set"
                found.append(Definition(self.text.of(name), name.start_byte, value, name, how=how, kind=self._type(kind)))
        return found + self._grown()

    def _declared(self, node: Node) -> list[Definition]:
        kind = self._type(node.child_by_field_name("type"))
        rows = []
        for each in node.children_by_field_name("declarator"):
            name = each.child_by_field_name("name")
            value = each.child_by_field_name("value")
            if name is not None:
                how = "set" if value is not None or node.type == "field_declaration" else "declared"
                rows.append(Definition(self.text.of(name), name.start_byte, value, name, how=how, kind=kind))
        return rows

    def _parameter(self, node: Node) -> list[Definition]:
        name = node.child_by_field_name("name")
        if name is None:
            inner = next((child for child in node.named_children if child.type == "variable_declarator"), None)
            name = inner.child_by_field_name("name") if inner is not None else None
        if name is None:
            return []
        kind = self._type(node.child_by_field_name("type"))
        modifiers = next((self.text.of(child) for child in node.children if child.type == "modifiers"), "")
        asked = next((word for word in re.findall(r"@(?:\w+\.)*(\w+)", modifiers) if word in FROM_REQUEST), "")
        return [
            Definition(self.text.of(name), name.start_byte, None, name, how="parameter", kind=kind, source=f"@{asked}" if asked else "")
        ]

    def _grown(self) -> list[Definition]:
        """``builder.append(x)`` and ``list.add(x)`` add to what the variable holds."""
        found: list[Definition] = []
        for _, captured in (
            self.text.matches(_GROWING) if re.search(rb"\.(?:append|insert|add|put|push|offer)\w*\s*\(", self.text.content) else ()
        ):
            name, call = captured["name"][0], captured["call"][0]
            if self.text.of(name) not in GROWS:
                continue
            base = call.child_by_field_name("object")
            for _ in range(40):
                if base is None or base.type != "method_invocation":
                    break
                base = base.child_by_field_name("object")
            arguments = call.child_by_field_name("arguments")
            if base is not None and base.type == "identifier" and arguments is not None:
                args = named(arguments)
                if args:
                    found.append(Definition(self.text.of(base), name.start_byte, args[-1], name, how="add"))
        return found

    def find_functions(self) -> list[Function]:
        query = "[" + " ".join(f"({kind})" for kind in sorted(_FUNCTIONS)) + "] @f"
        return [self._function(node) for node in self.text.captures(query).get("f", [])]

    def _function(self, node: Node) -> Function:
        name, listed = node.child_by_field_name("name"), node.child_by_field_name("parameters")
        rows = [self._parameter(each) for each in named(listed)] if listed is not None else []
        names = tuple(row[0].name if row else "" for row in rows)
        return Function(node.start_byte, node.end_byte, self.text.of(name) if name is not None else "", names, node)

    def returns(self, function: Function) -> list[Node]:
        body = function.node.child_by_field_name("body")
        if body is not None and body.type != "block":
            return [body]
        return self.inside(self.text.captures("(return_statement (_) @value)", function.node).get("value", []), function)


def named(node: Node) -> tuple[Node, ...]:
    """The children that are no marks and no comments."""
    return tuple(child for child in node.named_children if child.type not in ("line_comment", "block_comment"))


def fields(node: Node, *names: str) -> tuple[Node, ...]:
    """Those of the fields that there are."""
    return tuple(found for name in names if (found := node.child_by_field_name(name)) is not None)
