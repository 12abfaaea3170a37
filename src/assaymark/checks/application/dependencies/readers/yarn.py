"""``yarn.lock`` of yarn 1 and of its successors (berry).

Yarn 1 does not tell what the project asked for; berry does, but not what is for development only.
"""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.npm_names import commit_of, pinned, source_of_url
from assaymark.checks.application.dependencies.readers.plain_yaml import Table, tables
from assaymark.checks.application.dependencies.readers.texts import integrity, text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_BERRY = re.compile(r'^"?__metadata"?:', re.MULTILINE)
_FIELD = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*"|[^\s"]+)(?::|[ ]+(?P<value>"(?:[^"\\]|\\.)*"|\S+))\s*\Z')
_ASKED = ("dependencies", "optionalDependencies", "peerDependencies")
_PATCH = re.compile(r"patch:(?P<inner>.+?)#")


def read_yarn(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of yarn.
    """
    text = text_of(content)
    if _BERRY.search(text):
        return _berry(content)
    return _classic(text)


def _classic(text: str) -> PackageSet:
    entries = _entries(text)
    gathering = Gathering(knows_needs=True)
    places: dict[str, int] = {}
    for patterns, entry in entries.items():
        at = _add_classic(gathering, patterns, entry, entries.lines[patterns])
        places.update(dict.fromkeys(patterns.split(", "), at))
    for patterns, entry in entries.items():
        at = places[patterns.split(", ", 1)[0]]
        for section in _ASKED:
            gathering.need_all(at, [places.get(f"{name}@{wanted}", -1) for name, wanted in entry.table(section).items()])
    return gathering.finished()


def _add_classic(gathering: Gathering, patterns: str, entry: Table, line: int) -> int:
    name, wanted = _split(patterns.split(", ", 1)[0])
    alias = pinned(name, wanted)
    if wanted.startswith("npm:"):
        name = _split(wanted[4:])[0]
    if alias.own and not wanted.startswith("file:"):
        return -1
    resolved = entry.text("resolved")
    source = Source.PATH if wanted.startswith("file:") else source_of_url(resolved)
    hashes = integrity(entry.text("integrity"))
    return gathering.add(Package(name, entry.text("version"), Ecosystem.NPM, line, source=source, hashes=hashes))


def _entries(text: str) -> Table:
    """Yarn 1's own format: mappings by indentation, values after a space."""
    top = Table()
    open_tables: list[Table] = [top]
    for number, raw in enumerate(text.splitlines(), 1):
        body = raw.strip()
        if not body or body.startswith("#"):
            continue
        depth, odd = divmod(len(raw) - len(raw.lstrip(" ")), 2)
        if odd or depth >= len(open_tables) or raw.startswith("\t"):
            raise Unreadable("syntax", f"line {number} does not fit the lines above it; have yarn write the file anew", number)
        del open_tables[depth + 1 :]
        table = open_tables[depth]
        if depth == 0:
            key, value = _patterns(body, number), None
        else:
            found = _FIELD.match(body)
            if found is None:
                raise Unreadable("syntax", f"line {number} is no line of a yarn.lock", number)
            key, value = _bare(found["key"]), found["value"]
        if key in table:
            raise Unreadable("schema", f"line {number}: {key[:80]} stands twice", number)
        table.lines[key] = number
        if value is None:
            table[key] = Table()
            open_tables.append(table[key])
        else:
            table[key] = _bare(value)
    return top


def _patterns(body: str, number: int) -> str:
    if not body.endswith(":"):
        raise Unreadable("syntax", f"line {number} is no entry of a yarn.lock; resolve what a merge left there", number)
    return ", ".join(sorted(_bare(part.strip()) for part in body[:-1].split(", ")))


def _bare(word: str) -> str:
    return word[1:-1].replace('\\"', '"') if len(word) > 1 and word[0] == word[-1] == '"' else word


def _split(pattern: str) -> tuple[str, str]:
    """Name and range of ``name@range``."""
    cut = pattern.find("@", 1)
    return (pattern, "") if cut < 0 else (pattern[:cut], pattern[cut + 1 :])


def _berry(content: bytes) -> PackageSet:
    gathering = Gathering(knows_direct=True, knows_needs=True)
    places: dict[str, int] = {}
    rows: list[tuple[int, Table, bool]] = []
    for document in tables(content):
        for key, entry in document.items():
            if key == "__metadata" or not isinstance(entry, Table):
                continue
            own, at = _add_berry(gathering, key, entry, document.lines[key])
            rows.append((at, entry, own))
            places.update(dict.fromkeys(key.split(", "), at))
    for at, entry, own in rows:
        for section in _ASKED:
            parts = [_berry_place(places, name, wanted) for name, wanted in entry.table(section).items() if isinstance(wanted, str)]
            if own:
                gathering.ask_for(parts)
            gathering.need_all(at, parts)
    return gathering.finished()


def _berry_place(places: dict[str, int], name: str, wanted: str) -> int:
    for key in (f"{name}@{wanted}", f"{name}@npm:{wanted}"):
        if key in places:
            return places[key]
    return -1


def _add_berry(gathering: Gathering, key: str, entry: Table, line: int) -> tuple[bool, int]:
    """(is it the project's own, position)."""
    name, locator = _split(entry.text("resolution") or key.split(", ", 1)[0])
    version = entry.text("version")
    patch = _PATCH.match(locator)
    if patch:
        locator = _split(patch["inner"].replace("%3A", ":").replace("%40", "@"))[1]
    if locator.startswith(("workspace:", "link:", "portal:")):
        return True, -1
    if locator.startswith("file:"):
        return False, gathering.add(Package(name, version, Ecosystem.NPM, line, source=Source.PATH))
    source = Source.REGISTRY if locator.startswith("npm:") else source_of_url(locator)
    if not version and source is Source.GIT:
        version = commit_of(locator)
    return False, gathering.add(Package(name, version, Ecosystem.NPM, line, source=source))
