"""Resources as rules see them: values by path, whether written as attribute, block or dynamic block, with the place of each.

Guarantees: a path gives every place at which it is written; where it is not written it gives the place where it would have to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from assaymark.checks.infrastructure.iac.hcl import Attribute, Block, File
from assaymark.checks.infrastructure.iac.modules import Known, Module, Scope, address_of, instances
from assaymark.checks.infrastructure.iac.values import MISSING, UNKNOWN, Encoded, Missing, Unknown, Value
from assaymark.model.finding import Span

MOST_DYNAMIC = 64
"""Blocks that one dynamic block makes."""
MOST_FOUND = 500
"""Places that one path has in one resource."""


class View:
    """A block in a scope."""

    __slots__ = ("_blocks", "_memory", "block", "scope")

    def __init__(self, block: Block, scope: Scope) -> None:
        self.block = block
        self.scope = scope
        self._memory: dict[str, Known] = {}
        self._blocks: dict[str, list[View]] | None = None

    @property
    def file(self) -> File:
        return self.block.file

    def known(self, name: str) -> Known:
        """An attribute's value and what it was made of; `MISSING` where it is not written. A written ``null`` is not written."""
        found = self._memory.get(name)
        if found is None:
            attribute = self.block.body.attributes.get(name)
            scope = self.scope
            found = scope.module.traced(lambda: attribute.expression(scope)) if attribute else Known(MISSING)
            if found.value is None:
                found = Known(MISSING, found.refs)
            self._memory[name] = found
        return found

    def get(self, name: str) -> Value:
        """An attribute's value."""
        return self.known(name).value

    def refs(self, name: str) -> frozenset[str]:
        """Addresses that an attribute was made of."""
        return self.known(name).refs

    def attribute(self, name: str) -> Attribute | None:
        return self.block.body.attributes.get(name)

    def blocks(self, kind: str) -> list[View]:
        """The nested blocks of a type, dynamic ones among them."""
        if self._blocks is None:
            self._blocks = {}
            for block in self.block.body.blocks:
                if block.type == "dynamic" and len(block.labels) == 1:
                    self._blocks.setdefault(block.labels[0], []).extend(_dynamic(block, self.scope))
                else:
                    self._blocks.setdefault(block.type, []).append(View(block, self.scope))
        return self._blocks.get(kind, [])

    def kinds(self) -> list[str]:
        """The types of nested blocks."""
        self.blocks("")
        return list(self._blocks or ())


def _dynamic(block: Block, scope: Scope) -> Iterator[View]:
    content = next((inner for inner in block.body.blocks if inner.type == "content"), None)
    over = block.body.attributes.get("for_each")
    if content is None or over is None:
        return
    named = block.body.attributes.get("iterator")
    # `iterator = rule` names a variable: its text is wanted, not its value.
    iterator = named.text if named is not None else block.labels[0]
    items = over.expression(scope)
    if type(items) is dict:
        pairs: list[tuple[Value, Value]] = list(items.items())
    elif type(items) is list:
        pairs = list(enumerate(items))
    else:
        pairs = [(UNKNOWN, UNKNOWN)]
    for key, value in pairs[:MOST_DYNAMIC]:
        yield View(content, scope.with_names({iterator: {"key": key, "value": value}}))


class Found(Struct, frozen=True):
    """A place of a path."""

    value: Value
    view: View
    """The block that holds it, or would have to hold it."""
    attribute: Attribute | None = None
    """The attribute in which it is written."""
    holder: Any = None
    """The value beside it, where it is part of a list or map."""

    @property
    def span(self) -> Span:
        return self.attribute.span if self.attribute is not None else self.view.block.head

    @property
    def is_missing(self) -> bool:
        return isinstance(self.value, Missing)


def find(view: View, path: Sequence[str]) -> list[Found]:
    """Every place of a path, at most `MOST_FOUND`."""
    found: list[Found] = []
    _find(view, path, found)
    return found[:MOST_FOUND]


def _find(view: View, path: Sequence[str], found: list[Found]) -> None:
    name, rest = path[0], path[1:]
    attribute = view.attribute(name)
    if attribute is not None and view.get(name) is not MISSING:
        _within(Found(view.get(name), view, attribute), rest, found)
        return
    inner = view.blocks(name)
    if not inner:
        found.append(Found(MISSING, view))
    for each in inner:
        if rest:
            _find(each, rest, found)
        else:
            found.append(Found(each, each))
        if len(found) > MOST_FOUND:
            return


def _within(place: Found, path: Sequence[str], found: list[Found]) -> None:
    value = place.value
    if type(value) is Encoded:
        value = value.value
    if type(value) is list and path:
        for each in value[:MOST_FOUND]:
            _within(Found(each, place.view, place.attribute, place.holder), path, found)
    elif not path:
        found.append(Found(value, place.view, place.attribute, place.holder))
    elif type(value) is dict:
        inner = value.get(path[0], MISSING)
        _within(Found(MISSING if inner is None else inner, place.view, place.attribute, value), path[1:], found)
    elif type(value) is Unknown:
        found.append(Found(UNKNOWN, place.view, place.attribute, place.holder))
    else:
        found.append(Found(MISSING, place.view, place.attribute, place.holder))


class Resource:
    """One instance of a ``resource`` or ``data`` block."""

    __slots__ = ("address", "kind", "mode", "module", "name", "view")

    def __init__(self, module: Module, key: tuple[str, str, str], view: View) -> None:
        self.module = module
        self.mode, self.kind, self.name = key
        self.view = view
        self.address = address_of(module, *key)

    def find(self, path: str) -> list[Found]:
        """Every place of a dotted path."""
        return find(self.view, path.split("."))

    def one(self, path: str) -> Value:
        """The value of the first place of a path."""
        return self.find(path)[0].value


def resources_of(module: Module, kind: str, mode: str = "resource") -> Iterator[Resource]:
    """Every instance of a type in one module."""
    for its, name in module.declared.by_type.get(kind, ()):
        if its == mode:
            key = (mode, kind, name)
            for block in module.declared.resources[key]:
                for scope in instances(module, block):
                    yield Resource(module, key, View(block, scope))
