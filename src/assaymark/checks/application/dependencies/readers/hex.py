"""Elixir's ``mix.lock``: one term per dependency. The format does not tell what the project itself asked for."""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_ENTRY = re.compile(
    r'"(?P<key>[^"\s]+)"\s*(?::|=>)\s*\{\s*:(?P<kind>\w+)\s*,\s*(?::"?(?P<name>[\w.-]+)"?|"(?P<url>[^"]*)")\s*,\s*"(?P<version>[^"]*)"'
)
_OPEN = re.compile(r'"(?P<key>[^"\s]+)"\s*(?::|=>)\s*\{\s*:\w+')
_NEED = re.compile(r'\{\s*:"?(?P<name>[\w.-]+)"?\s*,\s*"[^"]*"\s*,\s*\[')
_SUM = re.compile(r'"(?P<sum>[0-9a-f]{64})"\s*\}')


def read_mix(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of mix.
    """
    text = text_of(content)
    stripped = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).strip()
    if not (stripped.startswith("%{") and stripped.endswith("}")):
        raise Unreadable("syntax", "the file is no map of Elixir; resolve what a merge left there, or run `mix deps.get`")
    gathering = Gathering(knows_needs=True)
    places: dict[str, int] = {}
    brought: list[tuple[int, list[str]]] = []
    starts = [found for found in _OPEN.finditer(text) if not _commented(text, found.start())]
    line, counted = 1, 0
    ends = [found.start() for found in starts[1:]] + [len(text)]
    for each, end in zip(starts, ends, strict=False):
        line += text.count("\n", counted, each.start())
        counted = each.start()
        body = text[each.start() : end]
        at = _add(gathering, each["key"], body, line)
        places[each["key"]] = at
        brought.append((at, [found["name"] for found in _NEED.finditer(body)]))
    for at, names in brought:
        gathering.need_all(at, [places.get(name, -1) for name in names])
    return gathering.finished()


def _commented(text: str, at: int) -> bool:
    return text[text.rfind("\n", 0, at) + 1 : at].lstrip().startswith("#")


def _add(gathering: Gathering, key: str, body: str, line: int) -> int:
    found = _ENTRY.match(body)
    if found is None or found["kind"] not in {"hex", "git"}:
        gathering.problem(line, f"{one_line(key)} is not written as mix writes it; run `mix deps.get`")
        return -1
    if found["kind"] == "git":
        return gathering.add(Package(key, found["version"], Ecosystem.HEX, line, source=Source.GIT))
    outer = _SUM.search(body)
    hashes = (f"sha256:{outer['sum']}",) if outer else ()
    return gathering.add(Package(found["name"] or key, found["version"], Ecosystem.HEX, line, hashes=hashes))
