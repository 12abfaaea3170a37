"""Examples of documents, made from their schemas: what a reader copies into his first call.

Guarantees: an example fits its schema, as far as the schema can say it. Does not know what makes sense together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assaymark.server.api.schemas import REF

_DEEPEST = 6
_WORDS: Mapping[str, str] = {
    "clone_url": "https://git.example.org/harbour.git",
    "email": "ana@example.org",
    "head": "8f3c2d1b0a9e8d7c6b5a49382716051f2e3d4c5b",
    "issuer": "https://id.example.org",
    "login": "ana",
    "name": "Harbour",
    "purl": "pkg:npm/lodash@4.17.21",
    "ref": "refs/heads/main",
    "slug": "harbour",
    "url": "https://git.example.org/harbour",
}


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value of it."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].removeprefix(REF)], components, name, depth)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components, name, depth)
    given = schema.get("examples") or schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    given = given or (["2026-12-24"] if schema.get("format") == "date" else [])
    if given:
        return given[0]
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, components, depth)
    if kind == "array":
        return _array(schema, components, name, depth)
    return {"string": _WORDS.get(name, "text"), "integer": max(1, schema.get("minimum", 1)), "number": 1.0, "boolean": True}.get(str(kind))


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What must be there, and what is plain enough to be shown."""
    if depth > _DEEPEST:
        return {}
    needed = schema.get("required", ())
    members = schema.get("properties", {}).items()
    shown = [each for each in members if each[0] in needed or each[1].get("type") == "string" or (not needed and not depth)]
    return {name: example_of(each, components, name, depth + 1) for name, each in shown}


def _array(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example_of(each, components, name, depth + 1) for each in schema["prefixItems"]]
    if depth > _DEEPEST or not isinstance(schema.get("items"), dict):
        return []
    return [example_of(schema["items"], components, name, depth + 1)]
