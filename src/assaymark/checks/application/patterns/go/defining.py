"""Where variables of Go get their values, and its functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.go.names import ASKING, EMPTY, FILLS, GROWS
from assaymark.checks.application.patterns.go.nodes import listed, named
from assaymark.checks.application.patterns.shapes import Definition, Function

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.go.paths import Paths

FUNCTIONS = ("function_declaration", "method_declaration", "func_literal")
_QUERY = """
(short_var_declaration left: (_) @left right: (_) @right) @set
(assignment_statement left: (_) @left operator: _ @operator right: (_) @right) @set
(receive_statement left: (_) @left right: (_) @right) @set
(var_spec) @spec
(const_spec) @spec
(range_clause left: (_) @left right: (_) @each)
(type_switch_statement alias: (_) @left value: (_) @right) @set
(parameter_declaration) @parameter
(variadic_parameter_declaration) @parameter
(unary_expression operator: "&" operand: (identifier) @pointed)
"""
_ADDS = re.compile(r"\.(?:Fprint\w*|WriteString|Copy)$")
_CHANGES = re.compile(rb"\.(" + "|".join([*sorted(GROWS), "Fprint(?:f|ln)?", "Copy", FILLS.pattern]).encode() + rb")\(")
_LAST = {"err": "error", "ok": "bool", "found": "bool", "exists": "bool"}
"""Names of second results that hold no text."""


def defined(speech: Paths) -> list[Definition]:
    """All of one text."""
    found: list[Definition] = []
    for _, captured in speech.text.matches(_QUERY):
        for node in captured.get("spec", ()):
            found += _spec(speech, node)
        for node in captured.get("parameter", ()):
            found += _parameter(speech, node)
        if "left" in captured:
            found += _assigned(speech, captured)
        for node in captured.get("pointed", ()):
            found += _given(speech, node)
    return found + _changed(speech)


def _given(speech: Paths, name: Node) -> Iterator[Definition]:
    """``f(&x)`` may set ``x``."""
    arguments = name.parent.parent if name.parent is not None else None
    call = arguments.parent if arguments is not None and arguments.type == "argument_list" else None
    function = call.child_by_field_name("function") if call is not None else None
    if call is None or function is None or _ADDS.search(speech.text.of(function)[-40:]):
        return
    yield Definition(speech.text.of(name), name.start_byte, call, name, how="given")


def _changed(speech: Paths) -> list[Definition]:
    """What methods do to variables. By words: a query for calls takes the square of the time where thousands of them are chained."""
    found: list[Definition] = []
    words = {match.decode() for match in _CHANGES.findall(speech.text.content)}
    for word, leaf in speech.text.leaves(words):
        function = leaf.parent
        call = function.parent if function is not None and function.type == "selector_expression" else None
        if call is not None and call.type == "call_expression" and call.child_by_field_name("function") == function:
            found += _filled(speech, call, word)
    return found


def _assigned(speech: Paths, captured: dict[str, list[Node]]) -> Iterator[Definition]:
    names = listed(captured["left"][0])
    (side,) = captured.get("right") or captured["each"]
    values = listed(side)
    joins = "operator" in captured and speech.text.of(captured["operator"][0]) == "+="
    how = "each" if "each" in captured else "add" if joins else "set"
    for at, name in enumerate(names):
        value = values[at] if len(values) == len(names) else values[0] if values else None
        if name.type == "identifier":
            text = speech.text.of(name)
            second = _LAST.get(text, "") if at and len(values) != len(names) else ""
            if text != "_":
                yield Definition(text, name.start_byte, value, name, how=how, kind=second)
        elif name.type == "index_expression" and value is not None:
            base = name.child_by_field_name("operand")
            if base is not None and base.type == "identifier":
                yield Definition(speech.text.of(base), base.start_byte, value, base, how="add")


def _spec(speech: Paths, node: Node) -> Iterator[Definition]:
    kind = node.child_by_field_name("type")
    values = listed(node.child_by_field_name("value"))
    names = node.children_by_field_name("name")
    for at, name in enumerate(names):
        value = values[at] if len(values) == len(names) else values[0] if values else None
        path = speech.type_path(kind) if kind is not None else ""
        how = "set" if value is not None or _outside(node) else "empty" if path in EMPTY else "declared"
        if name.type == "identifier" and speech.text.of(name) != "_":
            yield Definition(speech.text.of(name), name.start_byte, value, name, how=how, kind=path)


def _outside(node: Node) -> bool:
    """True for what stands in no function: others may set it."""
    current = node.parent
    for _ in range(6):
        if current is None or current.type == "source_file":
            return True
        if current.type in ("block", "statement_list"):
            return False
        current = current.parent
    return False


def _parameter(speech: Paths, node: Node) -> Iterator[Definition]:
    kind = node.child_by_field_name("type")
    path = speech.type_path(kind)
    if node.type == "variadic_parameter_declaration":
        path = f"[]{path}" if path in ("string", "byte", "any", "int") else path
    if path == "net/http.Request" and _asks(speech, node):
        path = "net/http.Request of a client"
    for name in node.children_by_field_name("name"):
        yield Definition(speech.text.of(name), name.start_byte, None, name, how="parameter", kind=path)


def _asks(speech: Paths, parameter: Node) -> bool:
    """True for the parameter of a function that sends the request."""
    listed_ = parameter.parent
    function = listed_.parent if listed_ is not None else None
    name = function.child_by_field_name("name") if function is not None else None
    if name is None and function is not None and function.type == "func_literal":
        holder = function.parent
        text = speech.text.of(holder)[:80] if holder is not None and holder.type in ("keyed_element", "literal_element") else ""
        return text.partition(":")[0].strip() in ASKING
    return name is not None and speech.text.of(name) in ASKING


def _filled(speech: Paths, call: Node, name: str) -> Iterator[Definition]:
    """``Decode(&x)`` gives ``x`` a value, ``b.WriteString(x)`` and ``fmt.Fprintf(&b, …)`` add to ``b``."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    base = function.child_by_field_name("operand") if function is not None else None
    args = named(arguments) if arguments is not None else ()
    if base is None or not args:
        return
    if name in GROWS and base.type == "identifier":
        yield Definition(speech.text.of(base), base.start_byte, args[-1], base, how="add")
    elif name in ("Fprintf", "Fprint", "Fprintln", "WriteString", "Copy"):
        target = args[0].child_by_field_name("operand") if args[0].type == "unary_expression" else args[0]
        if target is not None and target.type == "identifier" and len(args) > 1:
            yield Definition(speech.text.of(target), target.start_byte, call, target, how="add")
    elif FILLS.fullmatch(name) and args[-1].type == "identifier":
        yield Definition(speech.text.of(args[-1]), args[-1].start_byte, call, args[-1], how="given")


def functions_of(speech: Paths) -> list[Function]:
    query = "[" + " ".join(f"({kind})" for kind in FUNCTIONS) + "] @f"
    return [_function(speech, node) for node in speech.text.captures(query).get("f", [])]


def _function(speech: Paths, node: Node) -> Function:
    name, parameters = node.child_by_field_name("name"), node.child_by_field_name("parameters")
    names: list[str] = []
    for each in named(parameters) if parameters is not None else ():
        names += [speech.text.of(one) for one in each.children_by_field_name("name")] or [""]
    called = speech.text.of(name) if name is not None else ""
    return Function(node.start_byte, node.end_byte, called, tuple(names), node)
