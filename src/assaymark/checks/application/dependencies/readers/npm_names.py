"""How npm, yarn, pnpm and bun write where a package comes from.

Guarantees that a version is never guessed from an address: where only an address is given, a commit is the version or there is none.
"""

from __future__ import annotations

import re

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Source

_COMMIT = re.compile(r"#(?:commit=|semver:[^#]*&commit=)?(?P<commit>[0-9a-f]{7,64})\b")
_GIT = re.compile(r"git[+:@]|(?:github|gitlab|bitbucket|gist):|ssh://|[^:]+://[^#]*\.git(?:#|\Z)")
_ALIAS = re.compile(r"npm:(?P<name>@?[^@]+)@(?P<version>.+)\Z")
_CODELOAD = re.compile(r"https://codeload\.github\.com/[^/]+/[^/]+/(?:tar\.gz|legacy\.tar\.gz|zip)/(?:refs/)?(?P<commit>[0-9a-f]{40})\b")
_ARCHIVE = re.compile(r"https?://[^?#]+/-/(?P<file>[^/?#]+?)-(?P<version>\d+\.\d+\.\d[^/?#]*)\.tgz\Z")
"""Where registries keep a version: the only address that tells it, because npm itself makes it of name and version."""
_OWN = ("link:", "workspace:", "portal:")
_PACKED = (".tgz", ".tar.gz", ".tar")


class Pinned(Struct, frozen=True):
    """What a version field means."""

    name: str
    version: str
    """Empty when no exact version is given."""
    source: Source = Source.REGISTRY
    own: bool = False
    """The project's own folder, no package."""


def pinned(name: str, version: str) -> Pinned:
    """A version field that may hold a version, an alias or an address."""
    if version[:1].isdigit():
        return Pinned(name, version)
    alias = _ALIAS.match(version)
    if alias:
        return Pinned(alias["name"], alias["version"])
    if version.startswith(_OWN) or (version.startswith("file:") and not version.endswith(_PACKED)):
        return Pinned(name, "", Source.PATH, own=True)
    if version.startswith("file:"):
        return Pinned(name, "", Source.PATH)
    archive = _ARCHIVE.match(version)
    if archive and archive["file"] == name.rpartition("/")[2]:
        return Pinned(name, archive["version"])
    source = source_of_url(version)
    return (
        Pinned(name, commit_of(version), source) if source is not Source.REGISTRY else Pinned(name, version if ":" not in version else "")
    )


def commit_of(address: str) -> str:
    """The commit that an address of a git repository is fixed to; empty when it is not."""
    found = _COMMIT.search(address) or _CODELOAD.match(address)
    return found["commit"] if found else ""


def source_of_url(address: str) -> Source:
    """Where an address leads. Registries of every vendor have ``/-/`` or ``/download/`` in the path of an archive."""
    if not address or ("/-/" in address and address.startswith("https://")):
        return Source.REGISTRY
    if _GIT.match(address) or _CODELOAD.match(address):
        return Source.GIT
    if address.startswith(("http://", "https://")):
        return Source.REGISTRY if "/-/" in address or "/download/" in address else Source.URL
    return Source.PATH if address.startswith(("file:", "link:", "./", "../", "/")) else Source.REGISTRY
