"""What a bill of materials is made of: the packages of all lock files of a subject, and where each stands.

Guarantees: the same content gives the same document, byte for byte; a time is in it only when one is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, package_of, purl_of
from assaymark.checks.application.dependencies.packages import Package, PackageSet
from assaymark.checks.application.dependencies.readers.gathering import Gathering

EPOCH = "1970-01-01T00:00:00Z"
"""Where a format wants a time and none is given."""
Place = tuple[str, int]
"""(lock file, line)."""


class Bill(Struct, frozen=True):
    """A bill before it has a format."""

    name: str
    """What it is a bill of."""
    packages: PackageSet
    places: tuple[tuple[Place, ...], ...] = ()
    """For each package the lock files that name it; empty when nobody asked."""
    version: str = ""
    timestamp: str = ""
    """RFC 3339 in UTC; empty for none."""
    tool: str = ""
    """Our version."""


class Facts(Struct, frozen=True, omit_defaults=True):
    """What a package URL does not hold, kept beside it so that our own bills are read back whole."""

    name: str = ""
    """Only when the URL changes it (capital letters of Go modules)."""
    line: int = 0
    source: str = ""
    hashes: tuple[str, ...] = ()
    """Those that the format has no name for."""


def joined(sets: Iterable[tuple[str, PackageSet]]) -> tuple[PackageSet, tuple[tuple[Place, ...], ...]]:
    """One set of the sets of several lock files, and for each package where it stands.

    A package's line is kept when it stands in one place only.
    """
    rows = list(sets)
    gathering = Gathering(
        knows_direct=bool(rows) and all(each.knows_direct for _, each in rows), knows_needs=any(each.needs for _, each in rows)
    )
    places: dict[tuple[str, str, str, str], list[Place]] = {}
    for path, packages in rows:
        positions = [gathering.add(package) for package in packages.packages]
        for package in packages.packages:
            places.setdefault(_key(package), []).append((path, package.line))
        for whole, parts in zip(positions, packages.needs, strict=bool(packages.needs)):
            gathering.need_all(whole, [positions[part] for part in parts])
        for line, sentence in packages.problems:
            gathering.problem(line if len(rows) == 1 else 0, sentence if len(rows) == 1 else f"{path}:{line}: {sentence}")
    releases = {each.release for _, each in rows}
    made = gathering.finished(releases.pop() if len(releases) == 1 else "")
    stands = tuple([tuple(sorted(places[_key(package)])) for package in made.packages])
    lines = [where[0][1] if len(where) == 1 else 0 for where in stands]
    found = [msgspec.structs.replace(package, line=line) for package, line in zip(made.packages, lines, strict=True)]
    return msgspec.structs.replace(made, packages=tuple(found)), stands


class Url(Struct, frozen=True):
    """A package's URL."""

    text: str
    """Empty where the name cannot stand in one."""
    exact: bool
    """Whether name, version and ecosystem can be read back from it."""


def urls(packages: PackageSet) -> list[Url]:
    """A package URL for each package."""
    made = []
    for package in packages.packages:
        try:
            purl = purl_of(package, packages.release)
        except PurlInvalid:
            made.append(Url("", exact=False))
            continue
        back = package_of(purl)
        exact = back is not None and (back.name, back.version, back.ecosystem) == (package.name, package.version, package.ecosystem)
        made.append(Url(str(purl), exact))
    return made


def references(packages: PackageSet, purls: list[Url]) -> list[str]:
    """A reference for each package that no other has: its URL, and its source where two would have one."""
    seen: dict[str, int] = {}
    made = []
    for package, purl in zip(packages.packages, purls, strict=True):
        reference = purl.text or f"{package.ecosystem}:{package.name}@{package.version}"
        count = seen[reference] = seen.get(reference, 0) + 1
        made.append(reference if count == 1 else f"{reference}#{package.source}-{count}")
    return made


def facts_of(package: Package, purl: Url, unnamed: tuple[str, ...], *, line: bool) -> Facts:
    """What has to be kept beside the URL."""
    return Facts(
        name="" if purl.exact else package.name,
        line=package.line if line else 0,
        source="" if package.source == "registry" else package.source,
        hashes=unnamed,
    )


def identity(document: object) -> str:
    """A UUID (version 8) that is the same for the same content."""
    digest = bytearray(hashlib.sha256(msgspec.json.encode(document, order="sorted")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _key(package: Package) -> tuple[str, str, str, str]:
    return package.ecosystem, package.name, package.version, package.source
