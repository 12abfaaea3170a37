"""Where variables of PHP get their values, and the functions of a text."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.naming import Gathering
from assaymark.checks.application.patterns.php.names import FROM_REQUEST, HARMLESS
from assaymark.checks.application.patterns.shapes import Definition, Function
from assaymark.checks.application.patterns.text import Text

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = frozenset({"function_definition", "method_declaration", "anonymous_function", "arrow_function"})
_PLACES = frozenset({"member_access_expression", "subscript_expression", "scoped_property_access_expression"})
_LONGEST_NAME = 120
_DEFINITIONS = """
[(assignment_expression) (augmented_assignment_expression) (reference_assignment_expression)] @assigned
(foreach_statement) @each
[(simple_parameter) (property_promotion_parameter) (variadic_parameter)] @parameter
(property_declaration) @property
(static_variable_declaration name: (variable_name) @name value: (_) @value)
(catch_clause name: (variable_name) @caught)
(const_declaration (const_element (name) @name (_) @value))
(function_call_expression function: (name) @function) @call
"""
_NOT_TEXT = frozenset({"length", "size", "byteLength"})
"""Names that `flow` takes for numbers; an entry of an array may hold anything."""
_SETS = frozenset({"settype", "define"})


def named(node: Node) -> tuple[Node, ...]:
    """The children that are no marks and no comments."""
    return tuple(child for child in node.named_children if child.type != "comment")


def fields(node: Node, *names: str) -> tuple[Node, ...]:
    """Those of the fields that there are."""
    return tuple(found for name in names if (found := node.child_by_field_name(name)) is not None)


def last_word(written: str) -> str:
    """The name without its namespace."""
    return written.rpartition("\\")[2].strip()


def keyed(of: str, key: str) -> str:
    """The name of an element or property as a variable of its own; nothing when it has none."""
    return f"{of}{key}" if key and len(of) < _LONGEST_NAME and re.fullmatch(r"[$\w>\[\]-]+", of) else ""


class Definitions(Gathering):
    """The part of `speech.Php` that gathers."""

    comment_query = "(comment) @c"
    bounds = FUNCTIONS
    harmless = HARMLESS

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.classes = {name.decode() for name in re.findall(rb"\b(?:class|trait|enum)\s+(\w+)", text.content)}

    # --- elements ----------------------------------------------------------------------------------------------------

    def key_of(self, node: Node | None) -> str:
        """``[key]`` for a constant key, nothing for another."""
        if node is None:
            return ""
        written = self.text.of(node)
        if node.type in ("string", "encapsed_string"):
            written = written[1:-1]
            return f"[{written}]" if re.fullmatch(r"[\w.:/ -]{1,60}", written) else ""
        return f"[{last_word(written)}]" if node.type in ("integer", "name", "class_constant_access_expression", "qualified_name") else ""

    def parts_of(self, node: Node) -> tuple[Node | None, str]:
        """What an element or property belongs to, and its key as ``[key]`` or ``->key``."""
        if node.type == "subscript_expression":
            inner = named(node)
            return (inner[0] if inner else None), self.key_of(inner[1] if len(inner) > 1 else None)
        name = node.child_by_field_name("name")
        return node.child_by_field_name("object"), f"->{self.text.of(name)}" if name is not None and name.type == "name" else ""

    def bare(self, key: str) -> str:
        """The key without its marks."""
        name = key[1:-1] if key.startswith("[") else key[2:]
        return f"'{name}" if name in _NOT_TEXT else name

    # --- types -------------------------------------------------------------------------------------------------------

    def type_of(self, name: str, at: int) -> str:
        """The declared type of a variable, or the class of what it was made as, from the nearest place before."""
        rows = self._kinds.get(name)
        if not rows:
            return ""
        function = self.functions_around(at)
        start = function[-1].start if function and not name.startswith("$this->") else 0
        return next((kind for place, kind in reversed(rows) if start <= place < at), rows[0][1] if name.startswith("$this->") else "")

    @cached_property
    def _kinds(self) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        for name, rows in self.definitions().items():
            for row in rows:
                kind = row.kind
                if row.value is not None and row.value.type == "object_creation_expression":
                    made = next((child for child in row.value.named_children if child.type in ("name", "qualified_name")), None)
                    kind = last_word(self.text.of(made)) if made is not None else ""
                if kind and kind[0].isupper():
                    found.setdefault(name, []).append((row.at, kind))
        return found

    def _kind(self, node: Node | None) -> str:
        """The last word of a type; nothing for one of several."""
        written = self.text.of(node).strip("?") if node is not None else ""
        words = [last_word(word) for word in written.split("|") if word.lower() != "null"]
        return words[0] if len(words) == 1 or (all(word in HARMLESS for word in words) and words) else ""

    # --- definitions -------------------------------------------------------------------------------------------------

    def define(self) -> list[Definition]:
        found: list[Definition] = []
        declared: list[Definition] = []
        for _, captured in self.text.matches(_DEFINITIONS):
            for node in captured.get("assigned", ()):
                found += self._assigned(node)
            for node in captured.get("each", ()):
                found += self._each(node)
            for node in captured.get("parameter", ()):
                found += self._parameter(node)
            for node in captured.get("property", ()):
                declared += self._property(node)
            for node in captured.get("call", ()):
                found += self._set_by(node, self.text.of(captured["function"][0]))
            for name in captured.get("caught", ()):
                found.append(Definition(self.text.of(name), name.start_byte, None, name, how="parameter"))
            if "value" in captured:
                name = captured["name"][0]
                found.append(Definition(self.text.of(name), name.start_byte, captured["value"][0], name))
        set_elsewhere = {row.name for row in found}
        return found + [row if row.name not in set_elsewhere else self._open(row) for row in declared]

    def _open(self, row: Definition) -> Definition:
        """The declaration of a property that is set elsewhere: nobody knows when."""
        return Definition(row.name, row.at, None, row.node, kind=row.kind)

    def _assigned(self, node: Node) -> list[Definition]:
        left, value = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None:
            named_ones = named(node)
            left, value = (named_ones[0], named_ones[-1]) if len(named_ones) > 1 else (None, None)
        if left is None or value is None:
            return []
        operator = node.child_by_field_name("operator")
        joins = operator is not None and self.text.of(operator) == ".="
        if node.type == "augmented_assignment_expression" and not joins and (operator is None or self.text.of(operator) != "??="):
            return list(self._placed(left, node, "set"))
        return list(self._placed(left, value, "add" if joins or operator is not None else "set"))

    def _placed(self, left: Node, value: Node, how: str) -> list[Definition]:
        if left.type == "variable_name":
            return [Definition(self.text.of(left), left.start_byte, value, left, how=how)]
        if left.type == "list_literal":
            return self._listed(left, value)
        if left.type not in _PLACES:
            return []
        if left.type == "scoped_property_access_expression":
            return [Definition(self.text.of(left), left.start_byte, value, left, how=how)]
        of, key = self.parts_of(left)
        name = keyed(self.text.of(of), key) if of is not None else ""
        found = [Definition(name, left.start_byte, value, left, how=how)] if name else []
        if left.type == "subscript_expression" and of is not None and of.type in ("variable_name", *_PLACES):
            whole = self.text.of(of)
            if not whole.startswith(("$_", "$GLOBALS")) and len(whole) < _LONGEST_NAME:
                found.append(Definition(whole, of.start_byte, value, of, how="add"))
        return found

    def _listed(self, left: Node, value: Node) -> list[Definition]:
        found: list[Definition] = []
        key = ""
        for child in named(left):
            if child.type == "variable_name":
                found.append(Definition(self.text.of(child), child.start_byte, value, child, member=key))
                key = ""
            else:
                key = self.bare(self.key_of(child)) if self.key_of(child) else ""
        return found

    def _each(self, node: Node) -> list[Definition]:
        parts = [child for child in named(node) if child != node.child_by_field_name("body")]
        if len(parts) < 2:
            return []
        targets = named(parts[1]) if parts[1].type == "pair" else (parts[1],)
        found: list[Definition] = []
        for target in targets:
            inner = named(target)[0] if target.type == "by_ref" and named(target) else target
            if inner.type == "variable_name":
                found.append(Definition(self.text.of(inner), inner.start_byte, parts[0], inner, how="each"))
            elif inner.type == "list_literal":
                found += self._listed(inner, parts[0])
        return found

    def _parameter(self, node: Node) -> list[Definition]:
        name = node.child_by_field_name("name")
        if name is None:
            return []
        if name.type == "by_ref" and named(name):
            name = named(name)[0]
        kind = self._kind(node.child_by_field_name("type"))
        attributes = node.child_by_field_name("attributes")
        words = re.findall(r"\w+", self.text.of(attributes)) if attributes is not None else []
        asked = next((word for word in words if word in FROM_REQUEST), "")
        row = Definition(self.text.of(name), name.start_byte, None, name, how="parameter", kind=kind, source=f"#[{asked}]" if asked else "")
        if node.type != "property_promotion_parameter":
            return [row]
        return [row, Definition(f"$this->{row.name[1:]}", name.start_byte, name, name, kind=kind)]

    def _property(self, node: Node) -> list[Definition]:
        kind = self._kind(node.child_by_field_name("type"))
        static = any(child.type == "static_modifier" for child in node.children)
        found: list[Definition] = []
        for each in node.named_children:
            name = each.child_by_field_name("name") if each.type == "property_element" else None
            if name is not None:
                written = self.text.of(name)
                names = (f"self::{written}", f"static::{written}") if static else (f"$this->{written[1:]}",)
                value = each.child_by_field_name("default_value")
                found += [Definition(title, name.start_byte, value, name, kind=kind) for title in names]
        return found

    def _set_by(self, call: Node, function: str) -> list[Definition]:
        """``settype($x, …)``, ``define("X", …)``: functions that set what they are given."""
        listed = call.child_by_field_name("arguments")
        args = [named(each)[-1] for each in named(listed) if named(each)] if function in _SETS and listed is not None else []
        if len(args) < 2:
            return []
        first = args[0]
        if function == "settype" and first.type == "variable_name":
            kind = self.text.of(args[1]).strip("'\"").lower()
            return [Definition(self.text.of(first), first.start_byte, call, first, kind=kind)] if kind in HARMLESS else []
        if function == "define" and first.type in ("string", "encapsed_string"):
            return [Definition(self.text.of(first)[1:-1], first.start_byte, args[1], first)]
        return []

    # --- functions ---------------------------------------------------------------------------------------------------

    def find_functions(self) -> list[Function]:
        query = "[" + " ".join(f"({kind})" for kind in sorted(FUNCTIONS)) + "] @f"
        return [self._function(node) for node in self.text.captures(query).get("f", [])]

    def _function(self, node: Node) -> Function:
        name, listed = node.child_by_field_name("name"), node.child_by_field_name("parameters")
        rows = [self._parameter(each) for each in named(listed)] if listed is not None else []
        names = tuple(row[0].name if row else "" for row in rows)
        return Function(node.start_byte, node.end_byte, self.text.of(name) if name is not None else "", names, node)

    def returns(self, function: Function) -> list[Node]:
        body = function.node.child_by_field_name("body")
        if function.node.type == "arrow_function" and body is not None:
            return [body]
        return self.inside(self.text.captures("(return_statement (_) @value)", function.node).get("value", []), function)
