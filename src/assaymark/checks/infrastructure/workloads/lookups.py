"""Values in a YAML tree by their names, as Kubernetes and compose read them.

Guarantees: merge keys (``<<``) are followed within a bound, and every answer is a node of the text, so it has a position.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar

MERGES_AT_MOST = 30
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})


def child(node: Node | None, name: str) -> Node | None:
    """The value of a key: the mapping's own, else that of what is merged into it."""
    if not isinstance(node, Keyed):
        return None
    found = node.get(name)
    if found is not None or node.get("<<") is None:
        return found
    return _merged(node, name)


def _merged(node: Keyed, name: str) -> Node | None:
    waiting: list[Node | None] = [node]
    asked: set[int] = set()
    while waiting and len(asked) < MERGES_AT_MOST:
        current = waiting.pop(0)
        if not isinstance(current, Keyed) or id(current) in asked:
            continue
        asked.add(id(current))
        found = current.get(name)
        if found is not None:
            return found
        merged = current.get("<<")
        waiting.extend(merged.entries[:MERGES_AT_MOST] if isinstance(merged, Items) else [merged])
    return None


def at(node: Node | None, *path: str) -> Node | None:
    """The value below a path of keys."""
    for name in path:
        if node is None:
            return None
        node = child(node, name)
    return node


def mapping(node: Node | None, *path: str) -> Keyed | None:
    """The mapping below a path, if there is one."""
    found = at(node, *path)
    return found if isinstance(found, Keyed) else None


def scalar(node: Node | None, *path: str) -> Scalar | None:
    """The scalar below a path, if there is one with a text."""
    found = at(node, *path)
    return found if isinstance(found, Scalar) and found.text else None


def entries(node: Node | None, *path: str) -> list[Node]:
    """The items of the sequence below a path."""
    found = at(node, *path)
    return found.entries if isinstance(found, Items) else []


def texts(node: Node | None, *path: str) -> Iterator[Scalar]:
    """The scalars of a sequence; a lone scalar counts as a sequence of one."""
    found = at(node, *path)
    for each in found.entries if isinstance(found, Items) else [found]:
        if isinstance(each, Scalar):
            yield each


def pairs(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    """Entries of a mapping with scalar keys, merged mappings after its own; a name that was told is not told again."""
    waiting: list[Node | None] = [node]
    asked: set[int] = set()
    told: set[str] = set()
    while waiting and len(asked) < MERGES_AT_MOST:
        current = waiting.pop(0)
        if not isinstance(current, Keyed) or id(current) in asked:
            continue
        asked.add(id(current))
        for key, value in current.named():
            if key.text == "<<":
                waiting.extend(value.entries[:MERGES_AT_MOST] if isinstance(value, Items) else [value])
            elif key.text not in told:
                told.add(key.text)
                yield key, value


def says_yes(node: Node | None) -> bool:
    """True for YAML's words for true."""
    return isinstance(node, Scalar) and node.text.lower() in _TRUE


def says_no(node: Node | None) -> bool:
    """True for YAML's words for false."""
    return isinstance(node, Scalar) and node.text.lower() in _FALSE
