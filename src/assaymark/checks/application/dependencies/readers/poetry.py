"""``poetry.lock`` of every version of its format.

The format does not tell what the project itself asked for. Several versions of one name (chosen by markers) are all packages.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.python_names import hash_of, normal
from assaymark.checks.application.dependencies.readers.texts import lines_or_none, shaped, table_lines, text_of, toml_of


class _Artifact(Struct):
    hash: str = ""


class _Origin(Struct):
    type: str = ""
    resolved_reference: str = ""


class _Row(Struct):
    name: str
    version: str = ""
    category: str = ""
    groups: list[str] = field(default_factory=list)
    dependencies: dict[str, Any] = field(default_factory=dict)
    files: list[_Artifact] = field(default_factory=list)
    source: _Origin = field(default_factory=_Origin)


class _Metadata(Struct):
    files: dict[str, list[_Artifact]] = field(default_factory=dict)


class _File(Struct):
    package: list[_Row] = field(default_factory=list)
    metadata: _Metadata = field(default_factory=_Metadata)


_SOURCES = {"git": Source.GIT, "url": Source.URL, "file": Source.PATH, "directory": Source.PATH}


def read_poetry(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of poetry.
    """
    file = shaped(toml_of(content), _File)
    older = {normal(name): files for name, files in file.metadata.files.items()}
    gathering = Gathering(knows_needs=True)
    named: dict[str, list[int]] = {}
    places = []
    for row, line in zip(file.package, lines_or_none(table_lines(text_of(content), "package"), len(file.package)), strict=True):
        package = _package(row, older.get(normal(row.name), []), line)
        places.append(gathering.add(package))
        named.setdefault(package.name, []).append(places[-1])
    for row, at in zip(file.package, places, strict=True):
        for name in row.dependencies:
            for part in named.get(normal(name), ()):
                gathering.need(at, part)
    return gathering.finished()


def _package(row: _Row, older: list[_Artifact], line: int) -> Package:
    hashes = {hash_of(each.hash) for each in (row.files or older)} - {""}
    return Package(
        name=normal(row.name),
        version=row.version,
        ecosystem=Ecosystem.PYPI,
        line=line,
        development=row.category == "dev" or bool(row.groups and "main" not in row.groups),
        source=_SOURCES.get(row.source.type, Source.REGISTRY),
        hashes=tuple(sorted(hashes)),
    )
