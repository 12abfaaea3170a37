"""Bundler's ``Gemfile.lock`` and ``gems.locked``.

A gem for several platforms is one package. What stands under ``PATH`` is the project's own, and what that asks for is ``direct``.
"""

from __future__ import annotations

import re

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_SPEC = re.compile(r" {4}(?P<name>[^\s()]+) \((?P<version>[^)]*)\)\Z")
_NEED = re.compile(r" {6}(?P<name>[^\s()!]+)")
_ASKED = re.compile(r" {2}(?P<name>[^\s()!]+)")
_CHECKSUM = re.compile(r" {2}(?P<name>[^\s()]+) \((?P<version>[^)]*)\)(?: (?P<hash>sha256=[0-9a-f]{64}))?")
_SECTIONS = frozenset(
    {"GEM", "GIT", "PATH", "PLUGIN SOURCE", "PLATFORMS", "DEPENDENCIES", "CHECKSUMS", "RUBY VERSION", "BUNDLED WITH"},
)
_OF_GEMS = frozenset({"GEM", "GIT", "PATH", "PLUGIN SOURCE"})


class _Spec(Struct):
    name: str
    version: str
    line: int
    section: str
    needs: list[str]


def read_gemfile_lock(content: bytes) -> PackageSet:
    """The gems of the file.

    Raises:
        Unreadable: when it is no lock file of bundler.
    """
    specs: list[_Spec] = []
    asked: set[str] = set()
    sums: dict[tuple[str, str], set[str]] = {}
    problems: list[tuple[int, str]] = []
    section = ""
    for number, line in enumerate(text_of(content).splitlines(), 1):
        if not line.strip():
            continue
        if line[0] != " ":
            section = line.strip()
            if section not in _SECTIONS:
                raise Unreadable("syntax", f"line {number}: {one_line(section, 40)} is no section of a Gemfile.lock", number)
        elif section in _OF_GEMS:
            _take(specs, problems, line, number, section)
        elif section == "DEPENDENCIES" and (found := _ASKED.match(line)):
            asked.add(found["name"])
        elif section == "CHECKSUMS" and (found := _CHECKSUM.match(line)) and found["hash"]:
            key = found["name"], found["version"].partition("-")[0]
            sums.setdefault(key, set()).add(found["hash"].replace("=", ":"))
    return _gathered(specs, asked, sums, problems)


def _take(specs: list[_Spec], problems: list[tuple[int, str]], line: str, number: int, section: str) -> None:
    spec = _SPEC.match(line)
    if spec:
        specs.append(_Spec(spec["name"], spec["version"].partition("-")[0].strip(), number, section, []))
    elif (need := _NEED.match(line)) and specs and specs[-1].section == section:
        specs[-1].needs.append(need["name"])
    elif line.startswith("    ") and line[4] != " ":
        problems.append((number, f"`{one_line(line, 60)}` names no exact version; run `bundle lock`"))


def _gathered(specs: list[_Spec], asked: set[str], sums: dict[tuple[str, str], set[str]], problems: list[tuple[int, str]]) -> PackageSet:
    asked = asked | {name for spec in specs if spec.section == "PATH" for name in spec.needs}
    gathering = Gathering(knows_direct=True, knows_needs=True)
    for line, sentence in problems:
        gathering.problem(line, sentence)
    places: dict[str, list[int]] = {}
    rows = []
    for spec in specs:
        if spec.section == "PATH":
            continue
        source = Source.GIT if spec.section == "GIT" else Source.REGISTRY
        hashes = tuple(sorted(sums.get((spec.name, spec.version), ())))
        at = gathering.add(
            Package(spec.name, spec.version, Ecosystem.RUBYGEMS, spec.line, spec.name in asked, source=source, hashes=hashes)
        )
        places.setdefault(spec.name, []).append(at)
        rows.append((at, spec))
    for at, spec in rows:
        for name in spec.needs:
            gathering.need_all(at, places.get(name, []))
    return gathering.finished()
