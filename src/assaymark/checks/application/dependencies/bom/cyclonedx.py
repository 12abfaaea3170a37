"""A bill of materials as CycloneDX 1.6 JSON, with the graph of dependencies.

What the format has no field for stands in properties that begin with ``assaymark:``. What is for development only has the scope
``excluded``, which the standard keeps for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.checks.application.dependencies.bom.bill import Bill, Facts, Url, facts_of, identity, references, urls
from assaymark.checks.application.dependencies.packages import Ecosystem, Package
from assaymark.checks.application.dependencies.readers.texts import hex_of

ROOT = "assaymark:subject"
_ALGORITHMS = {
    "md5": ("MD5", 32),
    "sha1": ("SHA-1", 40),
    "sha256": ("SHA-256", 64),
    "sha384": ("SHA-384", 96),
    "sha512": ("SHA-512", 128),
    "blake2b": ("BLAKE2b-512", 128),
}
"""Our names of hashes -> (the format's, length in hex digits)."""


def cyclonedx(bill: Bill) -> bytes:
    """The document."""
    packages = bill.packages
    purls = urls(packages)
    refs = references(packages, purls)
    body: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": _metadata(bill),
        "components": [_component(bill, at, refs[at], purls[at]) for at in range(len(packages.packages))],
        "dependencies": _dependencies(bill, refs),
        "compositions": [{"aggregate": "incomplete" if packages.problems else "unknown", "assemblies": [ROOT]}],
    }
    body["serialNumber"] = f"urn:uuid:{identity(body)}"
    order = ("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies", "compositions")
    return msgspec.json.format(msgspec.json.encode({key: body[key] for key in order}), indent=2) + b"\n"


def _metadata(bill: Bill) -> dict[str, Any]:
    made: dict[str, Any] = {"timestamp": bill.timestamp} if bill.timestamp else {}
    tool = {"type": "application", "name": "assaymark"} | ({"version": bill.tool} if bill.tool else {})
    made["tools"] = {"components": [tool]}
    made["component"] = {"type": "application", "bom-ref": ROOT, "name": bill.name} | ({"version": bill.version} if bill.version else {})
    gaps = [("assaymark:gap", f"{line} {sentence}") for line, sentence in bill.packages.problems]
    release = [("assaymark:release", bill.packages.release)] if bill.packages.release else []
    if gaps or release:
        made["properties"] = [{"name": name, "value": value} for name, value in (*release, *gaps)]
    return made


def _component(bill: Bill, at: int, ref: str, purl: Url) -> dict[str, Any]:
    package = bill.packages.packages[at]
    places = bill.places[at] if bill.places else ()
    named, unnamed = _hashes(package)
    facts = facts_of(package, purl, unnamed, line=not places)
    group, name = _names(package)
    made: dict[str, Any] = {"type": "library", "bom-ref": ref}
    if group:
        made["group"] = group
    made |= {"name": name, "version": package.version}
    if package.development:
        made["scope"] = "excluded"
    if named:
        made["hashes"] = named
    if purl.text:
        made["purl"] = purl.text
    properties = _properties(package, facts, with_ecosystem=not purl.exact)
    if properties:
        made["properties"] = properties
    if places:
        made["evidence"] = {"occurrences": [{"location": path} | ({"line": line} if line else {}) for path, line in places]}
    return made


def _properties(package: Package, facts: Facts, *, with_ecosystem: bool) -> list[dict[str, str]]:
    rows = [
        ("name", facts.name),
        ("ecosystem", package.ecosystem if with_ecosystem else ""),
        ("line", str(facts.line) if facts.line else ""),
        ("source", facts.source),
        ("upstream", package.upstream if with_ecosystem else ""),
        *(("hash", each) for each in facts.hashes),
    ]
    return [{"name": f"assaymark:{name}", "value": value} for name, value in rows if value]


def _names(package: Package) -> tuple[str, str]:
    """Group and name, as the format's own tools split them."""
    if package.ecosystem is Ecosystem.MAVEN:
        group, _, name = package.name.partition(":")
    elif package.ecosystem in {Ecosystem.NPM, Ecosystem.PACKAGIST}:
        group, _, name = package.name.rpartition("/")
    else:
        group, name = "", package.name
    return (group, name) if name else ("", package.name)


def _hashes(package: Package) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """Hashes that the format has a name for, and the others."""
    named, unnamed = [], []
    for each in package.hashes:
        kind, _, value = (each if ":" in each else hex_of(each)).partition(":")
        known = _ALGORITHMS.get(kind)
        if known and len(value) == known[1]:
            named.append({"alg": known[0], "content": value})
        else:
            unnamed.append(each)
    return named, tuple(unnamed)


def _dependencies(bill: Bill, refs: list[str]) -> list[dict[str, Any]]:
    """The graph; the subject stands in it only when the lock files tell what it asked for itself."""
    packages = bill.packages
    made: list[dict[str, Any]] = []
    if packages.knows_direct:
        made.append({"ref": ROOT, "dependsOn": [refs[at] for at, package in enumerate(packages.packages) if package.direct]})
    for ref, parts in zip(refs, packages.needs, strict=bool(packages.needs)):
        made.append({"ref": ref} | ({"dependsOn": [refs[part] for part in parts]} if parts else {}))
    return made
