"""Bills of materials in SPDX 2.2 and 2.3 JSON, our own and those of other tools."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct, field

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, package_of, parse
from assaymark.checks.application.dependencies.bom.spdx import DOCUMENT, Part, Whole
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.cyclonedx import unnamed, written
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of
from assaymark.checks.reading.yaml_tree import Unreadable

_HASHES = {
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA224": "sha224",
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
    "BLAKE2b-512": "blake2b",
}
_NEEDED_BY = frozenset(
    {
        "DEPENDENCY_OF",
        "DEV_DEPENDENCY_OF",
        "TEST_DEPENDENCY_OF",
        "BUILD_DEPENDENCY_OF",
        "OPTIONAL_DEPENDENCY_OF",
        "PROVIDED_DEPENDENCY_OF",
        "RUNTIME_DEPENDENCY_OF",
    }
)
_DEVELOPMENT = frozenset({"DEV_DEPENDENCY_OF", "TEST_DEPENDENCY_OF", "BUILD_DEPENDENCY_OF"})
_T = TypeVar("_T")
_OURS = "assaymark: "
_NO_PACKAGES = frozenset({"APPLICATION", "CONTAINER", "FILE", "OPERATING-SYSTEM", "SOURCE"})
_NOT_SAID = frozenset({"", "NOASSERTION", "NONE"})
_ECOSYSTEMS = {each.value: each for each in Ecosystem}
_SOURCES = {each.value: each for each in Source}


class _Annotation(Struct):
    comment: str = ""


class _Reference(Struct, rename="camel"):
    reference_type: str = ""
    reference_locator: str = ""


class _Checksum(Struct, rename="camel"):
    algorithm: str = ""
    checksum_value: str = ""


class _Row(Struct, rename="camel"):
    name: str
    id: str = field(name="SPDXID")
    version_info: str = ""
    external_refs: list[_Reference] = field(default_factory=list)
    checksums: list[_Checksum] = field(default_factory=list)
    annotations: list[_Annotation] = field(default_factory=list)
    primary_package_purpose: str = ""


class _Relationship(Struct, rename="camel"):
    spdx_element_id: str
    relationship_type: str
    related_spdx_element: str


class _Document(Struct, rename="camel"):
    spdx_version: str
    packages: list[_Row] = field(default_factory=list)
    relationships: list[_Relationship] = field(default_factory=list)
    document_describes: list[str] = field(default_factory=list)


def read_spdx(content: bytes) -> PackageSet:
    """The packages of the bill.

    Raises:
        Unreadable: when it is no SPDX JSON of version 2.
    """
    file = json_of(content, _Document)
    if not file.spdx_version.startswith("SPDX-2."):
        raise Unreadable("unsupported", f"{one_line(file.spdx_version, 40)} is not known; SPDX 2.2 and 2.3 are")
    roots = set(file.document_describes)
    roots |= {
        row.related_spdx_element for row in file.relationships if (row.spdx_element_id, row.relationship_type) == (DOCUMENT, "DESCRIBES")
    }
    needs = [(row.spdx_element_id, row.related_spdx_element) for row in file.relationships if row.relationship_type == "DEPENDS_ON"]
    needs += [(row.related_spdx_element, row.spdx_element_id) for row in file.relationships if row.relationship_type in _NEEDED_BY]
    development = {row.spdx_element_id for row in file.relationships if row.relationship_type in _DEVELOPMENT}
    wanted = {part for whole, part in needs if whole in roots}
    whole = next((_fact(row, Whole) for row in file.packages if row.id in roots and _fact(row, Whole) is not None), None)
    edges = any(one not in roots for one, _ in needs)
    gathering = Gathering(
        knows_direct=whole.knows_direct if whole else bool(wanted),
        knows_needs=whole.knows_needs if whole else edges,
    )
    lines = Lines(content)
    places: dict[str, int] = {}
    for row in file.packages:
        line = lines.of_pair("SPDXID", row.id)
        is_root = row.id in roots and (whole is not None or not any(_purl(row)))
        places[row.id] = -1 if is_root else _add(gathering, row, line, direct=row.id in wanted, development=row.id in development)
    for one, part in needs:
        gathering.need(places.get(one, -1), places.get(part, -1))
    for line, sentence in whole.gaps if whole else ():
        gathering.problem(line, one_line(sentence, 400))
    return gathering.finished(whole.release if whole else "")


def _fact(row: _Row, kind: type[_T]) -> _T | None:
    """What our own annotation holds."""
    for each in row.annotations:
        if each.comment.startswith(_OURS):
            try:
                return msgspec.json.decode(each.comment[len(_OURS) :], type=kind)
            except (msgspec.DecodeError, RecursionError):
                return None
    return None


def _purl(row: _Row) -> str:
    return next((each.reference_locator for each in row.external_refs if each.reference_type == "purl"), "")


def _add(gathering: Gathering, row: _Row, line: int, *, direct: bool, development: bool) -> int:
    part = _fact(row, Part)
    package = _package(row, part)
    if package is None:
        if row.primary_package_purpose not in _NO_PACKAGES or _purl(row):
            gathering.problem(line, unnamed(_purl(row), row.name))
        return -1
    hashes = {f"{_HASHES[each.algorithm]}:{each.checksum_value.lower()}" for each in row.checksums if each.algorithm in _HASHES}
    hashes = set(written(package.ecosystem, hashes))
    if part is not None:
        hashes |= set(part.facts.hashes)
        line = part.facts.line or (part.places[0][1] if len(part.places) == 1 else 0)
        direct, development = part.direct, part.development
    source = _SOURCES.get(part.facts.source, Source.REGISTRY) if part else Source.REGISTRY
    version = package.version or ("" if row.version_info in _NOT_SAID else row.version_info)
    return gathering.add(
        Package(package.name, version, package.ecosystem, line, direct, development, source, package.upstream, tuple(sorted(hashes)))
    )


def _package(row: _Row, part: Part | None) -> Package | None:
    ecosystem = _ECOSYSTEMS.get(part.ecosystem) if part else None
    if ecosystem is not None and part is not None:
        return Package(row.name, row.version_info, ecosystem, upstream=part.upstream)
    try:
        return package_of(parse(_purl(row))) if _purl(row) else None
    except PurlInvalid:
        return None
