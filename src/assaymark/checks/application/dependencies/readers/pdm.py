"""``pdm.lock``. Groups do not tell extras from tools of developers, so nothing is called development."""

from __future__ import annotations

import re

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.python_names import hash_of, normal
from assaymark.checks.application.dependencies.readers.texts import lines_or_none, shaped, table_lines, text_of, toml_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Artifact(Struct):
    hash: str = ""


class _Row(Struct):
    name: str
    version: str = ""
    dependencies: list[str] = field(default_factory=list)
    files: list[_Artifact] = field(default_factory=list)
    git: str = ""
    revision: str = ""
    path: str = ""
    url: str = ""


class _File(Struct):
    package: list[_Row] = field(default_factory=list)


def read_pdm(content: bytes) -> PackageSet:
    """The packages of the file; one with and without extras is one package.

    Raises:
        Unreadable: when it is no lock file of pdm.
    """
    file = shaped(toml_of(content), _File)
    gathering = Gathering(knows_needs=True)
    named: dict[str, list[int]] = {}
    places = []
    for row, line in zip(file.package, lines_or_none(table_lines(text_of(content), "package"), len(file.package)), strict=True):
        places.append(_add(gathering, row, line))
        named.setdefault(normal(row.name), []).append(places[-1])
    for row, at in zip(file.package, places, strict=True):
        for wanted in row.dependencies:
            found = _NAME.match(wanted)
            gathering.need_all(at, named.get(normal(found.group()), []) if found else [])
    return gathering.finished()


def _add(gathering: Gathering, row: _Row, line: int) -> int:
    source, version = Source.REGISTRY, row.version
    if row.git:
        source, version = Source.GIT, version or row.revision
    elif row.path:
        source = Source.PATH
    elif row.url:
        source = Source.URL
    if source is Source.PATH and not version:
        return -1  # a folder of the project: its own code
    hashes = tuple(sorted({hash_of(each.hash) for each in row.files} - {""}))
    return gathering.add(Package(normal(row.name), version, Ecosystem.PYPI, line, source=source, hashes=hashes))
