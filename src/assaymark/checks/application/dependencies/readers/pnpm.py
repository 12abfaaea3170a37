"""``pnpm-lock.yaml``, versions 5 to 9.

A package that stands several times with different peers is one package. The members of the workspace are no packages; what they ask for is
``direct``. Since version 9 the file does not say what is for development: that is found by following the edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, reachable
from assaymark.checks.application.dependencies.readers.npm_names import commit_of, source_of_url
from assaymark.checks.application.dependencies.readers.plain_yaml import Table, tables
from assaymark.checks.application.dependencies.readers.texts import integrity
from assaymark.checks.reading.yaml_tree import Unreadable

_VERSION = re.compile(r"(?P<major>\d+)(?:\.\d+)?\Z")
_OLD_KEY = re.compile(r"[^@/]*/(?P<name>(?:@[^/]+/)?[^/]+)/(?P<version>\d[^/_(]*)(?:[_(].*)?\Z")
_NEW_KEY = re.compile(r"/?(?P<name>@?[^@/]+(?:/[^@/]+)?)@(?P<version>[^(]+)(?:\(.*)?\Z")
_HOST_KEY = re.compile(r"[a-z0-9.-]+\.[a-z]+/(?P<name>(?:@[^/]+/)?[^/]+)/(?P<version>\d+\.\d+\.\d[^/_(]*)(?:[_(].*)?\Z")
_PRODUCTION = ("dependencies", "optionalDependencies")
_ASKED = (*_PRODUCTION, "devDependencies")
_OLDEST, _NEWEST = 5, 9
_WITHOUT_DEV = 9


class _Row(Struct):
    key: str
    line: int
    entry: Table
    edges: Table
    """Where the row's dependencies stand: the entry itself, since version 9 its snapshot."""


def read_pnpm(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of pnpm of a version that is known.
    """
    gathering = Gathering(knows_direct=True, knows_needs=True)
    for document in tables(content):
        found = _VERSION.match(document.text("lockfileVersion"))
        if found is None:
            raise Unreadable("schema", "the file names no lockfileVersion; have pnpm write it anew")
        major = int(found["major"])
        if not _OLDEST <= major <= _NEWEST:
            raise Unreadable("unsupported", f"lockfileVersion {major} is not known; versions {_OLDEST} to {_NEWEST} are")
        _gather(gathering, document, major)
    return gathering.finished()


def _gather(gathering: Gathering, document: Table, major: int) -> None:
    rows = list(_rows(document))
    at_key = {row.key: at for at, row in enumerate(rows)}
    wished = [(section, name, ref) for own in _importers(document) for section in _ASKED for name, ref in _refs(own.table(section))]
    direct = {at_key.get(_target(name, ref, at_key), -1) for _, name, ref in wished}
    needs = [[at_key.get(_target(*pair, at_key), -1) for part in _PRODUCTION for pair in _refs(row.edges.table(part))] for row in rows]
    production = reachable((at_key.get(_target(name, ref, at_key), -1) for section, name, ref in wished if section in _PRODUCTION), needs)
    places = []
    for at, row in enumerate(rows):
        development = at not in production if major >= _WITHOUT_DEV else row.entry.text("dev") == "true"
        places.append(_add(gathering, row, major, direct=at in direct, development=development))
    for at, parts in enumerate(needs):
        gathering.need_all(places[at], [places[part] for part in parts if part >= 0])


def _rows(document: Table) -> Iterator[_Row]:
    """Every key of ``packages``; since version 9 every snapshot of one."""
    packages, snapshots = document.table("packages"), document.table("snapshots")
    named = set()
    for key, value in snapshots.items():
        name = key.partition("(")[0]
        named.add(name)
        snapshot = value if isinstance(value, Table) else Table()
        yield _Row(key, packages.lines.get(name, 0) or snapshots.lines[key], packages.table(name), snapshot)
    for key, value in packages.items():
        if key not in named:
            entry = value if isinstance(value, Table) else Table()
            yield _Row(key, packages.lines[key], entry, entry)


def _importers(document: Table) -> Iterator[Table]:
    yield document
    yield from (value for value in document.table("importers").values() if isinstance(value, Table))


def _refs(section: Table) -> Iterator[tuple[str, str]]:
    """(name, reference); since version 6 importers write a mapping with the reference in it."""
    for name, value in section.items():
        ref = value.text("version") if isinstance(value, Table) else value
        if isinstance(ref, str):
            yield name, ref


def _target(name: str, ref: str, keys: dict[str, int]) -> str:
    """The key of ``packages`` or ``snapshots`` that a reference means."""
    for key in (f"{name}@{ref}", f"/{name}@{ref}", f"/{name}/{ref}"):
        if key in keys:
            return key
    return ref


def _add(gathering: Gathering, row: _Row, major: int, *, direct: bool, development: bool) -> int:
    entry, resolution = row.entry, row.entry.table("resolution")
    name, version, source = _names(row.key, major)
    name, version = entry.text("name") or name, entry.text("version") or version
    address = resolution.text("tarball")
    if resolution.text("type") == "directory" or "directory" in resolution:
        source = Source.PATH
    elif resolution.text("type") == "git":
        source, version = Source.GIT, version or resolution.text("commit")
    elif address and source is Source.REGISTRY:
        source = source_of_url(address)
    if source is Source.PATH and not version:
        return -1  # a folder of the project: its own code
    hashes = integrity(resolution.text("integrity"))
    return gathering.add(Package(name, version, Ecosystem.NPM, row.line, direct, development, source, "", hashes))


def _names(key: str, major: int) -> tuple[str, str, Source]:
    """Name, version and source as far as the key tells."""
    if key.startswith(("file:", "link:")):
        return key, "", Source.PATH
    # An old key may hold the newer sign in the version of a peer, and a new one a slash in an address: each is tried where it is written.
    old, new = _OLD_KEY.match(key) or _HOST_KEY.match(key), _NEW_KEY.match(key)
    if old and (major <= _OLDEST or new is None):
        return old["name"], old["version"], Source.REGISTRY
    if new and "/" not in new["version"] and ":" not in new["version"]:
        return new["name"], new["version"].partition("_")[0], Source.REGISTRY
    if old:
        return old["name"], old["version"], Source.REGISTRY
    if new:
        source = source_of_url(new["version"])
        return new["name"], commit_of(new["version"]) if source is Source.GIT else "", source
    host, _, rest = key.partition("/")
    commit = rest.rpartition("/")[2]
    is_commit = re.fullmatch(r"[0-9a-f]{40}(?:[_(].*)?", commit) is not None
    return (rest or host), commit[:40] if is_commit else "", Source.GIT if is_commit else Source.URL
