"""A YAML tree as plain values: texts, numbers, truth, lists and mappings, as YAML 1.2's core schema and Kubernetes read them.

Guarantees: merge keys are followed within a bound; an alias is the same object as its anchor; a tree that holds itself, or has too many
values counted with every alias, is an `Unreadable`.
"""

from __future__ import annotations

import re
from typing import Any

from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable

MOST_VALUES = 20_000
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?\d{1,18}\Z")
_BROKEN = re.compile(r"[-+]?(?:\d{1,18}\.\d{0,18}|\.\d{1,18}|\d{1,18}(?:\.\d{0,18})?[eE][-+]?\d{1,3})\Z")
_MERGES = 30


def plain(node: Node) -> Any:
    """The value of a node.

    Raises:
        Unreadable: when it holds itself or is too large.
    """
    return _Reader().read(node)


class _Reader:
    def __init__(self) -> None:
        self._left = MOST_VALUES
        self._inside: set[int] = set()

    def read(self, node: Node) -> Any:
        self._left -= 1
        if self._left < 0 or id(node) in self._inside:
            line = node.span.start_line
            raise Unreadable("complexity", f"line {line}: the object is too large for policies, or holds itself", line)
        if isinstance(node, Scalar):
            return _scalar(node)
        self._inside.add(id(node))
        made = [self.read(each) for each in node.entries] if isinstance(node, Items) else self._mapping(node)
        self._inside.discard(id(node))
        return made

    def _mapping(self, node: Keyed) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.named():
            if key.text == "<<" and not key.style:
                merged = value.entries[:_MERGES] if isinstance(value, Items) else [value]
                for each in merged:
                    base = self.read(each)
                    made = {**base, **made} if isinstance(base, dict) else made
            else:
                made[key.text] = self.read(value)
        return {name: value for name, value in made.items() if value is not None}


def _scalar(node: Scalar) -> Any:
    text = node.text
    if node.style or node.tag == "tag:yaml.org,2002:str":
        return text
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _WHOLE.match(text):
        return int(text)
    return float(text) if _BROKEN.match(text) else text
