"""Package URLs without a version: what a component is called in identities (purl specification, types as registered there)."""

from __future__ import annotations

from urllib.parse import quote

from assaymark.checks.application.dependencies.packages import Ecosystem

_TYPES = {
    Ecosystem.PYPI: "pypi",
    Ecosystem.NPM: "npm",
    Ecosystem.GO: "golang",
    Ecosystem.CRATES: "cargo",
    Ecosystem.MAVEN: "maven",
    Ecosystem.NUGET: "nuget",
    Ecosystem.RUBYGEMS: "gem",
    Ecosystem.PACKAGIST: "composer",
    Ecosystem.HEX: "hex",
    Ecosystem.PUB: "pub",
    Ecosystem.GITHUB_ACTIONS: "githubactions",
    Ecosystem.DEBIAN: "deb/debian",
    Ecosystem.UBUNTU: "deb/ubuntu",
    Ecosystem.ALPINE: "apk/alpine",
    Ecosystem.ALMALINUX: "rpm/almalinux",
    Ecosystem.ROCKY: "rpm/rocky-linux",
    Ecosystem.REDHAT: "rpm/redhat",
    Ecosystem.CONAN: "conan",
    Ecosystem.SWIFT: "swift",
    Ecosystem.COCOAPODS: "cocoapods",
}
_LOWER = frozenset({Ecosystem.PYPI, Ecosystem.PACKAGIST, Ecosystem.HEX, Ecosystem.GITHUB_ACTIONS})


def purl_of(ecosystem: Ecosystem, name: str) -> str:
    """The package URL; a namespace (scope, group, vendor) keeps its slashes, everything else is percent-encoded."""
    written = name.lower() if ecosystem in _LOWER else name
    if ecosystem is Ecosystem.MAVEN:
        written = written.replace(":", "/", 1)
    path = "/".join(quote(part, safe="") for part in written.split("/"))
    return f"pkg:{_TYPES[ecosystem]}/{path}"
