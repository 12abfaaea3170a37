"""Ways through a YAML tree that readers of pipelines share. None of them fails on a node of another kind."""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.model.finding import Span


def at(node: Node | None, *names: str) -> Node | None:
    """The value at a path of keys, None when there is none."""
    for name in names:
        node = node.get(name) if isinstance(node, Keyed) else None
    return node


def text_at(node: Node | None, *names: str) -> str:
    """The text at a path of keys, empty when there is none."""
    return scalar_text(at(node, *names))


def entries(node: Node | None) -> list[Node]:
    """The entries of a sequence; a single value counts as a sequence of itself."""
    if isinstance(node, Items):
        return node.entries
    return [] if node is None else [node]


def pairs(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    """The named entries of a mapping."""
    if isinstance(node, Keyed):
        yield from node.named()


def merged(node: Keyed, name: str) -> Node | None:
    """The value of a key, or else what one of the mappings has that are merged into this one."""
    own = node.get(name)
    if own is not None:
        return own
    return next((found for base in entries(node.get("<<"))[:30] if (found := at(base, name)) is not None), None)


def key_span(node: Keyed, name: str) -> Span:
    """Where a key stands, else where the mapping begins."""
    return next((key.span for key, _ in node.named() if key.text == name), node.span)
