"""``Pipfile.lock``. The format does not tell what the project itself asked for, nor who brings whom."""

from __future__ import annotations

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.python_names import hash_of, normal
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, shaped, without_double_keys


class _Row(Struct):
    version: str = ""
    hashes: list[str] = field(default_factory=list)
    git: str = ""
    ref: str = ""
    path: str = ""
    file: str = ""
    editable: bool = False


def read_pipfile(content: bytes) -> PackageSet:
    """The packages of the file; every section besides ``_meta`` and ``default`` is for development.

    Raises:
        Unreadable: when it is no lock file of pipenv.
    """
    sections = json_of(content, dict[str, dict[str, object]])
    without_double_keys(content)
    gathering = Gathering()
    lines = Lines(content)
    for section, entries in sections.items():
        if section == "_meta":
            continue
        lines.of_key(section, b"{")
        for name, row in shaped(entries, dict[str, _Row]).items():
            _add(gathering, name, row, lines.of_key(name, b"{"), development=section != "default")
    return gathering.finished()


def _add(gathering: Gathering, name: str, row: _Row, line: int, *, development: bool) -> None:
    source, version = Source.REGISTRY, row.version.removeprefix("===").removeprefix("==").strip()
    if row.git:
        source, version = Source.GIT, row.ref
    elif row.path:
        if not version:
            return  # a folder of the project: its own code
        source = Source.PATH
    elif row.file:
        source = Source.URL
    hashes = tuple(sorted({hash_of(each) for each in row.hashes} - {""}))
    gathering.add(Package(normal(name), version, Ecosystem.PYPI, line, development=development, source=source, hashes=hashes))
