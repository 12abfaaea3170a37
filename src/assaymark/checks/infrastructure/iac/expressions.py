"""Reads Terraform expressions into functions of a scope (`evaluating`).

Guarantees: every expression of the language is taken, and reading is bounded in depth. Nothing outside of the given texts is read: files,
time and providers are unknown. Does not know what a name stands for: the scope does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assaymark.checks.infrastructure.iac.evaluating import Expression, Loop, Scope, Step, constant, every, follow, joined, reference
from assaymark.checks.infrastructure.iac.functions import call
from assaymark.checks.infrastructure.iac.operators import binary, unary
from assaymark.checks.infrastructure.iac.values import UNKNOWN, Unknown, Value, as_text, truth
from assaymark.checks.reading.yaml_tree import Unreadable

if TYPE_CHECKING:
    from tree_sitter import Node


DEEPEST = 100
"""Levels of an expression; real ones have fewer than twenty."""
_PLAIN = re.compile(rb'"[^"\\$%]*"\Z')
_NUMBER = re.compile(rb"-?\d{1,15}\Z")
_WORDS: dict[bytes, Value] = {b"true": True, b"false": False, b"null": None}
_NAMES = re.compile(rb"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*\Z")
_ESCAPE = re.compile(r'\\(?:n|r|t|"|\\|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|[$]{2}(?=\{)|%%(?=\{)')
_SIGN = re.compile(r"[$]{2}(?=\{)|%%(?=\{)")
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "$$": "$", "%%": "%"}


def compiled(node: Node, data: bytes, depth: int = 0) -> Expression:
    """The expression under a node; the common simple ones without looking into the tree.

    Raises:
        Unreadable: when it is nested too deeply.
    """
    text = data[node.start_byte : node.end_byte]
    if _PLAIN.match(text):
        return constant(text[1:-1].decode())
    if text in _WORDS:
        return constant(_WORDS[text])
    if _NUMBER.match(text):
        return constant(int(text))
    if _NAMES.match(text):
        root, *steps = text.decode().split(".")
        return reference(root, steps)
    return _Compiler(data).expression(node, depth)


class _Compiler:
    """Turns nodes into functions."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def _text(self, node: Node) -> str:
        return self._data[node.start_byte : node.end_byte].decode()

    def expression(self, node: Node, depth: int) -> Expression:
        """An ``expression`` node."""
        return self.sequence([child for child in node.children if child.type != "comment"], depth + 1)

    def sequence(self, nodes: Sequence[Node], depth: int) -> Expression:
        """A value and the steps behind it, as they stand side by side in the tree."""
        if depth > DEEPEST:
            line = nodes[0].start_point.row + 1 if nodes else 0
            raise Unreadable("nesting", f"line {line} is nested deeper than {DEEPEST} levels", line)
        nodes = [node for node in nodes if node.type not in {"(", ")"}]
        if not nodes:
            return constant(UNKNOWN)
        first, *rest = nodes
        steps = [step for node in rest for step in self._steps(node, depth)]
        if first.type == "variable_expr":
            return reference(self._text(first), steps)
        base = self._single(first, depth)
        if not steps:
            return base
        return lambda scope: follow(base(scope), steps, scope)

    def _steps(self, node: Node, depth: int) -> Iterator[Step]:
        kind = node.type
        if kind == "get_attr":
            yield self._text(node.named_children[-1])
        elif kind == "index":
            inner = node.named_children[0] if node.named_children else node
            inside = [child for child in inner.named_children if child.type != "comment"]
            if inner.type == "new_index" and inside:
                yield compiled(inside[0], self._data, depth + 1)
            else:
                digits = self._text(inner).strip(".[]")
                yield constant(int(digits) if digits.isdigit() else UNKNOWN)
        elif kind == "splat":
            yield every
            for child in node.named_children[0].named_children if node.named_children else ():
                yield from self._steps(child, depth)

    def _single(self, node: Node, depth: int) -> Expression:
        kind = node.type
        make = {
            "expression": self.expression,
            "literal_value": self._literal,
            "template_expr": self._inner,
            "quoted_template": self._template,
            "heredoc_template": self._heredoc,
            "collection_value": self._inner,
            "tuple": self._tuple,
            "object": self._object,
            "conditional": self._conditional,
            "operation": self._operation,
            "binary_operation": self._operation,
            "unary_operation": self._operation,
            "function_call": self._call,
            "for_expr": self._inner,
            "for_tuple_expr": self._for,
            "for_object_expr": self._for,
            "string_lit": self._template,
            "numeric_lit": self._literal,
            "bool_lit": self._literal,
            "null_lit": self._literal,
        }.get(kind)
        return make(node, depth) if make else constant(UNKNOWN)

    def _inner(self, node: Node, depth: int) -> Expression:
        inside = [child for child in node.named_children if child.type != "comment"]
        return self._single(inside[0], depth + 1) if inside else constant(UNKNOWN)

    def _literal(self, node: Node, depth: int) -> Expression:
        inside = node.named_children
        if inside and inside[0].type == "string_lit":
            return self._template(inside[0], depth)
        text = self._data[node.start_byte : node.end_byte]
        if text in _WORDS:
            return constant(_WORDS[text])
        try:
            return constant(float(text) if b"." in text or b"e" in text.lower() else int(text))
        except ValueError:
            return constant(UNKNOWN)

    def _template(self, node: Node, depth: int) -> Expression:
        inside = [child for child in node.named_children if child.type not in {"quoted_template_start", "quoted_template_end"}]
        return joined(list(self._parts(inside, depth, (node.start_byte + 1, node.end_byte - 1), escapes=True)))

    def _heredoc(self, node: Node, depth: int) -> Expression:
        names = [child for child in node.named_children if child.type == "heredoc_identifier"]
        inside = [child for child in node.named_children if not child.type.startswith("heredoc_")]
        start = self._data.find(b"\n", names[0].end_byte) + 1
        end = self._data.rfind(b"\n", start, names[-1].start_byte) + 1
        parts = list(self._parts(inside, depth, (start, max(start, end)), escapes=False))
        return joined(parts, dedent=self._text(node).startswith("<<-"), single=False)

    def _parts(self, nodes: Iterable[Node], depth: int, within: tuple[int, int], *, escapes: bool) -> Iterator[str | Expression]:
        """Texts and interpolations; the grammar leaves white space beside them out, so texts are cut from the source itself."""
        at, end = within
        for child in nodes:
            if child.type == "template_literal":
                continue
            yield from self._literal_text(at, child.start_byte, escapes=escapes)
            at = child.end_byte
            inside = [each for each in child.named_children if each.type == "expression"] if child.type == "template_interpolation" else []
            yield compiled(inside[0], self._data, depth + 1) if inside else constant(UNKNOWN)
        yield from self._literal_text(at, end, escapes=escapes)

    def _literal_text(self, start: int, end: int, *, escapes: bool) -> Iterator[str]:
        text = self._data[start:end].decode()
        if text:
            yield (_ESCAPE if escapes else _SIGN).sub(_unescaped, text) if "\\" in text or "{" in text else text

    def _tuple(self, node: Node, depth: int) -> Expression:
        items = [compiled(child, self._data, depth + 1) for child in node.named_children if child.type == "expression"]
        return lambda scope: [item(scope) for item in items]

    def _object(self, node: Node, depth: int) -> Expression:
        pairs: list[tuple[str | Expression, Expression]] = []
        for child in node.named_children:
            if child.type != "object_elem":
                continue
            key, value = child.child_by_field_name("key"), child.child_by_field_name("val")
            if key is not None and value is not None:
                name = self._text(key)
                plain = name.replace("-", "_").isidentifier()
                pairs.append((name if plain else compiled(key, self._data, depth + 1), compiled(value, self._data, depth + 1)))

        def evaluate(scope: Scope) -> Value:
            scope.tick()
            made: dict[str, Value] = {}
            for key, value in pairs:
                name = key if type(key) is str else key(scope)  # type: ignore[operator]
                if type(name) is Unknown:
                    return UNKNOWN
                made[as_text(name)] = value(scope)
            return made

        return evaluate

    def _conditional(self, node: Node, depth: int) -> Expression:
        parts = [compiled(child, self._data, depth + 1) for child in node.named_children if child.type == "expression"]
        if len(parts) != 3:
            return constant(UNKNOWN)
        condition, yes, no = parts

        def evaluate(scope: Scope) -> Value:
            scope.tick()
            known = truth(condition(scope))
            if known is not None:
                return yes(scope) if known else no(scope)
            # Unknown which one: what both sides agree on is known all the same.
            one, other = yes(scope), no(scope)
            return one if type(one) is type(other) and type(one) in (str, int, float, bool) and one == other else UNKNOWN

        return evaluate

    def _operation(self, node: Node, depth: int) -> Expression:
        if node.type == "operation":
            return self._inner(node, depth)
        children = [child for child in node.children if child.type != "comment"]
        at = next((n for n, child in enumerate(children) if not child.is_named and child.type not in {"(", ")"}), None)
        if at is None:
            return constant(UNKNOWN)
        sign = self._text(children[at])
        right = self.sequence(children[at + 1 :], depth + 1)
        if node.type == "unary_operation":
            return lambda scope: unary(sign, right(scope))
        left = self.sequence(children[:at], depth + 1)

        def evaluate(scope: Scope) -> Value:
            scope.tick()
            return binary(sign, left(scope), right(scope))

        return evaluate

    def _call(self, node: Node, depth: int) -> Expression:
        name = self._text(node.named_children[0])
        given = next((child for child in node.named_children if child.type == "function_arguments"), None)
        children = given.named_children if given is not None else []
        arguments = [compiled(child, self._data, depth + 1) for child in children if child.type == "expression"]
        spread = any(child.type == "ellipsis" for child in children)

        def evaluate(scope: Scope) -> Value:
            scope.tick()
            values = [argument(scope) for argument in arguments]
            if spread:
                if not values or type(values[-1]) is not list:
                    return UNKNOWN
                values = values[:-1] + values[-1]
            return call(name, values)

        return evaluate

    def _for(self, node: Node, depth: int) -> Expression:
        intro = next(child for child in node.named_children if child.type == "for_intro")
        names = [self._text(child) for child in intro.named_children if child.type == "identifier"]
        over = next((compiled(c, self._data, depth + 1) for c in intro.named_children if c.type == "expression"), constant(UNKNOWN))
        bodies = [compiled(child, self._data, depth + 1) for child in node.named_children if child.type == "expression"]
        condition = next((child for child in node.named_children if child.type == "for_cond"), None)
        test = self._inner_expression(condition, depth) if condition is not None else None
        grouped = any(child.type == "ellipsis" for child in node.named_children)
        if node.type == "for_tuple_expr" and len(bodies) == 1:
            return Loop(names, over, test, None, bodies[0])
        if node.type == "for_object_expr" and len(bodies) == 2 and not grouped:
            return Loop(names, over, test, bodies[0], bodies[1])
        return constant(UNKNOWN)

    def _inner_expression(self, node: Node, depth: int) -> Expression:
        inside = [child for child in node.named_children if child.type == "expression"]
        return compiled(inside[0], self._data, depth + 1) if inside else constant(UNKNOWN)


def _unescaped(found: re.Match[str]) -> str:
    text = found.group()
    if text[:2] in {"\\u", "\\U"}:
        code = int("0x" + text[2:], 0)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    return _ESCAPES[text]
