"""A bill of materials as SPDX 2.3 JSON.

What the format has no field for stands in an annotation of ours, as JSON. A document must have a time: without one it is the epoch.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.bom.bill import EPOCH, Bill, Facts, Url, facts_of, identity, references, urls
from assaymark.checks.application.dependencies.packages import Package
from assaymark.checks.application.dependencies.readers.texts import hex_of

ROOT = "SPDXRef-Subject"
DOCUMENT = "SPDXRef-DOCUMENT"
_ALGORITHMS = {
    "md5": ("MD5", 32),
    "sha1": ("SHA1", 40),
    "sha224": ("SHA224", 56),
    "sha256": ("SHA256", 64),
    "sha384": ("SHA384", 96),
    "sha512": ("SHA512", 128),
    "blake2b": ("BLAKE2b-512", 128),
}


class Whole(Struct, frozen=True, omit_defaults=True):
    """What the annotation of the subject holds."""

    knows_direct: bool = False
    knows_needs: bool = False
    release: str = ""
    gaps: tuple[tuple[int, str], ...] = ()


class Part(Struct, frozen=True, omit_defaults=True):
    """What the annotation of a package holds."""

    ecosystem: str = ""
    upstream: str = ""
    direct: bool = False
    development: bool = False
    facts: Facts = Facts()
    places: tuple[tuple[str, int], ...] = ()


def spdx(bill: Bill) -> bytes:
    """The document."""
    packages, created = bill.packages, bill.timestamp or EPOCH
    annotator = f"Tool: assaymark-{bill.tool or '0'}"
    purls = urls(packages)
    ids = [f"SPDXRef-Package-{hashlib.sha256(ref.encode('utf-8', 'replace')).hexdigest()[:20]}" for ref in references(packages, purls)]
    whole = Whole(packages.knows_direct, bool(packages.needs), packages.release, packages.problems)
    root: dict[str, Any] = {"SPDXID": ROOT, "name": bill.name} | ({"versionInfo": bill.version} if bill.version else {})
    root |= {"downloadLocation": "NOASSERTION", "filesAnalyzed": False, "primaryPackagePurpose": "APPLICATION"}
    root["annotations"] = [_annotation(whole, created, annotator)]
    rows = [_package(bill, at, ids[at], purls[at]) for at in range(len(ids))]
    for row in rows:
        row["annotations"] = [_annotation(row.pop("part"), created, annotator)]
    body = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": bill.name,
        "documentNamespace": "",
        "creationInfo": {"created": created, "creators": [annotator]},
        "packages": [root, *rows],
        "relationships": _relationships(bill, ids),
    }
    body["documentNamespace"] = f"https://spdx.org/spdxdocs/assaymark-{identity(body)}"
    return msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"


def _annotation(value: Struct, created: str, annotator: str) -> dict[str, str]:
    comment = "assaymark: " + msgspec.json.encode(value).decode()
    return {"annotationDate": created, "annotationType": "OTHER", "annotator": annotator, "comment": comment}


def _package(bill: Bill, at: int, name: str, purl: Url) -> dict[str, Any]:
    package = bill.packages.packages[at]
    places = bill.places[at] if bill.places else ()
    named, unnamed = _hashes(package)
    facts = facts_of(package, purl, unnamed, line=not places)
    spelled = not purl.exact
    made: dict[str, Any] = {
        "SPDXID": name,
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
    }
    if named:
        made["checksums"] = named
    if purl.text:
        made["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl.text}]
    made["part"] = Part(
        package.ecosystem if spelled else "",
        package.upstream if spelled else "",
        package.direct,
        package.development,
        facts,
        places,
    )
    return made


def _hashes(package: Package) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    named, unnamed = [], []
    for each in package.hashes:
        kind, _, value = (each if ":" in each else hex_of(each)).partition(":")
        known = _ALGORITHMS.get(kind)
        if known and len(value) == known[1]:
            named.append({"algorithm": known[0], "checksumValue": value})
        else:
            unnamed.append(each)
    return named, tuple(unnamed)


def _relationships(bill: Bill, ids: list[str]) -> list[dict[str, str]]:
    made = [_relationship(DOCUMENT, "DESCRIBES", ROOT)]
    packages = bill.packages
    for name, package in zip(ids, packages.packages, strict=True):
        if package.direct and package.development:
            made.append(_relationship(name, "DEV_DEPENDENCY_OF", ROOT))
        elif package.direct:
            made.append(_relationship(ROOT, "DEPENDS_ON", name))
        else:
            made.append(_relationship(ROOT, "CONTAINS", name))
    for name, parts in zip(ids, packages.needs, strict=bool(packages.needs)):
        made += [_relationship(name, "DEPENDS_ON", ids[part]) for part in parts]
    return made


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
