"""Swift's ``Package.resolved`` (versions 1 to 3) and CocoaPods' ``Podfile.lock``."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.plain_yaml import Table, tables
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_POD = re.compile(r"(?P<name>\S+)(?: \((?P<version>[^)]*)\))?(?: .*)?\Z")
_ADDRESS = re.compile(r"(?:[a-z+]+://)?(?:[^@/]+@)?(?P<rest>.+?)(?:\.git)?/?\Z", re.DOTALL)
_NEWEST = 3


class _State(Struct):
    version: str | None = None
    revision: str | None = None


class _Pin(Struct, rename="camel"):
    location: str = ""
    repository_url: str = field(default="", name="repositoryURL")
    package: str = ""
    identity: str = ""
    kind: str = ""
    state: _State = field(default_factory=_State)


class _Pins(Struct):
    pins: list[_Pin] = field(default_factory=list)


class _Resolved(Struct):
    version: int
    pins: list[_Pin] = field(default_factory=list)
    object: _Pins = field(default_factory=_Pins)


def read_swift(content: bytes) -> PackageSet:
    """``Package.resolved``; the name is the repository's address, as in advisories (``github.com/vapor/vapor``).

    Raises:
        Unreadable: when it is none of a version that is known.
    """
    file = json_of(content, _Resolved)
    if not 1 <= file.version <= _NEWEST:
        raise Unreadable("unsupported", f"version {file.version} of Package.resolved is not known; versions 1 to {_NEWEST} are")
    gathering = Gathering()
    lines = Lines(content)
    for pin in file.pins or file.object.pins:
        address = pin.location or pin.repository_url
        line = lines.of_pair("location" if pin.location else "repositoryURL", address)
        version = pin.state.version or pin.state.revision or ""
        source = Source.PATH if pin.kind.startswith("local") else Source.REGISTRY if pin.state.version else Source.GIT
        name = swift_name(address) if address else pin.identity or pin.package
        gathering.add(Package(name, version, Ecosystem.SWIFT, line, source=source))
    return gathering.finished()


def swift_name(address: str) -> str:
    """``https://github.com/vapor/vapor.git`` as ``github.com/vapor/vapor``."""
    found = _ADDRESS.match(address)
    rest = found["rest"] if found else address
    host, _, path = rest.partition("/")
    return f"{host.replace(':', '/', 1).lower()}/{path}" if path else rest.replace(":", "/", 1)


def read_podfile(content: bytes) -> PackageSet:
    """``Podfile.lock``; parts of a pod (``Pod/Part``) are packages of their own, as CocoaPods writes them.

    Raises:
        Unreadable: when it is none.
    """
    gathering = Gathering(knows_direct=True, knows_needs=True)
    rows = enumerate(text_of(content).splitlines(), 1)
    at_line = {line.strip(" -").rstrip(":").strip("\"'"): number for number, line in rows if line.startswith("  - ")}
    for document in tables(content):
        external = document.table("EXTERNAL SOURCES")
        asked = {_pod(text)[0] for text in document.texts("DEPENDENCIES")}
        pods = document.get("PODS")
        if pods is not None and not isinstance(pods, list):
            raise Unreadable("schema", "PODS is no list; run `pod install` to write the file anew", document.lines["PODS"])
        places: dict[str, int] = {}
        brought: list[tuple[int, list[Any]]] = []
        for line, text, parts in _pods(pods or []):
            name, version = _pod(text)
            source = _external(external.table(name.partition("/")[0]))
            places[name] = gathering.add(
                Package(name, version, Ecosystem.COCOAPODS, line or at_line.get(text, 0), name in asked, source=source)
            )
            brought.append((places[name], parts))
        for at, parts in brought:
            gathering.need_all(at, [places.get(_pod(part)[0], -1) for part in parts if isinstance(part, str)])
    return gathering.finished()


def _pods(pods: list[Any]) -> list[tuple[int, str, list[Any]]]:
    found = []
    for each in pods:
        if isinstance(each, Table):
            for key, parts in each.items():
                found.append((each.lines.get(key, 0), key, parts if isinstance(parts, list) else []))
        elif isinstance(each, str):
            found.append((0, each, []))
    return found


def _pod(text: str) -> tuple[str, str]:
    found = _POD.match(text)
    if found is None:
        raise Unreadable("schema", f"`{one_line(text, 60)}` names no pod; run `pod install` to write the file anew")
    return found["name"], (found["version"] or "").removeprefix("= ")


def _external(where: Table) -> Source:
    if ":path" in where:
        return Source.PATH
    return Source.GIT if ":git" in where else Source.REGISTRY
