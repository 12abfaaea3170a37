"""What a rule in Python is given, and what it gives back.

A rule is asked once per module instance and looks at that module's resources; what belongs to them may stand in another module of the same
unit, so the questions that reach further look at the whole tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from assaymark.checks.infrastructure.iac.hcl import Attribute
from assaymark.checks.infrastructure.iac.modules import Module
from assaymark.checks.infrastructure.iac.resources import Found, Resource, View, resources_of
from assaymark.checks.infrastructure.iac.values import MISSING, Unknown, Value

T = TypeVar("T")


class Hit(Struct, frozen=True):
    """One place that breaks a rule."""

    rule: str
    resource: Resource
    attribute: str
    place: Found
    """Where it is written, or would have to be."""
    detail: str = ""
    """What is wrong there in particular; holds no secret."""
    message: str = ""
    """Instead of the rule's title."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What the hit is, without where."""
        return (self.resource.address, self.rule, self.attribute)


class World:
    """One module instance, and the tree that it is part of."""

    def __init__(self, module: Module, tree: Tree) -> None:
        self.module = module
        self.tree = tree

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """Resources of some types in this module."""
        for kind in kinds:
            yield from resources_of(self.module, kind)

    def data(self, kind: str) -> Iterator[Resource]:
        """Data sources of a type in this module."""
        yield from resources_of(self.module, kind, "data")


class Tree:
    """Every module instance of a unit."""

    def __init__(self, root: Module) -> None:
        self.modules: list[Module] = []
        waiting = [root]
        while waiting:
            module = waiting.pop()
            self.modules.append(module)
            waiting.extend(child for _, child in module.children())
        self._all: dict[str, list[Resource]] = {}
        self._by_reference: dict[tuple[str, str], dict[Value, list[Resource]]] = {}
        self._made: dict[str, Any] = {}

    def resources(self, kind: str) -> list[Resource]:
        """All resources of a type, wherever they stand."""
        if kind not in self._all:
            self._all[kind] = [each for module in self.modules for each in resources_of(module, kind)]
        return self._all[kind]

    def belonging(self, kind: str, attribute: str, to: Resource, by: str) -> list[Resource]:
        """Resources of a type whose attribute refers to another one, by reference or by the value of its attribute `by`."""
        index = self._referring(kind, attribute)
        name = to.view.get(by)
        found = [*index.get(("ref", to.address), ()), *(index.get(("value", name), ()) if type(name) is str else ())]
        return list({id(each): each for each in found}.values())

    def refers(self, kind: str, attribute: str, address: str) -> bool:
        """Whether a resource of the type refers to an address in this attribute."""
        return ("ref", address) in self._referring(kind, attribute)

    def _referring(self, kind: str, attribute: str) -> dict[Value, list[Resource]]:
        """Made once per question, so that many resources cost what they are and not their square."""
        key = (kind, attribute)
        if key not in self._by_reference:
            index: dict[Value, list[Resource]] = {}
            for each in self.resources(kind):
                known = each.view.known(attribute)
                for ref in known.refs:
                    index.setdefault(("ref", ref), []).append(each)
                if type(known.value) is str:
                    index.setdefault(("value", known.value), []).append(each)
            self._by_reference[key] = index
        return self._by_reference[key]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Something that is made once for the whole tree."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def vague(self, kind: str, attribute: str) -> bool:
        """Whether a resource of the type refers to something that is not known here: it may be anyone's."""

        def look() -> bool:
            return any(type(each.view.get(attribute)) is Unknown and not each.view.refs(attribute) for each in self.resources(kind))

        return self.once(f"vague {kind} {attribute}", look)


Rule = Callable[[World], Iterator[Hit]]


def missing(view: View) -> Found:
    """The place of something that is not written: the block's head."""
    return Found(MISSING, view)


class Row:
    """A nested block, or an object of a list that is written instead of blocks."""

    def __init__(self, view: View, row: dict[str, Value] | None = None, attribute: Attribute | None = None) -> None:
        self._view = view
        self._row = row
        self._attribute = attribute

    def get(self, name: str) -> Value:
        if self._row is None:
            return self._view.get(name)
        value = self._row.get(name, MISSING)
        return MISSING if value is None else value

    def place(self, name: str) -> Found:
        """Where it is written."""
        return Found(self.get(name), self._view, self._attribute or self._view.attribute(name), self._row)


def rows(view: View, kind: str) -> Iterator[Row]:
    """The nested blocks of a type, however written."""
    attribute = view.attribute(kind)
    if attribute is not None:
        value = view.get(kind)
        for each in value if type(value) is list else [value]:
            if type(each) is dict:
                yield Row(view, each, attribute)
    for each in view.blocks(kind):
        yield Row(each)


def texts(value: Value) -> Sequence[str]:
    """The known texts of a value that may be one or a list."""
    items = value if type(value) is list else [value]
    return [item for item in items if type(item) is str]
