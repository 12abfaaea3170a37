"""``composer.lock``. The format does not tell what the project itself asked for."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, without_double_keys


class _Origin(Struct):
    type: str = ""
    reference: str | None = ""
    shasum: str | None = ""


class _Row(Struct):
    name: str
    version: str = ""
    source: _Origin | None = None
    dist: _Origin | None = None
    require: dict[str, Any] | list[Any] = field(default_factory=dict)


class _File(Struct, rename="kebab"):
    packages: list[_Row]
    packages_dev: list[_Row] | None = None


def read_composer(content: bytes) -> PackageSet:
    """The packages of the file; a branch (``dev-main``) is fixed to a commit and stands with it as version.

    Raises:
        Unreadable: when it is no lock file of composer.
    """
    file = json_of(content, _File)
    without_double_keys(content)
    gathering = Gathering(knows_needs=True)
    places: dict[str, int] = {}
    lines = Lines(content)
    rows = [*((row, False) for row in file.packages), *((row, True) for row in file.packages_dev or ())]
    for row, development in rows:
        line = lines.of_pair("name", row.name)
        places[row.name.lower()] = gathering.add(_package(row, line, development=development))
    for row, _ in rows:
        gathering.need_all(places[row.name.lower()], [places.get(name.lower(), -1) for name in row.require if isinstance(name, str)])
    return gathering.finished()


def _package(row: _Row, line: int, *, development: bool) -> Package:
    origin = row.source or row.dist or _Origin()
    dist = row.dist or _Origin()
    source, version = Source.REGISTRY, row.version
    if dist.type == "path":
        source = Source.PATH
    elif version.startswith("dev-") or version.endswith(".x-dev"):
        source, version = Source.GIT, origin.reference or dist.reference or ""
    hashes = (f"sha1:{dist.shasum}",) if dist.shasum and len(dist.shasum) == 40 else ()
    return Package(row.name.lower(), version, Ecosystem.PACKAGIST, line, development=development, source=source, hashes=hashes)
