"""Terraform's JSON form (``*.tf.json``, ``*.tfvars.json``) behind the same face as HCL.

What is a block and what an attribute follows in JSON from the provider's schema, which nobody has here; so below a resource everything is
an attribute, and whoever asks for a block is given the objects. Positions are those of the names, as far as they are found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from assaymark.checks.infrastructure.iac.evaluating import Expression
from assaymark.checks.infrastructure.iac.hcl import Attribute, Block, Body, File, of_text
from assaymark.checks.infrastructure.iac.values import UNKNOWN, Value, as_text
from assaymark.checks.reading.yaml_tree import Unreadable, decode
from assaymark.model.finding import Span

DEEPEST = 60
_LABELS = {"resource": 2, "data": 2, "module": 1, "variable": 1, "output": 1, "locals": 0, "provider": 1, "terraform": 0}


def json_file(name: str, content: bytes) -> Body:
    """The file's blocks.

    Raises:
        Unreadable: when it is no JSON object.
    """
    text = decode(content)
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable("syntax", f"line {error.lineno} is no valid JSON", error.lineno) from error
    except RecursionError as error:
        raise Unreadable("nesting", "the file is nested too deeply") from error
    if not isinstance(tree, dict):
        raise Unreadable("syntax", "the file is no JSON object")
    file = File(name, content)
    if ".tfvars" in name:
        return _JsonBody(file, tree)
    body = _JsonBody(file, {})
    for kind, rows in tree.items():
        for labels, row in _labelled(rows, _LABELS.get(kind, -1)):
            body.blocks.append(_JsonBlock(file, kind, labels, row))
    return body


def _labelled(rows: Any, count: int, labels: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict) and count == 0:
            yield labels, row
        elif isinstance(row, dict) and count > 0:
            for label, inner in row.items():
                yield from _labelled(inner, count - 1, (*labels, label))


class _JsonBody(Body):
    __slots__ = ()

    def __init__(self, file: File, row: dict[str, Any]) -> None:
        super().__init__(file, None)
        self.attributes = {name: _JsonAttribute(file, name, value) for name, value in row.items() if name != "//"}


class _JsonAttribute(Attribute):
    __slots__ = ("_value",)

    def __init__(self, file: File, name: str, value: Any) -> None:
        self.file = file
        self.name = name
        self._value = value
        self._expression = None

    @property
    def expression(self) -> Expression:
        if self._expression is None:
            self._expression = _expression(self._value, 0)
        return self._expression

    @property
    def text(self) -> str:
        return self._value if isinstance(self._value, str) else ""

    @property
    def span(self) -> Span:
        return _named(self.file, self.name)


class _JsonBlock(Block):
    __slots__ = ()

    def __init__(self, file: File, kind: str, labels: tuple[str, ...], row: dict[str, Any]) -> None:
        self.file = file
        self.type = kind
        self.labels = labels
        self._body = _JsonBody(file, row)

    @property
    def span(self) -> Span:
        return self.head

    @property
    def head(self) -> Span:
        return _named(self.file, *self.labels)


def _expression(value: Any, depth: int) -> Expression:
    if depth > DEEPEST:
        raise Unreadable("nesting", f"the file is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        if "${" not in value and "%{" not in value:
            return lambda _scope: value
        return of_text('"' + value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"')
    if isinstance(value, list):
        items = [_expression(each, depth + 1) for each in value]
        return lambda scope: [item(scope) for item in items]
    if isinstance(value, dict):
        pairs = [(_expression(key, depth + 1), _expression(each, depth + 1)) for key, each in value.items()]
        return lambda scope: {as_text(key(scope)): each(scope) for key, each in pairs}
    plain: Value = value if value is None or isinstance(value, bool | int | float) else UNKNOWN
    return lambda _scope: plain


def _named(file: File, *names: str) -> Span:
    """The last of these names, each looked for behind the one before."""
    text = "\n".join(file.lines)
    at = 0
    found = None
    for name in names:
        match = re.compile(re.escape(json.dumps(name)) + r"\s*:").search(text, at)
        if match is None:
            break
        found, at = match, match.end()
    if found is None:
        return Span(1, 1, 1, 2)
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    width = len(json.dumps(names[-1]))
    return Span(line, column, line, column + width)
