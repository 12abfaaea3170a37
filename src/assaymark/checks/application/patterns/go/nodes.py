"""Small views of nodes of Go's grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


def named(node: Node) -> tuple[Node, ...]:
    """The children that are no marks and no comments."""
    return tuple(child for child in node.named_children if child.type != "comment")


def fields(node: Node, *names: str) -> tuple[Node, ...]:
    """The fields, for which the node itself stands in where broken text has none."""
    return tuple(node.child_by_field_name(name) or node for name in names)


def only(node: Node) -> Node | None:
    """The last child, for nodes that hold one other."""
    rows = named(node)
    return rows[-1] if rows else None


def listed(node: Node | None) -> tuple[Node, ...]:
    """The expressions of a list of expressions."""
    if node is None:
        return ()
    return named(node) if node.type == "expression_list" else (node,)
