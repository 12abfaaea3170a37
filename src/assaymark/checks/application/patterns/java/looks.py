"""Views of the tree around a word that several rules of Java need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.rules import Place

if TYPE_CHECKING:
    from tree_sitter import Node


def around(node: Node, *kinds: str, levels: int = 60) -> Node | None:
    """The nearest node of one of the kinds around another."""
    current: Node | None = node
    for _ in range(levels):
        if current is None or current.type in kinds:
            return current
        current = current.parent
    return None


def method_text(place: Place, node: Node) -> str:
    """The text of the method (or the initialiser of the field) around a node."""
    found = around(node, "method_declaration", "constructor_declaration", "field_declaration", "static_initializer")
    return place.speech.text.of(found if found is not None else node)


def statement_of(place: Place, node: Node) -> str:
    """The text of the statement around a node and the name of its method: where names tell what a value is for."""
    found = place.speech.text.outline.at(node.start_byte)
    return f"{found.scope[-1] if found.scope else ''} {found.statement[:400]}"


def annotation_at(leaf: Node) -> Node | None:
    """The annotation whose name the leaf is."""
    parent = leaf.parent
    if parent is not None and parent.type == "scoped_identifier":
        parent = parent.parent
    return parent if parent is not None and parent.type in ("annotation", "marker_annotation") else None


def empty_or_true(body: str) -> bool:
    """True for a block that does nothing or only answers yes."""
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", "", body, flags=re.DOTALL)
    return bool(re.fullmatch(r"\{\s*(?:return\s*(?:true|null)?\s*;|return\s+new\s+[\w.]+\s*\[\s*0?\s*\]\s*(?:\{\s*\})?\s*;)?\s*\}", bare))
