"""NuGet's ``packages.lock.json`` and ``packages.config``, and the ``*.deps.json`` that a build leaves beside a program."""

from __future__ import annotations

import binascii

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.texts import Lines, hex_of, json_of, without_double_keys
from assaymark.checks.application.dependencies.readers.xml_text import elements
from assaymark.checks.reading.yaml_tree import Unreadable


class _Row(Struct, rename="camel"):
    type: str = ""
    resolved: str = ""
    content_hash: str = ""
    dependencies: dict[str, str] = field(default_factory=dict)


class _Lock(Struct):
    version: int
    dependencies: dict[str, dict[str, _Row]] = field(default_factory=dict)


def read_nuget_lock(content: bytes) -> PackageSet:
    """``packages.lock.json``; a package of several frameworks is one package, projects are the project's own.

    Raises:
        Unreadable: when it is no lock file of NuGet of a version that is known.
    """
    file = json_of(content, _Lock)
    if file.version not in {1, 2}:
        raise Unreadable("unsupported", f"version {file.version} of packages.lock.json is not known; versions 1 and 2 are")
    without_double_keys(content)
    gathering = Gathering(knows_direct=True, knows_needs=True)
    lines = Lines(content)
    for framework, rows in file.dependencies.items():
        lines.of_key(framework, b"{")
        places: dict[str, int] = {}
        asked: list[str] = []
        for name, row in rows.items():
            line = lines.of_key(name, b"{")
            if row.type == "Project":
                places[name.lower()] = -1
                asked += row.dependencies
                continue
            direct = row.type == "Direct"
            places[name.lower()] = gathering.add(
                Package(name, row.resolved, Ecosystem.NUGET, line, direct, hashes=_base64(row.content_hash))
            )
        gathering.ask_for([places.get(name.lower(), -1) for name in asked])
        for name, row in rows.items():
            gathering.need_all(places[name.lower()], [places.get(part.lower(), -1) for part in row.dependencies])
    return gathering.finished()


def _base64(value: str) -> tuple[str, ...]:
    try:
        return (f"sha512:{binascii.a2b_base64(value).hex()}",) if len(value) == 88 else ()
    except ValueError:
        return ()


class _Library(Struct):
    type: str = ""
    sha512: str = ""


class _Target(Struct, rename="camel"):
    dependencies: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, object] = field(default_factory=dict)
    runtime_targets: dict[str, object] = field(default_factory=dict)
    native: dict[str, object] = field(default_factory=dict)

    @property
    def ships(self) -> bool:
        """Something of it lies beside the program; otherwise the platform has it, or it only names others."""
        return bool(self.runtime or self.runtime_targets or self.native)


class _Deps(Struct):
    libraries: dict[str, _Library]
    targets: dict[str, dict[str, _Target]] = field(default_factory=dict)


def read_deps_json(content: bytes) -> PackageSet:
    """``*.deps.json``; what the program's own projects ask for is ``direct``.

    Raises:
        Unreadable: when it is none.
    """
    file = json_of(content, _Deps)
    without_double_keys(content)
    lines = Lines(content, content.find(b'"libraries"'))
    gathering = Gathering(knows_direct=True, knows_needs=True)
    named = {key for rows in file.targets.values() for key in rows}
    shipped = {key for rows in file.targets.values() for key, target in rows.items() if target.ships}
    places = {}
    for key, row in file.libraries.items():
        line = lines.of_key(key, b"{")
        places[key] = _add(gathering, key, row, line) if key in shipped or key not in named else -1
    for rows in file.targets.values():
        for key, target in rows.items():
            parts = [places.get(f"{name}/{version}", -1) for name, version in target.dependencies.items()]
            if file.libraries.get(key, _Library()).type == "project":
                gathering.ask_for(parts)
            gathering.need_all(places.get(key, -1), parts)
    return gathering.finished()


def _add(gathering: Gathering, key: str, row: _Library, line: int) -> int:
    name, _, version = key.partition("/")
    if row.type not in {"package", "runtimepack"}:
        return -1
    name = name.removeprefix("runtimepack.")
    return gathering.add(Package(name, version, Ecosystem.NUGET, line, hashes=tuple(filter(None, (hex_of(row.sha512),)))))


def read_packages_config(content: bytes) -> PackageSet:
    """``packages.config``, which names every package that is installed, also those that others bring.

    Raises:
        Unreadable: when it is none.
    """
    root = elements(content)
    if root.name != "packages":
        raise Unreadable("schema", "the root is no list of packages; restore the file that NuGet wrote")
    gathering = Gathering()
    for each in root.all("package"):
        development = each.attributes.get("developmentDependency", "").lower() == "true"
        name, version = each.attributes.get("id", ""), each.attributes.get("version", "")
        gathering.add(Package(name, version if version[:1].isdigit() else "", Ecosystem.NUGET, each.line, development=development))
    return gathering.finished()
