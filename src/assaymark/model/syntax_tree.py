"""Source text as a syntax tree, through tree-sitter with one locked wheel per grammar.

* Broken text gives a tree too: what could not be read stands in it as ``ERROR`` nodes, and everybody who asks can tell where.
* A grammar is loaded when its first text comes, never at import: planning must stay cheap.
* Time and memory are linear in the text: text above `LARGEST`, and text that asks for more steps than code does, is refused.

Not done here: any reading of the tree. Scopes are `scope_tree`, rules are `checks.application.patterns`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser, Tree

FEWEST_STEPS = 60
BYTES_A_STEP = 25
"""The parser reports its steps; of 4,000 public files none needed half of what is allowed here. A text that makes its recovery from errors
explode (864 bytes for minutes were found) is stopped by this count, which is the same on every machine."""
_BLOCK = 1 << 16
LARGEST = 2 << 20
"""Bytes. Written source stays far below; what is larger is generated or data."""

PLACES = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "go": ("tree_sitter_go", "language"),
    "php": ("tree_sitter_php", "language_php"),
}
"""Module and function that give a grammar."""
GRAMMARS = {
    **dict.fromkeys(("javascript", "js", "jsx", "mjs", "cjs"), "javascript"),
    **dict.fromkeys(("typescript", "ts", "mts", "cts"), "typescript"),
    **{name: name for name in ("tsx", "java", "go", "php")},
}
"""Grammar by what checks call their dialects."""

_NEW_OF_VALUE = re.compile(
    rb"\bnew\((?=(?!struct\b|interface\b|func\b|map\b|chan\b)(?:\*?[\w.]+|\[\][\w.*]+|map\[[\w.]+\][\w.*]+)[({+-]|[\"'`&])"
)
"""Go 1.26 takes values as well as types here, which the grammar does not know yet. A name as long as `new` makes a common call of it."""


class NoTreeError(Exception):
    """The text is too large or too tangled, or nothing of it could be read."""


@cache
def language(grammar: str) -> Language:
    """The grammar, loaded once per process."""
    from tree_sitter import Language  # noqa: PLC0415 - see the module

    module, function = PLACES[grammar]
    return Language(getattr(import_module(module), function)())


@cache
def _parser(grammar: str) -> Parser:
    from tree_sitter import Parser  # noqa: PLC0415

    return Parser(language(grammar))


def _tree(parser: Parser, source: bytes) -> Tree:
    steps = 0

    def stop(_offset: int, _has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > FEWEST_STEPS + len(source) // BYTES_A_STEP

    try:
        return parser.parse(lambda offset, _point: source[offset : offset + _BLOCK], encoding="utf8", progress_callback=stop)
    except ValueError as stopped:
        parser.reset()
        raise NoTreeError("complexity") from stopped


def parse(source: bytes, grammar: str) -> Node:
    """The root of the tree.

    Raises:
        NoTreeError: see the class.
    """
    if len(source) > LARGEST:
        raise NoTreeError("size")
    root = _tree(_parser(grammar), source).root_node
    if grammar == "go" and root.has_error and _NEW_OF_VALUE.search(source):
        root = _tree(_parser(grammar), _NEW_OF_VALUE.sub(b"neW(", source)).root_node
    if root.type == "ERROR" and root.end_byte > root.start_byte:
        raise NoTreeError("syntax")
    return root
