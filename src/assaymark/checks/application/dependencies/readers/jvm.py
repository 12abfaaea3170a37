"""Lock files of Gradle and sbt. Neither tells what the project itself asked for, nor who brings whom."""

from __future__ import annotations

import re

from msgspec import Struct, field

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, text_of

_GRADLE = re.compile(r"(?P<group>[^\s:=]+):(?P<name>[^\s:=]+):(?P<version>[^\s:=]+)(?:=(?P<where>.*))?\Z")


def read_gradle(content: bytes) -> PackageSet:
    """``gradle.lockfile``; what only configurations of tests use is for development.

    Raises:
        Unreadable: when it is no text.
    """
    gathering = Gathering()
    for number, raw in enumerate(text_of(content).splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", "empty=")):
            continue
        found = _GRADLE.match(line)
        if found is None:
            gathering.problem(number, f"`{one_line(line, 60)}` is no line of a gradle.lockfile; run `gradle dependencies --write-locks`")
            continue
        where = [part.strip() for part in (found["where"] or "").split(",") if part.strip()]
        development = bool(where) and all(part.lower().startswith(("test", "androidtest")) for part in where)
        name = f"{found['group']}:{found['name']}"
        gathering.add(Package(name, found["version"], Ecosystem.MAVEN, number, development=development))
    return gathering.finished()


class _Artifact(Struct):
    hash: str = ""


class _Module(Struct):
    org: str
    name: str
    version: str
    configurations: list[str] = field(default_factory=list)
    artifacts: list[_Artifact] = field(default_factory=list)


class _Sbt(Struct):
    dependencies: list[_Module]


def read_sbt(content: bytes) -> PackageSet:
    """``build.sbt.lock``.

    Raises:
        Unreadable: when it is no lock file of sbt.
    """
    gathering = Gathering()
    lines = Lines(content)
    for each in json_of(content, _Sbt).dependencies:
        line = lines.of_key("org", b'"')
        development = bool(each.configurations) and set(each.configurations) <= {"test"}
        hashes = tuple(sorted({artifact.hash for artifact in each.artifacts if ":" in artifact.hash}))
        gathering.add(Package(f"{each.org}:{each.name}", each.version, Ecosystem.MAVEN, line, development=development, hashes=hashes))
    return gathering.finished()
