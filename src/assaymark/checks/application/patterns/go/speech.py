"""How Go says things: values, sources, control flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.flow import Flow
from assaymark.checks.application.patterns.go.defining import FUNCTIONS
from assaymark.checks.application.patterns.go.names import CARRIERS, CLEANERS, EMPTY, FILLS, FILTERS, HARMLESS, KEEPS, SOURCES
from assaymark.checks.application.patterns.go.nodes import fields, listed, named, only
from assaymark.checks.application.patterns.go.paths import Paths
from assaymark.checks.application.patterns.shapes import (
    Called,
    Computed,
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
from assaymark.checks.application.patterns.values import HARMLESS as NOTHING
from assaymark.checks.application.patterns.values import SETTING, UNKNOWN, Value, joined, made_safe

if TYPE_CHECKING:
    from tree_sitter import Node

_NUMBERS = frozenset({"int_literal", "float_literal", "imaginary_literal", "true", "false", "nil", "iota"})
_INNER = frozenset({
    "parenthesized_expression", "type_assertion_expression", "type_conversion_expression", "variadic_argument", "literal_element",
    "slice_expression",
})  # fmt: skip
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_VERB = re.compile(r"%[-+# 0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:\[(\d{1,3})\])?([a-zA-Z%])")
_PRINTED = re.compile(r"fmt\.(?:(?:Sp|Err|Fp)(?:rintf|orf)|Appendf)|(?:log|.*/logrus)\.(?:\w+\.)*\w+f|.*\.Printf")
_DIALECT = re.compile(r"(?:\b|[a-z])(?:db|DB|Db|[dD]atabase|[dD]ialect|[dD]river|[sS]chema|[cC]onfig|cfg|[oO]ptions|[sS]ettings)$")
"""What gives names of tables, types and functions: settings, no text of others."""
_SWITCHES = frozenset({"expression_switch_statement", "type_switch_statement", "select_statement"})
_CASES = frozenset({"expression_case", "type_case", "communication_case", "default_case"})
_TEXT_TYPES = frozenset({"string", "[]byte", "[]rune"})


class Go(Paths):
    """See `shapes.Speech`."""

    branches = frozenset({"if_statement", "for_statement", *_SWITCHES})
    rivals = frozenset({"if_statement", *_SWITCHES})
    bounds = frozenset(FUNCTIONS)
    harmless = HARMLESS

    def aliases(self) -> dict[str, str]:
        """Names of functions stay what they are under another name of their package."""
        return {}

    # --- values ------------------------------------------------------------------------------------------------------

    def shape(self, node: Node) -> Shape:  # noqa: C901, PLR0911, PLR0912 - one return per kind of node
        kind = node.type
        if kind == "interpreted_string_literal":
            return Literal("".join(self._piece(child) for child in node.named_children))
        if kind == "raw_string_literal":
            return Literal(self.text.of(node)[1:-1])
        if kind in _NUMBERS or kind == "rune_literal":
            return Literal(self.text.of(node).strip("'"))
        if kind == "identifier":
            return self._name(node)
        if kind in _INNER:
            inner = node.child_by_field_name("operand") or only(node)
            return Through(inner) if inner is not None else Opaque()
        if kind == "expression_list" and named(node):
            return Through(named(node)[0])
        if kind in ("binary_expression", "unary_expression"):
            return self._operation(node)
        if kind == "call_expression":
            return self._call(node)
        if kind == "selector_expression":
            return self._selection(node)
        if kind == "index_expression":
            return self._element(node)
        if kind == "composite_literal":
            if self.path(node) in EMPTY:
                return Literal("")
            return self._gathered(node.child_by_field_name("body") or node)
        if kind == "literal_value":
            return self._gathered(node)
        return Computed() if kind == "func_literal" else Opaque()

    def _piece(self, node: Node) -> str:
        written = self.text.of(node)
        return _SIMPLE_ESCAPES.get(written[1:2], written[1:]) if node.type == "escape_sequence" else written

    def _name(self, node: Node) -> Shape:
        """A variable; what this text does not define is of the package's other files, most likely a constant."""
        name = self.text.of(node)
        if self.homes(name) or name in self.imports:
            return Name(name)
        return Called(node, name, name, None, ())

    def _operation(self, node: Node) -> Shape:
        operator = self.text.of(node.child_by_field_name("operator") or node.children[0])
        if node.type == "unary_expression":
            operand = node.child_by_field_name("operand") or node
            return Through(operand) if operator in ("&", "*", "<-") else Computed(operator, (operand,))
        operands = fields(node, "left", "right")
        if operator == "+" and not all(each.type in _NUMBERS for each in operands):
            return Joined(operands)
        return Computed(operator, operands)

    def _call(self, node: Node) -> Shape:
        function, arguments = fields(node, "function", "arguments")
        args = named(arguments)
        if len(args) == 1 and (self.text.of(function) in _TEXT_TYPES or self._is_type(function)):
            return Through(args[0])
        return self.called(node)

    def _is_type(self, node: Node) -> bool:
        return (node.type == "identifier" and self.text.of(node) in self.types) or (
            node.type == "parenthesized_expression" and self.text.of(node).startswith("(*")
        )

    def _selection(self, node: Node) -> Shape:
        of, field = fields(node, "operand", "field")
        name = self.text.of(field)
        if of.type == "identifier" and self.text.of(of) in self.imports and not self.homes(self.text.of(of)):
            return Called(node, name, self.path(node), None, ())
        if name == "Filename" and re.search(r"FormFile\(\)|FileHeader", self.path(of)):
            return Called(node, name, f"{self.path(of)}.{name}", None, (of,))
        return Computed() if self.field_kind(node) in HARMLESS else Member(of, name)

    def _element(self, node: Node) -> Shape:
        operand, index = fields(node, "operand", "index")
        key = self.shape(index) if index != node else Opaque()
        return Member(operand, key.text if isinstance(key, Literal) else "")

    def _gathered(self, body: Node) -> Shape:
        rows = named(body)
        pairs = [(row.child_by_field_name("key"), row.child_by_field_name("value")) for row in rows if row.type == "keyed_element"]
        if pairs and len(pairs) == len(rows):
            keys = tuple(self.text.of(key).strip('"`') if key is not None else "" for key, _ in pairs)
            return Gathered(tuple(value if value is not None else body for _, value in pairs), keys)
        return Gathered(tuple(row for row in rows if row.type == "literal_element"))

    # --- sources and sanitisers --------------------------------------------------------------------------------------

    def source(self, node: Node, shape: Shape) -> str:
        path = ""
        if isinstance(shape, Called) and not shape.makes:
            path = shape.path
        elif isinstance(shape, Member) and node.type == "selector_expression":
            path = self.path(node)
        return path.rpartition("/")[2].replace("()", "") if SOURCES.fullmatch(path) else ""

    def cleans(self, call: Called) -> frozenset[str] | None:
        return next((safe for pattern, safe in CLEANERS if pattern.fullmatch(call.path)), None)

    def carries(self, call: Called) -> bool:
        return bool(CARRIERS.fullmatch(call.path))

    def filters(self, call: Called) -> bool:
        return bool(FILTERS.search(call.name))

    def is_local(self, call: Called) -> bool:
        head = call.path.rpartition(".")[0]
        return call.node.type == "call_expression" and not call.makes and (call.receiver is None or head in self.types)

    def result(self, call: Called, flow: Flow, depth: int) -> Value | None:  # noqa: PLR0911 - one return per kind of function
        if call.node.type != "call_expression":
            return UNKNOWN if call.path == "os.Args" else None if call.args else SETTING
        if _PRINTED.fullmatch(call.path) and call.args:
            return self._printed(call, flow, depth)
        if call.path == "new" and self.path(call.node) in EMPTY:
            return Value(text="")
        if call.path in ("fmt.Fprint", "fmt.Fprintln", "io.WriteString", "io.Copy"):
            return joined([flow.value(arg, depth) for arg in call.args[1:]])
        if call.path in ("path.Clean", "path/filepath.Clean", "path.Join", "path/filepath.Join") and call.args:
            return self._rooted(call, flow, depth)
        if call.path == "strings.Repeat" and call.args and flow.value(call.args[0], depth).text is not None:
            return NOTHING
        if FILLS.fullmatch(call.name):
            of = call.receiver if call.name in ("Decode", "DecodeJSON") else call.args[0] if call.args else None
            return flow.value(of, depth) if of is not None else UNKNOWN
        if call.receiver is not None and not call.args and _DIALECT.search(self.path(call.receiver)):
            return SETTING
        if call.receiver is not None and call.name in KEEPS:
            value = flow.value(call.receiver, depth)
            return value if value.foreign or value.built or value.text is not None else None
        return None

    def _printed(self, call: Called, flow: Flow, depth: int) -> Value:
        """Text by a format, in which numbers are no text of others."""
        at = 1 if call.name in ("Fprintf", "Appendf") else 0
        args = [flow.value(arg, depth) for arg in call.args[at:]]
        if not args or args[0].text is None:
            return joined(args) if args else UNKNOWN
        parts: list[Value] = []
        end, number = 0, 1
        text = args[0].text
        for match in _VERB.finditer(text):
            parts.append(Value(text=text[end : match.start()], prefix=text[end : match.start()]))
            end = match.end()
            if match[2] == "%":
                continue
            number = int(match[1] or number)
            value = args[number] if 0 < number < len(args) else NOTHING
            number += 1
            quoted = made_safe(value, frozenset({"log"})) if match[2] == "q" else value
            parts.append(quoted if match[2] in "svwq" else NOTHING)
        parts.append(Value(text=text[end:], prefix=text[end:]))
        return joined([part for part in parts if part.text != ""] or [Value(text="")])

    def _rooted(self, call: Called, flow: Flow, depth: int) -> Value:
        """``Clean("/" + x)`` leaves no way up; ``Clean(x)`` alone does."""
        value = joined([flow.value(arg, depth) for arg in call.args])
        return made_safe(value, frozenset({"path"})) if value.text is None and value.prefix == "/" else value

    # --- control flow ------------------------------------------------------------------------------------------------

    def arms(self, branch: Node) -> list[Node]:
        if branch.type in _SWITCHES:
            return [child for child in branch.named_children if child.type in _CASES]
        found = (branch.child_by_field_name(name) for name in ("consequence", "alternative", "body"))
        return [node for node in found if node is not None]

    def test_of(self, branch: Node, arm: Node) -> tuple[Node, bool | frozenset[str]] | None:
        if branch.type == "if_statement":
            condition = branch.child_by_field_name("condition")
            return None if condition is None else (condition, branch.child_by_field_name("consequence") == arm)
        subject = branch.child_by_field_name("value") if branch.type == "expression_switch_statement" else None
        if subject is None or arm.type != "expression_case":
            return None
        labels = [self.shape(each) for each in listed(arm.child_by_field_name("value"))]
        texts = frozenset(label.text for label in labels if isinstance(label, Literal))
        return (subject, texts) if len(texts) == len(labels) else None

    # --- functions ---------------------------------------------------------------------------------------------------

    def returns(self, function: Function) -> list[Node]:
        rows = self.text.captures("(return_statement (expression_list . (_) @value))", function.node).get("value", [])
        return self.inside(rows, function)
