"""apk's database of installed packages: lines ``<letter>:<value>``, packages apart by an empty line."""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set, text_of
from assaymark.checks.reading.inventory.release import parts_of, release_of
from assaymark.checks.reading.yaml_tree import Unreadable


def read_apk(content: bytes) -> PackageSet:
    """The installed packages; `upstream` is the package that they were built from, as Alpine's advisories name it.

    Raises:
        Unreadable: when this is no such database.
    """
    databases, os_release = parts_of(content)
    release = release_of(os_release, Ecosystem.ALPINE)
    packages = [package for database in databases.values() for package in _packages(database, release.ecosystem, alone=os_release is None)]
    if not packages and any(database.strip() for database in databases.values()):
        raise Unreadable("format", "No package is named; this is no database of apk, or a damaged one.")
    return package_set(packages, release=release.version, problems=[release.problem] if release.problem else ())


def _packages(data: bytes, ecosystem: Ecosystem, *, alone: bool) -> Iterator[Package]:
    fields: dict[bytes, bytes] = {}
    first = 1
    for number, line in enumerate([*data.split(b"\n"), b""], 1):
        if line.strip():
            if line[1:2] == b":" and line[:1] in b"PVo":
                fields.setdefault(line[:1], line[2:].strip())
                first = number if line[:1] == b"P" else first
            continue
        name, version, origin = (text_of(fields.get(key, b"")) for key in (b"P", b"V", b"o"))
        if name and version:
            upstream = origin if origin != name else ""
            yield Package(name=name, version=version, ecosystem=ecosystem, line=first if alone else 0, upstream=upstream)
        fields = {}
