"""``Cargo.lock`` of every version.

Packages without a source are the project's own; what they ask for is ``direct``. The format does not tell dependencies of tests apart.
"""

from __future__ import annotations

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, counted
from assaymark.checks.application.dependencies.readers.texts import lines_or_none, shaped, table_lines, text_of, toml_of


class _Row(Struct):
    name: str
    version: str
    source: str = ""
    checksum: str = ""
    dependencies: list[str] = field(default_factory=list)


class _File(Struct):
    package: list[_Row] = field(default_factory=list)
    root: _Row | None = None
    metadata: dict[str, object] = field(default_factory=dict)


def read_cargo(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of cargo.
    """
    file = shaped(toml_of(content), _File)
    lines = list(lines_or_none(table_lines(text_of(content), "package"), len(file.package)))
    rows = file.package if file.root is None else [*file.package, file.root]
    lines += [0] * (len(rows) - len(lines))
    at_word: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        for word in (row.name, f"{row.name} {row.version}", f"{row.name} {row.version} ({row.source})"):
            at_word.setdefault(word, []).append(at)
    needs = counted((part for word in row.dependencies for part in at_word.get(word, ())) for row in rows)
    own = {at for at, row in enumerate(rows) if not row.source}
    direct = {part for at in own for part in needs[at]}
    gathering = Gathering(knows_direct=bool(own), knows_needs=True)
    places = [-1 if at in own else _add(gathering, row, lines[at], file.metadata, direct=at in direct) for at, row in enumerate(rows)]
    for at, parts in enumerate(needs):
        gathering.need_all(places[at], [places[part] for part in parts])
    return gathering.finished()


def _add(gathering: Gathering, row: _Row, line: int, metadata: dict[str, object], *, direct: bool) -> int:
    checksum = row.checksum or str(metadata.get(f"checksum {row.name} {row.version} ({row.source})", ""))
    source = Source.GIT if row.source.startswith("git+") else Source.REGISTRY
    hashes = (f"sha256:{checksum}",) if len(checksum) == 64 else ()
    return gathering.add(Package(row.name, row.version, Ecosystem.CRATES, line, direct, source=source, hashes=hashes))
