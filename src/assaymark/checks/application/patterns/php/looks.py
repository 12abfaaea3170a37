"""Views of the tree around a word that several rules of PHP need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.php.names import SOURCE_WORDS
from assaymark.checks.application.patterns.php.speech import Php
from assaymark.checks.application.patterns.rules import Hit, Place, Rule, looked, text_of
from assaymark.checks.application.patterns.shapes import Called

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTIONS = ("function_definition", "method_declaration", "anonymous_function", "arrow_function")
_MOST_TEXT = 8_000


def around(node: Node, *kinds: str, levels: int = 60) -> Node | None:
    """The nearest node of one of the kinds around another."""
    current: Node | None = node
    for _ in range(levels):
        if current is None or current.type in kinds:
            return current
        current = current.parent
    return None


def function_text(place: Place, node: Node) -> str:
    """The text of the function around a node, or of the part of the file around it."""
    found = around(node, *_FUNCTIONS)
    if found is not None:
        return place.speech.text.of(found)
    content = place.speech.text.content
    return content[max(0, node.start_byte - _MOST_TEXT) : node.end_byte + _MOST_TEXT].decode("utf-8", "replace")


def stays_inside(place: Place, node: Node) -> bool:
    """True when ``realpath`` is compared before, as a check of the folder does."""
    functions = place.speech.functions_around(node.start_byte)
    start = max(functions[0].start if functions else 0, node.start_byte - 4_000)
    before = place.speech.text.content[start : node.start_byte].decode("utf-8", "replace")
    compares = r"(?:strpos|strncmp|str_starts_with|substr)\s*\("
    return bool(re.search(rf"realpath\s*\([\s\S]{{0,400}}{compares}|{compares}[^;{{]{{0,200}}realpath\s*\(", before))


def statement_of(place: Place, node: Node) -> str:
    """The text of the statement around a node and the name of its function: where names tell what a value is for."""
    found = place.speech.text.outline.at(node.start_byte)
    return f"{found.scope[-1] if found.scope else ''} {found.statement[:400]}"


def pair_at(place: Place) -> tuple[Node, Node] | None:
    """The entry of an array whose key the leaf is, with its value."""
    node: Node | None = place.leaf
    if node is not None and node.type == "string_content":
        node = node.parent
    if node is not None and node.parent is not None and node.parent.type in ("class_constant_access_expression", "qualified_name"):
        node = node.parent
    pair = node.parent if node is not None else None
    if pair is None or pair.type != "array_element_initializer" or pair.named_child_count != 2 or pair.named_children[0] != node:
        return None
    return pair, pair.named_children[1]


def is_false(place: Place, node: Node | None) -> bool:
    """True for the constant no."""
    return (text_of(place, node) or "").lower() in ("false", "0", "off", "no")


def is_true(place: Place, node: Node | None) -> bool:
    """True for the constant yes."""
    return (text_of(place, node) or "").lower() in ("true", "1", "on", "yes", "stdout")


def always(place: Place, call: Called) -> bool | int | None:
    """For calls that are wrong by themselves."""
    del place, call
    return True


def scanned(id_: str, query: str, judge: Callable[[Place, Node], Iterator[Hit]], *, message: str, advice: str) -> Rule:
    """A rule about nodes that have no word of their own, such as ``<?=``: looked for once in a text that reads a request."""

    def look(place: Place) -> Iterator[Hit]:
        speech = place.speech
        if not isinstance(speech, Php) or id_ in speech.scanned:
            return
        speech.scanned.add(id_)
        for node in place.speech.text.captures(query).get("node", []):
            yield from judge(place, node)

    return looked(id_, SOURCE_WORDS, look, message=message, advice=advice)
