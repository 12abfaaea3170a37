"""What a lock file says: packages with exact versions, and who brings whom in.

The value between the readers of lock files (which make it), the matcher (which joins it with advisories) and the bills of materials.
Pure data: no path, no advisory, no policy.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Ecosystem(StrEnum):
    """Ecosystems by their names in OSV's schema; a distribution's release is a word of its own, see `PackageSet.release`."""

    PYPI = "PyPI"
    NPM = "npm"
    GO = "Go"
    CRATES = "crates.io"
    MAVEN = "Maven"
    NUGET = "NuGet"
    RUBYGEMS = "RubyGems"
    PACKAGIST = "Packagist"
    HEX = "Hex"
    PUB = "Pub"
    GITHUB_ACTIONS = "GitHub Actions"
    DEBIAN = "Debian"
    UBUNTU = "Ubuntu"
    ALPINE = "Alpine"
    ALMALINUX = "AlmaLinux"
    ROCKY = "Rocky Linux"
    REDHAT = "Red Hat"
    CONAN = "ConanCenter"
    SWIFT = "SwiftURL"
    COCOAPODS = "CocoaPods"


class Source(StrEnum):
    """Where a package comes from; only those of a registry have advisories by name."""

    REGISTRY = "registry"
    GIT = "git"
    URL = "url"
    PATH = "path"


class Package(Struct, frozen=True, omit_defaults=True, gc=False):
    """One package of a lock file, at one version."""

    name: str
    """As the ecosystem writes it, normalised by its rules (PEP 503 for PyPI, ``group:artifact`` for Maven, module path for Go)."""
    version: str
    """As written, without a leading ``v`` only where the ecosystem drops it."""
    ecosystem: Ecosystem
    line: int = 0
    """Where the lock file names it, from 1; 0 when the format does not tell."""
    direct: bool = False
    """Asked for by the project itself. False also when the format does not tell, see `PackageSet.knows_direct`."""
    development: bool = False
    """Needed only to build or test."""
    source: Source = Source.REGISTRY
    upstream: str = ""
    """Name under which the distribution's advisories speak of it (Debian's source package), when it differs."""
    hashes: tuple[str, ...] = ()
    """``sha256:<hex>`` and the like, as far as the lock file gives them; npm's as npm writes them (``sha512-<base64>``), because turning
    a thousand of them around costs as much as all the rest."""


class PackageSet(Struct, frozen=True, omit_defaults=True):
    """All packages of one lock file or image, and their edges."""

    packages: tuple[Package, ...]
    """Sorted by (ecosystem, name, version); a package with two versions stands twice."""
    needs: tuple[tuple[int, ...], ...] = ()
    """For each package the positions of those that it needs; empty when the format holds no edges."""
    knows_direct: bool = False
    release: str = ""
    """Of a Linux distribution, as OSV writes it after the colon (``12``, ``v3.19``)."""
    problems: tuple[tuple[int, str], ...] = ()
    """(line, sentence) for every entry that names no exact version or could not be understood: each is a gap, never a pass."""
