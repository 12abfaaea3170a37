"""dpkg's status file, and the ones of single packages in images without dpkg: deb822(5).

Packages that are only known (removed, with configuration left) are not installed and not listed. `upstream` is the source package,
because that is what Debian's and Ubuntu's advisories speak of, and `upstream_version` its version where it is another than the package's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set, text_of
from assaymark.checks.reading.inventory.release import parts_of, release_of
from assaymark.checks.reading.yaml_tree import Unreadable

_FIELD = re.compile(rb"^(Package|Status|Version|Source):[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_SOURCE = re.compile(r"(?P<name>[^\s(]+)(?: +\((?P<version>[^)]+)\))?")
_STANZA_END = re.compile(rb"\n(?:[ \t]*\n)+")


def read_dpkg(content: bytes) -> PackageSet:
    """The installed packages.

    Raises:
        Unreadable: when this is no status file.
    """
    databases, os_release = parts_of(content)
    release = release_of(os_release, Ecosystem.DEBIAN)
    packages = [package for database in databases.values() for package in _packages(database, release.ecosystem, alone=os_release is None)]
    if not packages and any(database.strip() for database in databases.values()):
        raise Unreadable("format", "No installed package is named; this is no status file of dpkg, or a damaged one.")
    return package_set(packages, release=release.version, problems=[release.problem] if release.problem else ())


def _packages(data: bytes, ecosystem: Ecosystem, *, alone: bool) -> Iterator[Package]:
    line, at = 1, 0
    for stanza in _stanzas(data):
        start, text = stanza
        line += data.count(b"\n", at, start)
        at = start
        fields: dict[bytes, bytes] = {}
        for found in _FIELD.finditer(text):
            fields.setdefault(found[1], found[2])
        state = fields.get(b"Status", b"install ok installed").split()
        name, version = fields.get(b"Package", b""), fields.get(b"Version", b"")
        if not name or not version or not state or state[-1] not in {b"installed", b"triggers-pending", b"triggers-awaited"}:
            continue
        source = _SOURCE.match(text_of(fields.get(b"Source", b"")))
        upstream, upstream_version = (source["name"], source["version"] or "") if source else (text_of(name), "")
        shown = text_of(name)
        yield Package(
            name=shown,
            version=text_of(version),
            ecosystem=ecosystem,
            line=line if alone else 0,
            upstream=upstream if upstream != shown else "",
            upstream_version=upstream_version,
        )


def _stanzas(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    for end in _STANZA_END.finditer(data):
        yield start, data[start : end.start()]
        start = end.end()
    yield start, data[start:]
