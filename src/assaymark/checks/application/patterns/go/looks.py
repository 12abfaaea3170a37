"""Views of the tree around a word that several rules of Go need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.go.names import GUARD
from assaymark.checks.application.patterns.go.speech import Go
from assaymark.checks.application.patterns.rules import LEAST, Hit, Place, Rule
from assaymark.checks.application.patterns.shapes import Called

if TYPE_CHECKING:
    from tree_sitter import Node

_NAME = re.compile(r"(?<![\w.\"'`])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_LONGEST = 12_000
_HEAD = 400


def speech_of(place: Place) -> Go:
    """The speech, which for these rules is always that of Go."""
    if not isinstance(place.speech, Go):
        raise TypeError(type(place.speech))
    return place.speech


def around(node: Node, *kinds: str, levels: int = 60) -> Node | None:
    """The nearest node of one of the kinds around another."""
    current: Node | None = node
    for _ in range(levels):
        if current is None or current.type in kinds:
            return current
        current = current.parent
    return None


def function_text(place: Place, node: Node) -> str:
    """The text of the function around a node, or of the declaration where there is none; of a long one its head and what is near."""
    found = around(node, "function_declaration", "method_declaration") or around(node, "var_declaration", "const_declaration")
    outer = found if found is not None else node
    content, start, end = place.speech.text.content, outer.start_byte, outer.end_byte
    if end - start <= _LONGEST:
        return place.speech.text.of(outer)
    near = max(start + _HEAD, node.start_byte - _LONGEST // 2)
    piece = content[start : start + _HEAD] + b"\n" + content[near : min(end, near + _LONGEST)]
    return piece.decode("utf-8", "replace")


def statement_of(place: Place, node: Node) -> str:
    """The text of the statement around a node and the name of its function: where names tell what a value is for."""
    found = place.speech.text.outline.at(node.start_byte)
    return f"{found.scope[-1] if found.scope else ''} {found.statement[:400]}"


def entries(place: Place, made: Node) -> dict[str, Node]:
    """The fields of a structure that is made, by name."""
    body = made.child_by_field_name("body")
    found: dict[str, Node] = {}
    for child in body.named_children[:200] if body is not None else ():
        key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
        if child.type == "keyed_element" and key is not None and value is not None:
            found[place.speech.text.of(key)] = value
    return found


def field_set(place: Place) -> Iterator[tuple[Node, Node]]:
    """For a leaf that names a field which gets a value: the whole setting, and the value."""
    node = place.leaf.parent
    if node is not None and node.type == "literal_element" and node.parent is not None and node.parent.type == "keyed_element":
        pair = node.parent
        value = pair.child_by_field_name("value")
        if pair.child_by_field_name("key") == node and value is not None:
            yield pair, value
    elif node is not None and node.type == "selector_expression" and node.parent is not None:
        assignment = node.parent.parent
        if assignment is not None and assignment.type == "assignment_statement" and node.parent.named_child_count == 1:
            right = assignment.child_by_field_name("right")
            if assignment.child_by_field_name("left") == node.parent and right is not None and right.named_child_count == 1:
                yield assignment, right.named_children[0]


def of_type(place: Place) -> str:
    """The type of the structure whose field the leaf names, as far as it is known."""
    made = around(place.leaf, "composite_literal", levels=6)
    speech = speech_of(place)
    if made is not None:
        return speech.type_path(made.child_by_field_name("type"))
    parent = place.leaf.parent
    return speech.path(parent.child_by_field_name("operand")) if parent is not None else ""


def set_later(place: Place, made: Node, field: str) -> bool:
    """True when the function sets the field after the structure was made."""
    return bool(re.search(rf"\.{field}\s*=[^=]", function_text(place, made)))


def asked_before(place: Place, call: Called) -> bool:
    """True when a name in the arguments was asked about before in the function: perhaps against a list of what is allowed."""
    names = {name for arg in call.args for name in _NAME.findall(place.speech.text.of(arg)[:400])} - {
        "w",
        "r",
        "c",
        "ctx",
        "fmt",
        "http",
        "os",
    }
    functions = place.speech.functions_around(call.node.start_byte)
    start = functions[0].start if functions else 0
    before = place.speech.text.content[max(start, call.node.start_byte - 4_000) : call.node.start_byte].decode("utf-8", "replace")
    return any(
        re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", match[0].partition("{")[0])
        for match in GUARD.finditer(before)
        if _is_asked(before, match.start())
        for name in names
    )


def _is_asked(before: str, at: int) -> bool:
    """True when a condition or an assignment (whose result is asked) stands before it on its line."""
    line = before[before.rfind("\n", 0, at) + 1 : at]
    return bool(re.search(r"\bif\b|\bcase\b|=|!", line))


def watched(rule: Rule) -> Rule:
    """The same rule, less sure where the value was asked about before."""

    def look(place: Place) -> Iterator[Hit]:
        for hit in rule.look(place):
            asked = place.call is not None and asked_before(place, place.call)
            yield replace(hit, less=hit.less + LEAST) if asked else hit

    return Rule(rule.id, rule.words, look, rule.message, rule.advice)


def in_production(rule: Rule) -> Rule:
    """The same rule, less sure in a file that imports ``testing``: what it does, it does to itself."""

    def look(place: Place) -> Iterator[Hit]:
        tests = "testing" in speech_of(place).imports.values()
        for hit in rule.look(place):
            yield replace(hit, less=hit.less + LEAST) if tests else hit

    return Rule(rule.id, rule.words, look, rule.message, rule.advice)
