"""Views of the tree around a word that several rules of JavaScript need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.rules import Place

if TYPE_CHECKING:
    from tree_sitter import Node

_UP = 12
_SHORT = 240
"""Characters of a statement whose names all tell what its value is for."""


def around(node: Node, *kinds: str, levels: int = _UP) -> Node | None:
    """The nearest node of one of the kinds around another."""
    current: Node | None = node
    for _ in range(levels):
        if current is None or current.type in kinds:
            return current
        current = current.parent
    return None


def pair_at(place: Place) -> tuple[Node, Node] | None:
    """The entry of an object whose key the leaf is, with its value."""
    node: Node | None = place.leaf
    if node is not None and node.type == "string_fragment":
        node = node.parent
    pair = node.parent if node is not None else None
    if pair is None or pair.type != "pair" or pair.child_by_field_name("key") != node:
        return None
    value = pair.child_by_field_name("value")
    return None if value is None else (pair, value)


def entries(place: Place, node: Node) -> dict[str, Node]:
    """The entries of an object literal by key."""
    found: dict[str, Node] = {}
    for child in node.named_children[:200]:
        key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
        if child.type == "pair" and key is not None and value is not None:
            found[place.speech.text.of(key).strip("'\"")] = value
    return found


def assigned(place: Place) -> Iterator[tuple[Node, Node]]:
    """The assignment around the leaf: what is set, and the whole assignment."""
    node = around(place.leaf, "assignment_expression", "augmented_assignment_expression", "expression_statement")
    if node is not None and node.type != "expression_statement":
        left = node.child_by_field_name("left")
        if left is not None:
            yield left, node


def set_property(place: Place) -> tuple[Node, Node, Node] | None:
    """For a leaf that is the property of ``x.leaf = value``: assignment, object and value."""
    member = place.leaf.parent
    if member is None or member.type != "member_expression" or member.child_by_field_name("property") != place.leaf:
        return None
    assignment = member.parent
    if assignment is None or not assignment.type.endswith("assignment_expression") or assignment.child_by_field_name("left") != member:
        return None
    of, value = member.child_by_field_name("object"), assignment.child_by_field_name("right")
    return None if of is None or value is None else (assignment, of, value)


def in_call(place: Place, node: Node, *names: str) -> bool:
    """True when a node stands in the arguments of a call of one of the names (last parts)."""
    current: Node | None = node
    for _ in range(_UP):
        if current is None:
            return False
        if current.type in ("call_expression", "new_expression"):
            callee = current.child_by_field_name("function") or current.child_by_field_name("constructor")
            if callee is not None and place.speech.text.of(callee).rpartition(".")[2] in names:
                return True
        current = current.parent
    return False


def statement_of(place: Place, node: Node) -> str:
    """The text of the statement around a node and the name of its function: where names tell what a value is for."""
    found = place.speech.text.outline.at(node.start_byte)
    statement = found.statement
    if len(statement) > _SHORT:
        holder = around(node, "variable_declarator", "assignment_expression", "pair", "statement_block")
        statement = place.speech.text.of(holder)[:_SHORT] if holder is not None and holder.type != "statement_block" else ""
    return f"{found.scope[-1] if found.scope else ''} {statement}"


def purpose_of(place: Place, node: Node) -> str:
    """The name that a value is given and that of its function; without one, the statement when it is short."""
    found = place.speech.text.outline.at(node.start_byte)
    holder = around(
        node, "variable_declarator", "assignment_expression", "augmented_assignment_expression", "pair", "statement_block", levels=40
    )
    name = None
    if holder is not None:
        name = next((part for field in ("name", "left", "key") if (part := holder.child_by_field_name(field)) is not None), None)
    written = (
        place.speech.text.of(name)
        if name is not None
        else found.statement
        if len(found.statement) <= _SHORT and "=>" not in found.statement
        else ""
    )
    return f"{found.scope[-1] if found.scope else ''} {written}"
