"""Conan's ``conan.lock`` of Conan 1 (a graph) and Conan 2 (lists)."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, without_double_keys
from assaymark.checks.reading.yaml_tree import Unreadable

_REFERENCE = re.compile(
    r"(?P<name>[^/@#%\s]+)/(?P<version>[^/@#%:\s]+)(?:@[^#%\s]*)?(?:#[0-9a-f]+)?(?::[^%#]*(?:#[0-9a-f]+)?)?(?:%[0-9.]+)?\Z"
)


class _Node(Struct):
    ref: str | None = None
    pref: str | None = None
    """Of versions before 0.4: the reference with the package's own id."""
    requires: list[str] | dict[str, Any] = field(default_factory=list)
    build_requires: list[str] | dict[str, Any] = field(default_factory=list)
    context: str = ""


class _Graph(Struct):
    nodes: dict[str, _Node] = field(default_factory=dict)


class _File(Struct):
    version: str = ""
    graph_lock: _Graph | None = None
    requires: list[str] = field(default_factory=list)
    build_requires: list[str] = field(default_factory=list)
    python_requires: list[str] = field(default_factory=list)


def read_conan(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of conan.
    """
    file = json_of(content, _File)
    without_double_keys(content)
    lines = Lines(content)
    if file.graph_lock is not None:
        return _graph(file.graph_lock, lines)
    if not file.version:
        raise Unreadable("schema", "the file names no version; run `conan lock create` to write it anew")
    gathering = Gathering()
    for section, references in (
        ("requires", file.requires),
        ("build_requires", file.build_requires),
        ("python_requires", file.python_requires),
    ):
        first = lines.of_key(section, b"[") if references else 0
        for reference in references:
            _add(gathering, reference, first, development=section != "requires")
    return gathering.finished()


def _graph(graph: _Graph, lines: Lines) -> PackageSet:
    """A node without a reference or with the path of a recipe is the project itself."""
    gathering = Gathering(knows_direct=True, knows_needs=True)
    places: dict[str, int] = {}
    asked: list[str] = []
    for key, node in graph.nodes.items():
        line = lines.of_key(key, b"{")
        reference = node.ref or node.pref
        if not reference or key == "0":
            asked += _numbers(node)
        else:
            places[key] = _add(gathering, reference, line, development=node.context == "build")
    gathering.ask_for([places.get(key, -1) for key in asked])
    for key, node in graph.nodes.items():
        gathering.need_all(places.get(key, -1), [places.get(part, -1) for part in _numbers(node)])
    return gathering.finished()


def _numbers(node: _Node) -> list[str]:
    """Keys of the nodes that a node needs; the oldest versions write them as values of a mapping."""
    parts = (part.values() if isinstance(part, dict) else part for part in (node.requires, node.build_requires))
    return [key for part in parts for key in part if isinstance(key, str)]


def _add(gathering: Gathering, reference: str, line: int, *, development: bool) -> int:
    found = _REFERENCE.match(reference)
    if found is None or found["version"].startswith("["):
        gathering.problem(line, f"`{one_line(reference, 60)}` names no exact version; run `conan lock create`")
        return -1
    return gathering.add(Package(found["name"], found["version"], Ecosystem.CONAN, line, development=development))
