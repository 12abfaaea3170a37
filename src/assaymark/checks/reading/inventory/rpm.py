"""rpm's database in SQLite. The older forms (Berkeley DB, NDB) are told apart and are gaps, never empty lists.

Keys of repositories, which rpm keeps among the packages (``gpg-pubkey``), are no software and left out.
"""

from __future__ import annotations

import msgspec

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set
from assaymark.checks.reading.inventory.release import parts_of, release_of
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.formats.rpm import RPM_LIST, DamagedHeader, RpmPackage, headers, package
from assaymark.formats.sqlite_pages import NotSqlite
from assaymark.formats.undecodable import UNDECODABLE

_BERKELEY = (b"\x61\x15\x06\x00", b"\x00\x06\x15\x61", b"\x62\x31\x05\x00", b"\x00\x05\x31\x62")
_WRITE_AHEAD = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


def read_rpm(content: bytes) -> PackageSet:
    """The installed packages; versions are ``[epoch:]version-release``.

    Raises:
        Unreadable: when the database is damaged.
    """
    databases, os_release = parts_of(content)
    release = release_of(os_release, Ecosystem.REDHAT)
    packages = [found for name, database in databases.items() for found in _packages(name, database, release.ecosystem)]
    return package_set(packages, release=release.version, problems=[release.problem] if release.problem else ())


def _packages(name: str, data: bytes, ecosystem: Ecosystem) -> list[Package]:
    if not data:
        return []
    form = _other_form(data)
    if form:
        raise Unreadable("unsupported", f"The packages of rpm are kept {form}, which is not read; use a newer release as the base.")
    try:
        listed = name.endswith(RPM_LIST)
        found = msgspec.json.decode(data, type=list[RpmPackage]) if listed else [package(header) for header in headers(data)]
    except (*UNDECODABLE, NotSqlite, DamagedHeader) as error:
        raise Unreadable("format", f"The database of rpm is damaged: {error}; get the image again.") from error
    return [Package(name=each.name, version=each.evr, ecosystem=ecosystem) for each in found if each.name != "gpg-pubkey"]


def _other_form(data: bytes) -> str:
    if data[12:16] in _BERKELEY:
        return "in Berkeley DB"
    if data.startswith(b"RpmP"):
        return "in NDB"
    return "partly in a write-ahead log" if data[:4] in _WRITE_AHEAD else ""
