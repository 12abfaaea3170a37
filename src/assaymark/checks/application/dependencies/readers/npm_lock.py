"""npm's ``package-lock.json`` and ``npm-shrinkwrap.json``, versions 1 to 3.

A package is what stands below ``node_modules``; the project and the members of its workspaces are not packages, and what they ask for is
``direct``. Edges are found as Node finds modules: beside the asking package first, then further up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.npm_names import commit_of, pinned, source_of_url
from assaymark.checks.application.dependencies.readers.texts import Lines, integrity, json_entries, json_of, without_double_keys
from assaymark.checks.reading.yaml_tree import Unreadable

_MODULES = "node_modules/"
_LONGEST_PATH = 4096
_DEEPEST = 200
"""Levels of ``dependencies`` in version 1."""


class _Entry(Struct, gc=False):
    """One value of ``packages`` (versions 2 and 3)."""

    name: str = ""
    version: str = ""
    resolved: str | bool | UnsetType = UNSET
    integrity: str = ""
    link: bool = False
    dev: bool = False
    dependencies: dict[str, Any] | None = None
    optionalDependencies: dict[str, Any] | None = None  # noqa: N815  npm's names
    peerDependencies: dict[str, Any] | None = None  # noqa: N815
    devDependencies: dict[str, Any] | None = None  # noqa: N815

    def asked(self) -> Iterable[str]:
        """Names of what the package needs when it runs."""
        if self.peerDependencies or self.optionalDependencies:
            return [*(self.dependencies or ()), *(self.optionalDependencies or ()), *(self.peerDependencies or ())]
        return self.dependencies or ()


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
        # A key that stands twice leaves fewer entries than keys; looking at every object costs more than all the rest.
        if content.count(b'"node_modules/') >= len(file.packages):
            without_double_keys(content)
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
        self._modules: dict[str, dict[str, int]] = {}
        """Folder of modules (``packages/a/node_modules/``) -> name there -> position."""
        self._above: dict[str, list[dict[str, int]]] = {}
        self._known: dict[tuple[object, ...], int] = {}

    def gathered(self) -> PackageSet:
        gathering = self._gathering
        asking: list[tuple[int, str, str, _Entry]] = []
        own: list[tuple[str, _Entry]] = []
        for path, entry in self._entries.items():
            cut = path.rfind(_MODULES) + len(_MODULES)
            if len(path) > _LONGEST_PATH:
                raise Unreadable("size", f"a folder's name has more than {_LONGEST_PATH} characters")
            if cut < len(_MODULES):
                own.append((path, entry))
                continue
            folder, name = path[:cut], path[cut:]
            at = -1 if entry.link else self._add(path, entry.name or name, entry)
            modules = self._modules.get(folder)
            if modules is None:
                modules = self._modules[folder] = {}
            modules[name] = at
            if entry.dependencies or entry.peerDependencies or entry.optionalDependencies:
                asking.append((at, folder, path, entry))
        self._ask(own)
        for at, folder, path, entry in asking:
            gathering.need_all(at, self._found(path, folder, entry.asked()))
        return gathering.finished()

    def _ask(self, own: list[tuple[str, _Entry]]) -> None:
        """What the project and its workspaces ask for."""
        for path, entry in own:
            if isinstance(entry.resolved, str) and entry.resolved.startswith("http"):
                self._add(path, entry.name or path, entry)  # not where npm puts it, but nobody's own folder either
            for names in (entry.dependencies, entry.optionalDependencies, entry.peerDependencies, entry.devDependencies):
                for at in self._found(path, f"{path}/" if path else "", names or ()):
                    self._gathering.asked_for(at)

    def _add(self, path: str, name: str, entry: _Entry) -> int:
        """Position of the package; what stands in several folders is made once."""
        resolved, hashed = entry.resolved, entry.integrity
        key = (name, entry.version, resolved, hashed)
        at = self._known.get(key)
        if at is None:
            version = entry.version or (commit_of(resolved) if isinstance(resolved, str) else "")
            source = source_of_url(resolved) if isinstance(resolved, str) else Source.REGISTRY
            line = self._lines.of_key(path, b"{")
            hashes = integrity(hashed) if hashed else ()
            at = self._gathering.add(Package(name, version, Ecosystem.NPM, line, False, entry.dev, source, "", hashes))
            self._known[key] = at
        elif not entry.dev:
            self._gathering.in_production(at)
        return at

    def _found(self, path: str, folder: str, names: Iterable[str]) -> list[int]:
        """Positions of what Node takes for these names: beside the one that asks, then further up."""
        scopes = self._above.get(folder)
        if scopes is None:
            scopes = self._above[folder] = list(self._scopes(folder))
        beside = self._modules.get(f"{path}/{_MODULES}")
        if beside is not None:
            scopes = [beside, *scopes]
        if len(scopes) == 1:
            only = scopes[0]
            return [only[name] for name in names if name in only]
        found = []
        for name in names:
            for scope in scopes:
                at = scope.get(name)
                if at is not None:
                    found.append(at)
                    break
        return found

    def _scopes(self, folder: str) -> Iterator[dict[str, int]]:
        """The folders of modules that are seen from a folder, nearest first."""
        while True:
            modules = folder if folder.endswith(_MODULES) else folder + _MODULES
            if modules in self._modules:
                yield self._modules[modules]
            if not folder:
                return
            folder = folder[: -len(_MODULES)] if folder.endswith(_MODULES) else folder[: folder.rfind("/", 0, -1) + 1]


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
