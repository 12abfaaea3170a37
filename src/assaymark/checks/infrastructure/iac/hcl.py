"""A Terraform file as blocks and attributes, over tree-sitter's tree.

Guarantees: nothing is evaluated here; a file that is no HCL is an `Unreadable` with the line; bodies are opened only when they are asked
for, since most of a file is of no interest to any rule. Positions are looked up when somebody needs them.
Does not know what a block means.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from assaymark.checks.infrastructure.iac.evaluating import Expression
from assaymark.checks.infrastructure.iac.expressions import compiled
from assaymark.checks.reading.yaml_tree import Unreadable, decode
from assaymark.model.finding import Span

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Point

MOST_BLOCKS = 20_000
"""Of one file."""


class File:
    """One file, parsed."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        text = decode(content)
        self.data = text.encode() if text.startswith("\ufeff") or content[:3] == b"\xef\xbb\xbf" else content
        self._text = text

    @cached_property
    def lines(self) -> list[str]:
        return self._text.split("\n")

    @cached_property
    def body(self) -> Body:
        """The file's blocks and attributes.

        Raises:
            Unreadable: when the file is no HCL.
        """
        root = parser().parse(self.data).root_node
        if root.has_error:
            line = _first_error(root)
            raise Unreadable("syntax", f"line {line} is no valid HCL; `terraform fmt` names what is wrong", line)
        inner = next((child for child in root.named_children if child.type == "body"), None)
        return Body(self, inner)

    def span(self, first: Node, last: Node | None = None) -> Span:
        """Where a node stands, or from the first to the last."""
        start, end = first.start_point, (last or first).end_point
        return Span(start.row + 1, self._column(start), end.row + 1, self._column(end))

    def _column(self, point: Point) -> int:
        line = self.lines[point.row] if point.row < len(self.lines) else ""
        return point.column + 1 if line.isascii() else len(line.encode()[: point.column].decode("utf-8", "replace")) + 1


class Attribute:
    """``name = expression``."""

    __slots__ = ("_expression", "_nodes", "file", "name")

    def __init__(self, file: File, name: str, nodes: tuple[Node, Node]) -> None:
        self.file = file
        self.name = name
        self._nodes = nodes
        self._expression: Expression | None = None

    @property
    def expression(self) -> Expression:
        """What it is worth in a scope."""
        if self._expression is None:
            self._expression = compiled(self._nodes[1], self.file.data)
        return self._expression

    @property
    def text(self) -> str:
        """The expression as written."""
        return self.file.data[self._nodes[1].start_byte : self._nodes[1].end_byte].decode()

    @property
    def span(self) -> Span:
        return self.file.span(self._nodes[0])


class Block:
    """``type "label" { … }``."""

    __slots__ = ("_body", "_node", "file", "labels", "type")

    def __init__(self, file: File, node: Node, head: tuple[str, tuple[str, ...]], body: Node | None) -> None:
        self.file = file
        self.type, self.labels = head
        self._node = node
        self._body: Body | Node | None = body

    @property
    def body(self) -> Body:
        if not isinstance(self._body, Body):
            self._body = Body(self.file, self._body)
        return self._body

    @property
    def span(self) -> Span:
        """The whole block."""
        return self.file.span(self._node)

    @property
    def head(self) -> Span:
        """Type and labels."""
        first = self._node.children[0]
        last = first
        for child in self._node.children:
            if child.type == "block_start":
                break
            last = child
        return self.file.span(first, last)


class Body:
    """Attributes by name and blocks in order."""

    __slots__ = ("attributes", "blocks", "file")

    def __init__(self, file: File, node: Node | None) -> None:
        self.file = file
        self.attributes: dict[str, Attribute] = {}
        self.blocks: list[Block] = []
        data = file.data
        for child in node.children if node is not None else ():
            kind = child.type
            if kind == "attribute":
                parts = child.children
                name = data[parts[0].start_byte : parts[0].end_byte].decode()
                self.attributes[name] = Attribute(file, name, (child, parts[-1]))
            elif kind == "block":
                self.blocks.append(_block(file, child))
        if len(self.blocks) > MOST_BLOCKS:
            raise Unreadable("complexity", f"the file has more than {MOST_BLOCKS} blocks; split it")


def _block(file: File, node: Node) -> Block:
    labels: list[str] = []
    kind = ""
    body = None
    for child in node.children:
        name = child.type
        if name == "identifier":
            text = file.data[child.start_byte : child.end_byte].decode()
            kind, labels = (kind, [*labels, text]) if kind else (text, labels)
        elif name == "string_lit":
            labels.append(file.data[child.start_byte + 1 : child.end_byte - 1].decode())
        elif name == "body":
            body = child
    return Block(file, node, (kind, tuple(labels)), body)


def _first_error(root: Node) -> int:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            return int(node.start_point.row) + 1
        waiting.extend(reversed([child for child in node.children if child.has_error or child.is_missing]))
    return 1


@cache
def parser() -> Parser:
    """The parser of this process."""
    import tree_sitter  # noqa: PLC0415  costs more than planning a run
    import tree_sitter_hcl  # noqa: PLC0415

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def of_text(expression: str) -> Callable[[Any], Any]:
    """An expression that stands in a text of its own, as in Terraform's JSON form.

    Raises:
        Unreadable: when it is none.
    """
    file = File("", b"x = " + expression.encode() + b"\n")
    attribute = file.body.attributes.get("x")
    if attribute is None:
        raise Unreadable("syntax", "an expression in the file is no valid HCL")
    return attribute.expression
