"""``uv.lock``.

The project and the members of its workspace are not packages; what they ask for is ``direct``, and what only their groups of developers
reach is ``development``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, counted, reachable
from assaymark.checks.application.dependencies.readers.python_names import hash_of, normal
from assaymark.checks.application.dependencies.readers.texts import lines_or_none, shaped, table_lines, text_of, toml_of
from assaymark.checks.reading.yaml_tree import Unreadable


class _Origin(Struct):
    registry: str = ""
    git: str = ""
    url: str = ""
    path: str = ""
    directory: str = ""
    editable: str = ""
    virtual: str = ""


class _Wanted(Struct):
    name: str
    version: str = ""


class _Artifact(Struct):
    hash: str = ""


class _Row(Struct, rename="kebab"):
    name: str
    version: str = ""
    source: _Origin = field(default_factory=_Origin)
    dependencies: list[_Wanted] = field(default_factory=list)
    optional_dependencies: dict[str, list[_Wanted]] = field(default_factory=dict)
    dev_dependencies: dict[str, list[_Wanted]] = field(default_factory=dict)
    sdist: _Artifact = field(default_factory=_Artifact)
    wheels: list[_Artifact] = field(default_factory=list)


class _Manifest(Struct):
    members: list[str] = field(default_factory=list)


class _File(Struct):
    version: int = 1
    package: list[_Row] = field(default_factory=list)
    manifest: _Manifest = field(default_factory=_Manifest)


def read_uv(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of uv, or of a version that is not known.
    """
    file = shaped(toml_of(content), _File)
    if file.version != 1:
        raise Unreadable("unsupported", f"version {file.version} of uv.lock is not known; version 1 is")
    rows = file.package
    own = {at for at, row in enumerate(rows) if _is_own(row, file.manifest.members)}
    named: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        named.setdefault(normal(row.name), []).append(at)
    needs = counted(_found(rows, named, _runtime(row)) for row in rows)
    groups = counted(_found(rows, named, chain.from_iterable(row.dev_dependencies.values())) for row in rows)
    direct = {part for at in own for part in (*needs[at], *groups[at])}
    production = reachable(own, needs)
    gathering = Gathering(knows_direct=bool(own), knows_needs=True)
    places = [-1] * len(rows)
    for at, line in enumerate(lines_or_none(table_lines(text_of(content), "package"), len(rows))):
        if at not in own:
            development = bool(own) and at not in production
            places[at] = gathering.add(_package(rows[at], line, direct=at in direct, development=development))
    for at, parts in enumerate(needs):
        for part in parts:
            gathering.need(places[at], places[part])
    return gathering.finished()


def _is_own(row: _Row, members: list[str]) -> bool:
    return bool(row.source.virtual or row.source.editable == "." or row.name in members)


def _runtime(row: _Row) -> chain[_Wanted]:
    return chain(row.dependencies, chain.from_iterable(row.optional_dependencies.values()))


def _found(rows: list[_Row], named: dict[str, list[int]], wanted: chain[_Wanted]) -> Iterator[int]:
    """Positions of what is asked for; a version is written only where several are locked."""
    for each in wanted:
        yield from (at for at in named.get(normal(each.name), ()) if not each.version or rows[at].version == each.version)


def _package(row: _Row, line: int, *, direct: bool, development: bool) -> Package:
    hashes = {hash_of(each.hash) for each in (row.sdist, *row.wheels)} - {""}
    return Package(
        name=normal(row.name),
        version=row.version,
        ecosystem=Ecosystem.PYPI,
        line=line,
        direct=direct,
        development=development,
        source=_source(row.source),
        hashes=tuple(sorted(hashes)),
    )


def _source(origin: _Origin) -> Source:
    if origin.git:
        return Source.GIT
    if origin.url:
        return Source.URL
    return Source.PATH if origin.path or origin.directory or origin.editable else Source.REGISTRY
