"""``pylock.toml`` (PEP 751). Markers are not evaluated: a package for another system is still a package."""

from __future__ import annotations

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.python_names import hash_of, normal
from assaymark.checks.application.dependencies.readers.texts import lines_or_none, shaped, table_lines, text_of, toml_of
from assaymark.checks.reading.yaml_tree import Unreadable


class _Artifact(Struct):
    hashes: dict[str, str] = field(default_factory=dict)
    url: str = ""
    path: str = ""


class _Repository(Struct, rename="kebab"):
    type: str = ""
    commit_id: str = ""


class _Folder(Struct):
    path: str = ""


class _Needed(Struct):
    name: str
    version: str = ""


class _Row(Struct):
    name: str
    version: str = ""
    dependencies: list[_Needed] = field(default_factory=list)
    wheels: list[_Artifact] = field(default_factory=list)
    sdist: _Artifact | None = None
    archive: _Artifact | None = None
    vcs: _Repository | None = None
    directory: _Folder | None = None


class _File(Struct, rename="kebab"):
    lock_version: str = ""
    packages: list[_Row] = field(default_factory=list)


def read_pylock(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of version 1.
    """
    file = shaped(toml_of(content), _File)
    if file.lock_version.partition(".")[0] != "1":
        raise Unreadable("unsupported", f"lock-version {file.lock_version[:20] or '(none)'} is not known; version 1 is")
    gathering = Gathering(knows_needs=any(row.dependencies for row in file.packages))
    named: dict[str, list[tuple[str, int]]] = {}
    places = []
    for row, line in zip(file.packages, lines_or_none(table_lines(text_of(content), "packages"), len(file.packages)), strict=True):
        places.append(_add(gathering, row, line))
        named.setdefault(normal(row.name), []).append((row.version, places[-1]))
    for row, at in zip(file.packages, places, strict=True):
        for need in row.dependencies:
            found = named.get(normal(need.name), [])
            gathering.need_all(at, [part for version, part in found if not need.version or need.version == version])
    return gathering.finished()


def _add(gathering: Gathering, row: _Row, line: int) -> int:
    source, version = Source.REGISTRY, row.version
    if row.directory is not None:
        if not version:
            return -1  # a folder of the project: its own code
        source = Source.PATH
    elif row.vcs is not None:
        source, version = Source.GIT, version or row.vcs.commit_id
    elif row.archive is not None:
        source = Source.URL if row.archive.url else Source.PATH
    artifacts = [*row.wheels, *(each for each in (row.sdist, row.archive) if each is not None)]
    hashes = tuple(sorted({hash_of(f"{name}:{value}") for each in artifacts for name, value in each.hashes.items()} - {""}))
    return gathering.add(Package(normal(row.name), version, Ecosystem.PYPI, line, source=source, hashes=hashes))
