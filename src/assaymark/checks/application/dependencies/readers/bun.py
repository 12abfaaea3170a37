"""Bun's textual lock file ``bun.lock``: JSON with comments and trailing commas."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line, reachable
from assaymark.checks.application.dependencies.readers.npm_names import commit_of, source_of_url
from assaymark.checks.application.dependencies.readers.texts import Lines, integrity, json_of, text_of, without_double_keys
from assaymark.checks.reading.yaml_tree import Unreadable

_LOOSE = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])|//[^\n]*|/\*.*?\*/', re.DOTALL)
_KEY_PART = re.compile(r"@[^/]+/[^/]+|[^/]+")
_NEWEST = 2
_DEEPEST = 30
_OWN = ("workspace:", "root:", "link:")
_PRODUCTION = ("dependencies", "optionalDependencies", "peerDependencies")


class _Workspace(Struct):
    dependencies: dict[str, Any] = field(default_factory=dict)
    devDependencies: dict[str, Any] = field(default_factory=dict)  # noqa: N815  bun's names
    optionalDependencies: dict[str, Any] = field(default_factory=dict)  # noqa: N815
    peerDependencies: dict[str, Any] = field(default_factory=dict)  # noqa: N815

    def runtime(self) -> list[str]:
        """Names of what runs."""
        return [*self.dependencies, *self.optionalDependencies, *self.peerDependencies]


class _File(Struct):
    lockfileVersion: int = 0  # noqa: N815
    workspaces: dict[str, _Workspace] = field(default_factory=dict)
    packages: dict[str, list[Any]] = field(default_factory=dict)


def read_bun(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of bun of a version that is known.
    """
    strict = _LOOSE.sub(lambda found: found[1] or "", text_of(content)).encode()
    file = json_of(strict, _File)
    without_double_keys(strict)
    if not 0 <= file.lockfileVersion <= _NEWEST:
        raise Unreadable("unsupported", f"lockfileVersion {file.lockfileVersion} is not known; versions 0 to {_NEWEST} are")
    keys = list(file.packages)
    at_key = {key: at for at, key in enumerate(keys)}
    needs = [_needs(key, file.packages[key], at_key) for key in keys]
    direct: set[int] = set()
    production: set[int] = set()
    for workspace in file.workspaces.values():
        runtime = {at_key.get(name, -1) for name in workspace.runtime()}
        direct |= runtime | {at_key.get(name, -1) for name in workspace.devDependencies}
        production |= runtime
    production = reachable(production, needs)
    gathering = Gathering(knows_direct=True, knows_needs=True)
    lines = Lines(content)
    places = [
        _add(gathering, row, lines.of_key(key, b"["), direct=at in direct, development=at not in production)
        for at, (key, row) in enumerate(file.packages.items())
    ]
    for at, parts in enumerate(needs):
        gathering.need_all(places[at], [places[part] for part in parts if part >= 0])
    return gathering.finished()


def _add(gathering: Gathering, row: list[Any], line: int, *, direct: bool, development: bool) -> int:
    first = row[0] if row and isinstance(row[0], str) else ""
    cut = first.find("@", 1)
    if cut < 0:
        gathering.problem(line, f"{one_line(first) or 'an entry'} names no exact version; run `bun install` to write the file anew")
        return -1
    name, version = first[:cut], first[cut + 1 :]
    if version.startswith(_OWN):
        return -1
    source = source_of_url(version) if ":" in version or "/" in version else Source.REGISTRY
    if source is Source.GIT:
        version = commit_of(version)
    elif source is not Source.REGISTRY:
        version = ""
    hashes = integrity(row[-1]) if isinstance(row[-1], str) and "-" in row[-1][:8] else ()
    return gathering.add(Package(name, version, Ecosystem.NPM, line, direct, development, source, "", hashes))


def _needs(key: str, row: list[Any], at_key: dict[str, int]) -> list[int]:
    """What the package needs: beside it in the tree of keys first, then further up."""
    parts = _KEY_PART.findall(key)
    if len(parts) > _DEEPEST:
        raise Unreadable("nesting", f"packages are nested more than {_DEEPEST} levels deep")
    found = []
    for info in row:
        if not isinstance(info, dict):
            continue
        for section in _PRODUCTION:
            names = info.get(section)
            for name in names if isinstance(names, dict) else ():
                for depth in range(len(parts), -1, -1):
                    at = at_key.get("/".join([*parts[:depth], name]))
                    if at is not None:
                        found.append(at)
                        break
    return found
