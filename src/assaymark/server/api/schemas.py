"""JSON schemas (2020-12) of the types that operations take and give, with names that read well and what the source says of each member.

Guarantees: the schema of a type accepts what its encoder writes; every whole number says its 64 bits, because the layer refuses others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import inspect as types

from assaymark.server.api.arguments import LEAST, MOST
from assaymark.server.api.words import members_of

REF = "#/components/schemas/"
_GENERIC = re.compile(r"^([A-Za-z0-9]+)_([A-Za-z0-9_.]+)_$")


class Schemas:
    """Components of some types, and each type's own schema."""

    def __init__(self, kinds: Sequence[Any]) -> None:
        structs = list(dict.fromkeys(_structs(kinds)))
        found, components = msgspec.json.schema_components([*kinds, *structs], ref_template=REF + "{name}")
        self._names = {old: _name(old) for old in components}
        if len(set(self._names.values())) != len(self._names):
            self._names = {old: old for old in components}
        for schema, kind in zip(found[len(kinds) :], structs, strict=True):
            _describe(components.get(str(schema.get("$ref", "")).removeprefix(REF), {}), kind)
        self.components = {self._names[name]: self._finished(schema) for name, schema in sorted(components.items())}
        self._of = [self._finished(schema) for schema in found[: len(kinds)]]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The schema of the type that was given at this place."""
        schema: dict[str, Any] = self._of[index]
        return schema

    def _finished(self, schema: Any) -> Any:
        """References by the new names, whole numbers with their bounds."""
        if isinstance(schema, list):
            return [self._finished(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        made = {name: self._finished(value) for name, value in schema.items()}
        if isinstance(made.get("$ref"), str):
            made["$ref"] = REF + self._names[made["$ref"].removeprefix(REF)]
        if isinstance(made.get("mapping"), dict):
            made["mapping"] = {tag: REF + self._names[str(target).removeprefix(REF)] for tag, target in made["mapping"].items()}
        if made.get("type") == "integer":
            made.setdefault("format", "int64")
            if "exclusiveMinimum" not in made:
                made.setdefault("minimum", LEAST)
            if "exclusiveMaximum" not in made:
                made.setdefault("maximum", MOST)
        return made


def _describe(component: dict[str, Any], kind: Any) -> None:
    said = members_of(kind)
    for name, schema in component.get("properties", {}).items():
        if name in said:
            schema.setdefault("description", said[name])


def _name(old: str) -> str:
    """``Page_Finding_`` is a FindingPage; a module is said where two have one name."""
    generic = _GENERIC.match(old)
    if generic is not None:
        inner = _name(generic[2])
        return inner[:1].upper() + inner[1:] + generic[1]
    parts = [part for part in re.split(r"[._](?=[A-Za-z])", old) if part]
    if len(parts) > 1 and parts[0] == "assaymark":
        return parts[-2].capitalize() + parts[-1]
    return old


def _structs(kinds: Iterable[Any]) -> Iterable[Any]:
    seen: set[Any] = set()
    for info in types.multi_type_info(list(kinds)):
        yield from _within(info, seen)


def _within(info: Any, seen: set[Any]) -> Iterable[Any]:
    if isinstance(info, types.StructType):
        if info.cls in seen:
            return
        seen.add(info.cls)
        yield info.cls
    for each in _parts(info):
        yield from _within(each, seen)


def _parts(info: Any) -> Sequence[Any]:
    """Types that a type is made of."""
    match info:
        case types.StructType():
            return [field.type for field in info.fields]
        case types.UnionType():
            return info.types
        case types.TupleType():
            return info.item_types
        case types.DictType():
            return [info.value_type]
    return [info.item_type] if isinstance(info, types.CollectionType) else [info.type] if isinstance(info, types.Metadata) else []
