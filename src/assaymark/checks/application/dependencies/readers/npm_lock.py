"""npm's ``package-lock.json`` and ``npm-shrinkwrap.json``, versions 1 to 3.

A package is what stands below ``node_modules``; the project and the members of its workspaces are not packages, and what they ask for is
``direct``. Edges are found as Node finds modules: beside the asking package first, then further up.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.npm_names import pinned, source_of_url
from assaymark.checks.application.dependencies.readers.texts import Lines, integrity, json_entries, json_of
from assaymark.checks.reading.yaml_tree import Unreadable

_MODULES = "node_modules/"
_DEEPEST = 200
"""Levels of ``dependencies`` in version 1."""


class _Entry(Struct):
    """One value of ``packages`` (versions 2 and 3)."""

    name: str = ""
    version: str = ""
    resolved: str | bool = ""
    integrity: str = ""
    link: bool = False
    dev: bool = False
    dependencies: dict[str, Any] | UnsetType = UNSET
    optionalDependencies: dict[str, Any] | UnsetType = UNSET  # noqa: N815  npm's names
    peerDependencies: dict[str, Any] | UnsetType = UNSET  # noqa: N815
    devDependencies: dict[str, Any] | UnsetType = UNSET  # noqa: N815

    def asked(self) -> set[str]:
        """Names of what the package needs when it runs."""
        names: set[str] = set()
        for part in (self.dependencies, self.optionalDependencies, self.peerDependencies):
            if part is not UNSET:
                names.update(part)
        return names


class _Old(Struct):
    """One value of ``dependencies`` (version 1)."""

    version: str = ""
    resolved: str | bool = ""
    integrity: str = ""
    dev: bool = False
    requires: dict[str, Any] | bool = False
    dependencies: dict[str, _Old] | UnsetType = UNSET


class _File(Struct):
    lockfileVersion: int = 1  # noqa: N815
    packages: dict[str, _Entry] | UnsetType = UNSET
    dependencies: dict[str, Any] | UnsetType = UNSET


class _OldFile(Struct):
    dependencies: dict[str, _Old] | UnsetType = UNSET


def read_npm_lock(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of a version that is known.
    """
    try:
        file = json_of(content, _File)
    except Unreadable as why:
        raise json_entries(content, lambda tree: tree["packages"], _Entry, why) from why
    if not 1 <= file.lockfileVersion <= 3:
        raise Unreadable("unsupported", f"lockfileVersion {file.lockfileVersion} is not known; versions 1 to 3 are")
    if file.packages is not UNSET:
        return _Tree(content, file.packages).gathered()
    try:
        old = json_of(content, _OldFile)
    except Unreadable as why:
        raise json_entries(content, lambda tree: tree["dependencies"], _Old, why) from why
    return _OldTree(content).gathered({} if old.dependencies is UNSET else old.dependencies)


class _Tree:
    """Versions 2 and 3: a flat map from folder to entry."""

    def __init__(self, content: bytes, entries: dict[str, _Entry]) -> None:
        self._entries = entries
        self._lines = Lines(content)
        self._gathering = Gathering(knows_direct=True, knows_needs=True)
        self._at: dict[str, int] = {}
        self._scopes: dict[str, list[str]] = {}

    def gathered(self) -> PackageSet:
        entries = self._entries
        own = {path: entry for path, entry in entries.items() if _MODULES not in f"{path}/"}
        direct = {self._find(path, name) for path, entry in own.items() for name in _wanted(entry)}
        for path, entry in entries.items():
            if _is_package(path, entry):
                self._at[path] = self._gathering.add(self._package(path, entry, direct=path in direct))
        for path, at in self._at.items():
            if at < 0:
                continue
            for name in entries[path].asked():
                self._gathering.need(at, self._at.get(self._find(path, name), -1))
        return self._gathering.finished()

    def _package(self, path: str, entry: _Entry, *, direct: bool) -> Package:
        resolved = entry.resolved if isinstance(entry.resolved, str) else ""
        return Package(
            name=entry.name or path[path.rfind(_MODULES) + len(_MODULES) :],
            version=entry.version,
            ecosystem=Ecosystem.NPM,
            line=self._lines.of_key(path, b"{"),
            direct=direct,
            development=entry.dev,
            source=source_of_url(resolved),
            hashes=integrity(entry.integrity) if entry.integrity else (),
        )

    def _find(self, path: str, name: str) -> str:
        """The folder that Node takes for a name asked for in another folder; empty when there is none."""
        entries = self._entries
        found = f"{path}/{_MODULES}{name}" if path else _MODULES + name
        entry = entries.get(found)
        if entry is None:
            for scope in self._above(path[: path.rfind(_MODULES) + len(_MODULES)] if _MODULES in path else f"{path}/{_MODULES}"):
                found = scope + name
                entry = entries.get(found)
                if entry is not None:
                    break
            else:
                return ""
        return entry.resolved if entry.link and isinstance(entry.resolved, str) else found

    def _above(self, scope: str) -> list[str]:
        """A folder of modules and those further up."""
        known = self._scopes.get(scope)
        if known is None:
            known = [scope]
            folder = scope[: -len(_MODULES)]
            while folder:
                folder = folder[: folder.rfind("/", 0, -1) + 1]
                if not folder.endswith(_MODULES):
                    known.append(folder + _MODULES)
            self._scopes[scope] = known
        return known


class _OldTree:
    """Version 1: a tree of maps, as folders are nested."""

    def __init__(self, content: bytes) -> None:
        self._lines = Lines(content)
        self._gathering = Gathering(knows_needs=True)
        self._asking: list[tuple[int, dict[str, Any], tuple[dict[str, int], ...]]] = []

    def gathered(self, top: dict[str, _Old]) -> PackageSet:
        self._level(top, (), 0)
        for at, names, scopes in self._asking:
            for name in names:
                self._gathering.need(at, next((scope[name] for scope in scopes if name in scope), -1))
        return self._gathering.finished()

    def _level(self, entries: dict[str, _Old], above: tuple[dict[str, int], ...], depth: int) -> dict[str, int]:
        if depth > _DEEPEST:
            raise Unreadable("nesting", f"dependencies are nested more than {_DEEPEST} levels deep")
        scope: dict[str, int] = {}
        scopes = (scope, *above)
        for name, entry in entries.items():
            scope[name] = at = self._add(name, entry)
            inner = {} if entry.dependencies is UNSET else self._level(entry.dependencies, scopes, depth + 1)
            if isinstance(entry.requires, dict) and at >= 0:
                self._asking.append((at, entry.requires, (inner, *scopes) if inner else scopes))
        return scope

    def _add(self, name: str, entry: _Old) -> int:
        line = self._lines.of_key(name, b"{")
        found = pinned(name, entry.version)
        if found.own:
            return -1
        resolved = entry.resolved if isinstance(entry.resolved, str) else ""
        return self._gathering.add(
            Package(
                name=found.name,
                version=found.version,
                ecosystem=Ecosystem.NPM,
                line=line,
                development=entry.dev,
                source=found.source if found.source is not Source.REGISTRY else source_of_url(resolved),
                hashes=integrity(entry.integrity) if entry.integrity else (),
            )
        )


def _is_package(path: str, entry: _Entry) -> bool:
    return _MODULES in path and not entry.link


def _wanted(entry: _Entry) -> set[str]:
    """Names that a project or a workspace asks for."""
    return entry.asked() | set(() if entry.devDependencies is UNSET else entry.devDependencies)
