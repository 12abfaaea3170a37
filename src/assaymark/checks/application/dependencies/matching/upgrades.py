"""The smallest upgrade that clears all advisories of a package, and the command for it. Pure.

A candidate is a version that some advisory names as repaired; it is judged by every advisory about the package, those that do not hit
today's version included. Whether the registry still offers it is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from assaymark.checks.application.dependencies.matching.matcher import is_affected
from assaymark.checks.application.dependencies.matching.records import Affects
from assaymark.checks.application.dependencies.packages import Ecosystem, Package
from assaymark.checks.application.dependencies.versions.keys import key_of


class Upgrade(Struct, frozen=True):
    """A version to raise to."""

    version: str = ""
    """As its advisory writes it; empty when no repaired version is known."""
    left: frozenset[str] = frozenset()
    """Advisories that no repaired version clears."""


def smallest_upgrade(package: Package, records: Sequence[Affects]) -> Upgrade:
    """The smallest version that the fewest advisories affect: none, unless one of them was never repaired."""
    current = key_of(package.ecosystem, package.version)
    best = Upgrade(
        left=frozenset(record.advisory for record in records if is_affected(record, package.ecosystem, package.version, current))
    )
    for key, version in _candidates(package.ecosystem, records):
        if current is not None and key <= current:
            continue
        left = frozenset(record.advisory for record in records if is_affected(record, package.ecosystem, version, key))
        if len(left) < len(best.left):
            best = Upgrade(version, left)
        if not left:
            break
    return best


def fixed_in(package: Package, records: Iterable[Affects]) -> str:
    """The first repaired version after this one by these records alone; empty when none is known."""
    current = key_of(package.ecosystem, package.version)
    return next((version for key, version in _candidates(package.ecosystem, records) if current is None or key > current), "")


def _candidates(ecosystem: Ecosystem, records: Iterable[Affects]) -> list[tuple[bytes, str]]:
    versions = {span.fixed for record in records for span in record.spans if span.fixed}
    return sorted((key, version) for version in versions if (key := key_of(ecosystem, version)) is not None)


def command(dialect: str, package: Package, version: str) -> str:
    """How this lock file's own tool raises the package; empty where there is no one command for it."""
    name = package.name
    if dialect in _REPORTS:
        return ""
    tool = next((words for start, words in _BY_DIALECT if dialect.startswith(start)), None) or _BY_ECOSYSTEM.get(package.ecosystem, "")
    if package.ecosystem is Ecosystem.GO:
        tool = "go get toolchain@go{version}" if name == "stdlib" else "go get {name}@v{version} && go mod tidy"
        version = version.removeprefix("v")
    words = tool if package.direct or dialect not in _TRANSITIVE else _TRANSITIVE[dialect]
    return words.format(name=name, version=version)


_REPORTS = frozenset({"cyclonedx", "spdx"})
"""Written by other tools about something else: there is nothing to raise in them."""
_BY_DIALECT = (
    ("package-lock", "npm install {name}@{version}"),
    ("yarn-berry", "yarn up {name}@{version}"),
    ("yarn", "yarn upgrade {name}@{version}"),
    ("pnpm", "pnpm update {name}@{version}"),
    ("bun", "bun add {name}@{version}"),
    ("poetry", "poetry add '{name}>={version}'"),
    ("uv", "uv lock --upgrade-package '{name}=={version}'"),
    ("pdm", "pdm update {name}"),
    ("pipfile", "pipenv upgrade '{name}=={version}'"),
    ("pipenv", "pipenv upgrade '{name}=={version}'"),
    ("requirements", "{name}=={version}"),
)
"""By the start of the dialect's name, the longer first."""
_TRANSITIVE = {
    "package-lock": "npm update {name}",
    "poetry-lock": "poetry update {name}",
}
"""For what is not asked for by the project itself, where the tool has another word for it."""
_BY_ECOSYSTEM = {
    Ecosystem.CRATES: "cargo update -p {name} --precise {version}",
    Ecosystem.RUBYGEMS: "bundle update {name} --conservative",
    Ecosystem.PACKAGIST: "composer update {name} --with-dependencies",
    Ecosystem.NUGET: "dotnet add package {name} --version {version}",
    Ecosystem.HEX: "mix deps.update {name}",
    Ecosystem.PUB: "dart pub upgrade {name}",
    Ecosystem.COCOAPODS: "pod update {name}",
    Ecosystem.SWIFT: "swift package update",
    Ecosystem.DEBIAN: "apt-get install --only-upgrade {name}",
    Ecosystem.UBUNTU: "apt-get install --only-upgrade {name}",
    Ecosystem.ALPINE: "apk upgrade {name}",
    Ecosystem.ALMALINUX: "dnf upgrade {name}",
    Ecosystem.ROCKY: "dnf upgrade {name}",
    Ecosystem.REDHAT: "dnf upgrade {name}",
}
