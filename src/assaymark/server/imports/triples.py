"""SPDX 3.0 in JSON-LD as the same bill in SPDX 2.3 JSON, which is what is read.

Guarantees: reads the `@graph` of documents that use the specification's own context, as tools write them; a document that names things by
a context of its own is not resolved, and what it says under other names is not seen. Relationships that are no dependency are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from assaymark.server.imports.documents import decoded

_DEPENDS = {
    "dependsOn": "DEPENDS_ON",
    "hasDynamicLink": "DEPENDS_ON",
    "hasStaticLink": "DEPENDS_ON",
    "hasProvidedDependency": "DEPENDS_ON",
    "hasOptionalDependency": "DEPENDS_ON",
    "contains": "CONTAINS",
}
_HASHES = {"md5": "MD5", "sha1": "SHA1", "sha224": "SHA224", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_PURPOSES = {"application", "container", "file", "operatingSystem", "source"}


class _Identifier(Struct):
    kind: str = field(name="externalIdentifierType", default="")
    value: str = field(name="identifier", default="")


class _Hash(Struct):
    algorithm: str = ""
    value: str = field(name="hashValue", default="")


class _Element(Struct):
    type: str = ""
    old_type: str = field(name="@type", default="")
    id: str = field(name="spdxId", default="")
    old_id: str = field(name="@id", default="")
    name: str = ""
    version: str | None = field(name="software_packageVersion", default=None)
    url: str | None = field(name="software_packageUrl", default=None)
    purpose: str | None = field(name="software_primaryPurpose", default=None)
    identifiers: list[_Identifier] | None = field(name="externalIdentifier", default=None)
    hashes: list[_Hash | str] | None = field(name="verifiedUsing", default=None)
    roots: list[str] | None = field(name="rootElement", default=None)
    start: str | None = field(name="from", default=None)
    ends: list[str] | str | None = field(name="to", default=None)
    relation: str | None = field(name="relationshipType", default=None)
    scope: str | None = None


class _Document(Struct):
    graph: list[_Element] = field(name="@graph")


def as_spdx2(data: bytes) -> bytes:
    """The bill in SPDX 2.3.

    Raises:
        UsageError: when it is no SPDX 3.0.
    """
    graph = decoded(data, _Document, "SPDX 3.0").graph
    roots = [root for row in graph if _kind(row) in ("SpdxDocument", "software_Sbom", "Bom") for root in row.roots or ()]
    boms = {row.id or row.old_id: row.roots or [] for row in graph if _kind(row) in ("software_Sbom", "Bom")}
    described = list(dict.fromkeys(inner for root in roots for inner in boms.get(root, [root])))
    packages = [_package(row) for row in graph if _kind(row) in ("software_Package", "ai_AIPackage", "dataset_DatasetPackage")]
    document = {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "documentDescribes": described,
        "packages": packages,
        "relationships": [
            *({"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": one} for one in described),
            *_relations(graph),
        ],
    }
    return msgspec.json.encode(document)


def _kind(row: _Element) -> str:
    return (row.type or row.old_type).rpartition("/")[2].removeprefix("Core_")


def _package(row: _Element) -> dict[str, Any]:
    purl = row.url or next((one.value for one in row.identifiers or () if one.kind in ("packageUrl", "purl")), "")
    hashes = [one for one in row.hashes or () if isinstance(one, _Hash) and one.algorithm in _HASHES]
    found: dict[str, Any] = {"SPDXID": row.id or row.old_id, "name": row.name, "versionInfo": row.version or ""}
    if purl:
        found["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]
    if hashes:
        found["checksums"] = [{"algorithm": _HASHES[one.algorithm], "checksumValue": one.value} for one in hashes]
    if row.purpose in _PURPOSES:
        found["primaryPackagePurpose"] = "OPERATING-SYSTEM" if row.purpose == "operatingSystem" else row.purpose.upper()
    return found


def _relations(graph: list[_Element]) -> Iterator[dict[str, str]]:
    for row in graph:
        kind = _DEPENDS.get(row.relation or "")
        if kind is None or not row.start:
            continue
        for end in [row.ends] if isinstance(row.ends, str) else row.ends or ():
            if row.scope == "development" and kind == "DEPENDS_ON":
                yield {"spdxElementId": end, "relationshipType": "DEV_DEPENDENCY_OF", "relatedSpdxElement": row.start}
            else:
                yield {"spdxElementId": row.start, "relationshipType": kind, "relatedSpdxElement": end}
