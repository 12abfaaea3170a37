"""CycloneDX in XML (1.0 to 1.7, with the vulnerability extension of 1.3 and before) as the same document in JSON, which is what is read.

Guarantees: only what the readers of the JSON form ask for is carried over; elements are told apart by their local names.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.checks.application.dependencies.readers.xml_text import Element
from assaymark.server.imports.documents import tree

_TEXTS = ("group", "name", "version", "purl", "scope")


def as_json(data: bytes) -> bytes:
    """The bill as JSON.

    Raises:
        UsageError: when it is no XML, declares entities, or passes a limit.
    """
    root = tree(data, "CycloneDX")
    document: dict[str, Any] = {"bomFormat": "CycloneDX", "components": _components(root)}
    metadata = root.child("metadata")
    if metadata is not None:
        document["metadata"] = _metadata(metadata)
    dependencies = root.child("dependencies")
    if dependencies is not None:
        document["dependencies"] = [_dependency(row) for row in dependencies.all("dependency")]
    document["vulnerabilities"] = _vulnerabilities(root)
    return msgspec.json.encode(document)


def _metadata(metadata: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    component = metadata.child("component")
    if component is not None:
        found["component"] = _component(component)
    if metadata.text_of("timestamp"):
        found["timestamp"] = metadata.text_of("timestamp")
    tools = metadata.child("tools")
    if tools is not None:
        inner = tools.child("components")
        rows = [*tools.all("tool"), *(inner.all("component") if inner is not None else ())]
        found["tools"] = [{"name": row.text_of("name")} for row in rows]
    return found


def _components(holder: Element) -> list[dict[str, Any]]:
    group = holder.child("components")
    return [_component(row) for row in group.all("component")] if group is not None else []


def _component(row: Element) -> dict[str, Any]:
    found: dict[str, Any] = {name: row.text_of(name) for name in _TEXTS if row.text_of(name)}
    found |= {"type": row.attributes.get("type", ""), "bom-ref": _reference(row)}
    hashes = row.child("hashes")
    if hashes is not None:
        found["hashes"] = [{"alg": one.attributes.get("alg", ""), "content": one.text.strip()} for one in hashes.all("hash")]
    properties = row.child("properties")
    if properties is not None:
        found["properties"] = [{"name": one.attributes.get("name", ""), "value": one.text.strip()} for one in properties.all("property")]
    inner = _components(row)
    if inner:
        found["components"] = inner
    return found


def _reference(component: Element) -> str:
    """Its own name within the bill; where it has none, one of what it says."""
    own = component.attributes.get("bom-ref", "") or component.text_of("purl")
    return own or f"{component.text_of('group')}/{component.text_of('name')}@{component.text_of('version')}"


def _dependency(row: Element) -> dict[str, Any]:
    return {"ref": row.attributes.get("ref", ""), "dependsOn": [one.attributes.get("ref", "") for one in row.all("dependency")]}


def _vulnerabilities(root: Element) -> list[dict[str, Any]]:
    """Of the bill, and those of the extension, which stand at the bill's end or inside of a component."""
    found = [_vulnerability(row, "") for group in root.all("vulnerabilities") for row in group.all("vulnerability")]
    stack = [row for group in root.all("components") for row in group.all("component")]
    while stack:
        component = stack.pop()
        reference = _reference(component)
        found += [_vulnerability(row, reference) for group in component.all("vulnerabilities") for row in group.all("vulnerability")]
        stack += [row for group in component.all("components") for row in group.all("component")]
    return found


def _vulnerability(row: Element, component: str) -> dict[str, Any]:
    affected = [one.text_of("ref") for group in row.all("affects") for one in group.all("target")]
    own = component or row.attributes.get("ref", "")
    analysis = row.child("analysis")
    found: dict[str, Any] = {
        "id": row.text_of("id"),
        "references": [{"id": one.text_of("id")} for group in row.all("references") for one in group.all("reference")],
        "ratings": [_rating(one) for group in row.all("ratings") for one in group.all("rating")],
        "description": row.text_of("description"),
        "recommendation": row.text_of("recommendation"),
        "affects": [{"ref": one} for one in (affected or [own]) if one],
    }
    if analysis is not None:
        found["analysis"] = {name: analysis.text_of(name) for name in ("state", "justification", "detail") if analysis.text_of(name)}
    return found


def _rating(row: Element) -> dict[str, Any]:
    score = row.child("score")
    text = (score.text_of("base") or score.text) if score is not None else ""
    found: dict[str, Any] = {"severity": row.text_of("severity").lower(), "method": row.text_of("method")}
    try:
        found["score"] = float(text)
    except ValueError:
        return found
    return found
