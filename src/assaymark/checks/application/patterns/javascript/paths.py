"""Calls, dotted names and imports of JavaScript and TypeScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.naming import Gathering
from assaymark.checks.application.patterns.shapes import Called

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.text import Text

INNER = frozenset({
    "parenthesized_expression", "await_expression", "non_null_expression", "as_expression", "satisfies_expression",
    "type_assertion", "spread_element", "jsx_expression", "sequence_expression", "template_substitution"
})  # fmt: skip
_DEEPEST_PATH = 16
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Naming(Gathering):
    """What things are called in one text."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self._aliases: dict[str, str] = {}
        self._gathered = False

    # --- calls and paths ---------------------------------------------------------------------------------------------

    def call_at(self, leaf: Node) -> Called | None:
        node, parent = leaf, leaf.parent
        if parent is not None and parent.type == "import":
            node, parent = parent, parent.parent
        if leaf.type == "string_fragment":
            node, parent = self._module_called(leaf)
        elif leaf.type not in ("identifier", "property_identifier", "import", "private_property_identifier"):
            return None
        if parent is not None and parent.type == "member_expression" and parent.child_by_field_name("property") == node:
            node, parent = parent, parent.parent
        while parent is not None and parent.type in ("non_null_expression", "parenthesized_expression"):
            node, parent = parent, parent.parent
        if parent is None or parent.type not in ("call_expression", "new_expression"):
            return None
        return self.called(parent) if self.callee(parent) == node else None

    def _module_called(self, leaf: Node) -> tuple[Node, Node | None]:
        """For the name in ``require('name')(…)``: the call of `require`, and what is around it."""
        node: Node | None = leaf
        for kind in ("string_fragment", "string", "arguments"):
            if node is None or node.type != kind:
                return leaf, None
            node = node.parent
        return (node, node.parent) if node is not None and node.type == "call_expression" else (leaf, None)

    @staticmethod
    def callee(call: Node) -> Node | None:
        return call.child_by_field_name("function") or call.child_by_field_name("constructor")

    def called(self, node: Node) -> Called:
        callee = self.callee(node)
        arguments = node.child_by_field_name("arguments")
        args = () if arguments is None else (arguments,) if arguments.type == "template_string" else named(arguments)
        path = self.path(callee) if callee is not None else "?"
        receiver = callee.child_by_field_name("object") if callee is not None and callee.type == "member_expression" else None
        return Called(node, path.rpartition(".")[2], path, receiver, args, node.type == "new_expression")

    def path(self, node: Node | None, depth: int = 0) -> str:  # noqa: PLR0911 - one return per kind of node
        """What an expression is called: dotted, imports resolved."""
        if node is None or depth > _DEEPEST_PATH:
            return "?"
        match node.type:
            case "identifier" | "undefined":
                name = self.text.of(node)
                return self.aliases().get(name, name)
            case "this" | "super" | "import":
                return node.type
            case "member_expression":
                name = self.text.of(node.child_by_field_name("property") or node)
                return f"{self.path(node.child_by_field_name('object'), depth + 1)}.{name}"
            case "subscript_expression":
                index = node.child_by_field_name("index")
                key = self.string(index) if index is not None and index.type == "string" else "[]"
                return f"{self.path(node.child_by_field_name('object'), depth + 1)}.{key}"
            case "call_expression" | "new_expression":
                return self._path_of_call(node, depth)
        if node.type in INNER and node.named_child_count:
            return self.path(inner(node), depth + 1)
        return "?"

    def _path_of_call(self, node: Node, depth: int) -> str:
        callee = self.callee(node)
        arguments = node.child_by_field_name("arguments")
        args = named(arguments) if arguments is not None else ()
        name = self.text.of(callee) if callee is not None else "?"
        if name in ("require", "import") and args and args[0].type == "string":
            return self.string(args[0]).removeprefix("node:")
        if name.endswith("promisify") and args:
            return self.path(args[0], depth + 1)
        return f"{self.path(callee, depth + 1)}()"

    def aliases(self) -> dict[str, str]:
        """Filled on the first question; while it is filled, `path` already uses what is there."""
        if not self._gathered:
            self._gathered = True
            for word, leaf in self.text.leaves(["require", "import", "promisify"]):
                statement = leaf.parent
                if statement is not None and statement.type == "import_statement":
                    self._aliases.update(self._imported(statement))
                elif word != "import":
                    self._aliases.update(self._required(leaf))
        return self._aliases

    def _imported(self, statement: Node) -> Iterator[tuple[str, str]]:
        source = statement.child_by_field_name("source")
        if source is None:
            source = next((s for n in statement.named_children if (s := n.child_by_field_name("source")) is not None), None)
        if source is None:
            return
        module = self.string(source).removeprefix("node:")
        for clause in statement.named_children:
            for part in clause.named_children:
                if part.type == "identifier":
                    yield self.text.of(part), module
                elif part.type == "namespace_import" and part.named_child_count:
                    yield self.text.of(part.named_children[0]), module
                elif part.type == "named_imports":
                    for specifier in part.named_children:
                        name = specifier.child_by_field_name("name")
                        alias = specifier.child_by_field_name("alias") or name
                        if name is not None and alias is not None:
                            yield self.text.of(alias), f"{module}.{self.text.of(name)}"

    def _required(self, leaf: Node) -> Iterator[tuple[str, str]]:
        node = leaf.parent
        for _ in range(6):
            if node is None:
                return
            if node.type == "variable_declarator":
                break
            if node.type not in (*INNER, "member_expression", "call_expression"):
                return
            node = node.parent
        if node is None or node.type != "variable_declarator":
            return
        value, name = node.child_by_field_name("value"), node.child_by_field_name("name")
        path = self.path(value)
        if name is not None and name.type == "identifier":
            yield self.text.of(name), path
        elif name is not None:
            for local, member in self.pattern(name):
                yield self.text.of(local), f"{path}.{member}" if member else path

    def string(self, node: Node) -> str:
        if node.type == "string":
            parts = [self.text.of(c) if c.type == "string_fragment" else escaped(self.text.of(c)) for c in node.named_children]
            return "".join(parts)
        return self.text.of(node).strip("'\"`")

    def pattern(self, pattern: Node) -> Iterator[tuple[Node, str]]:
        """The names in a binding pattern, each with the property that it takes."""
        match pattern.type:
            case "identifier" | "shorthand_property_identifier_pattern":
                yield pattern, self.text.of(pattern) if pattern.type.startswith("short") else ""
            case "pair_pattern":
                key, value = pattern.child_by_field_name("key"), pattern.child_by_field_name("value")
                for node, _ in self.pattern(value) if value is not None else ():
                    yield node, self.text.of(key) if key is not None else ""
            case "required_parameter" | "optional_parameter":
                inner = pattern.child_by_field_name("pattern")
                yield from self.pattern(inner) if inner is not None else ()
            case "assignment_pattern" | "object_assignment_pattern":
                left = pattern.child_by_field_name("left")
                yield from self.pattern(left) if left is not None else ()
            case "object_pattern" | "array_pattern" | "rest_pattern":
                for child in named(pattern)[:200]:
                    yield from self.pattern(child)


def named(node: Node) -> tuple[Node, ...]:
    """The children that are no marks and no comments."""
    return tuple(child for child in node.named_children if child.type != "comment")


def inner(node: Node) -> Node:
    """The expression inside; of a comma expression the last, of a cast the value."""
    children = named(node)
    if not children:
        return node
    if node.type in ("as_expression", "satisfies_expression"):
        return children[0]
    return children[-1]


def fields(node: Node, *names: str) -> tuple[Node, ...]:
    """Those of the fields that there are."""
    return tuple(found for name in names if (found := node.child_by_field_name(name)) is not None)


def escaped(text: str) -> str:
    """What an escape sequence stands for."""
    return _ESCAPES.get(text[1:2], text[1:])
