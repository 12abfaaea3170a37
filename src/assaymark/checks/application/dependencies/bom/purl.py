"""Package URLs (purl): the name of a package in every ecosystem, as one line of text.

Follows the purl specification with the rules of the types that we have; a URL of another type is read and written by the general rules.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem, Package

_TYPE = re.compile(r"[a-z.-][a-z0-9.-]*\Z", re.IGNORECASE)
_KEY = re.compile(r"[a-z._-][a-z0-9._-]*\Z")
_PUB = re.compile(r"[^a-z0-9_]")
LONGEST = 4096
_LOWER_BOTH = frozenset({"apk", "bitbucket", "composer", "deb", "github", "golang", "hex"})
_LOWER_SPACE = frozenset({"rpm"})
_NEEDS_SPACE = frozenset({"composer", "maven", "swift"})
_NO_SPACE = frozenset({"cargo", "cocoapods", "gem", "nuget", "pub", "pypi"})
_TYPES: dict[Ecosystem, tuple[str, str]] = {
    Ecosystem.PYPI: ("pypi", ""),
    Ecosystem.NPM: ("npm", ""),
    Ecosystem.GO: ("golang", ""),
    Ecosystem.CRATES: ("cargo", ""),
    Ecosystem.MAVEN: ("maven", ""),
    Ecosystem.NUGET: ("nuget", ""),
    Ecosystem.RUBYGEMS: ("gem", ""),
    Ecosystem.PACKAGIST: ("composer", ""),
    Ecosystem.HEX: ("hex", ""),
    Ecosystem.PUB: ("pub", ""),
    Ecosystem.GITHUB_ACTIONS: ("github", ""),
    Ecosystem.DEBIAN: ("deb", "debian"),
    Ecosystem.UBUNTU: ("deb", "ubuntu"),
    Ecosystem.ALPINE: ("apk", "alpine"),
    Ecosystem.ALMALINUX: ("rpm", "almalinux"),
    Ecosystem.ROCKY: ("rpm", "rocky"),
    Ecosystem.REDHAT: ("rpm", "redhat"),
    Ecosystem.CONAN: ("conan", ""),
    Ecosystem.SWIFT: ("swift", ""),
    Ecosystem.COCOAPODS: ("cocoapods", ""),
}
_ECOSYSTEMS = {kind: ecosystem for ecosystem, kind in _TYPES.items()} | {
    ("rpm", "rhel"): Ecosystem.REDHAT,
    ("rpm", "alma"): Ecosystem.ALMALINUX,
    ("rpm", "rockylinux"): Ecosystem.ROCKY,
}
_PATHS = frozenset({"golang", "swift", "github", "composer"})
"""Types whose whole name is namespace and name with a slash."""


_AS_IT_IS = re.compile(r"[A-Za-z0-9._~:-]*\Z")


class PurlInvalid(ValueError):  # noqa: N818  it says what is wrong
    """The text is no package URL."""


class Purl(Struct, frozen=True):
    """The parts of a package URL, normalised."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    subpath: str = ""

    def __str__(self) -> str:
        """The canonical form."""
        path = _quoted(self.name)
        if self.namespace:
            path = "/".join([_quoted(part) for part in self.namespace.split("/")]) + "/" + path
        text = f"pkg:{self.type}/{path}"
        if self.version:
            text += "@" + _quoted(self.version)
        if self.qualifiers:
            text += "?" + "&".join(f"{key}={_quoted(value)}" for key, value in self.qualifiers)
        if self.subpath:
            text += "#" + "/".join(_quoted(part) for part in self.subpath.split("/"))
        return text


def _quoted(part: str) -> str:
    return part if _AS_IT_IS.match(part) else quote(part, safe=":")


def make(  # noqa: PLR0913, PLR0917  the parts of a package URL
    kind: str, namespace: str, name: str, version: str = "", qualifiers: dict[str, str] | None = None, subpath: str = ""
) -> Purl:
    """A package URL of its parts, normalised by the rules of its type.

    Raises:
        PurlInvalid: when a part is missing or cannot be.
    """
    if not _TYPE.match(kind):
        raise PurlInvalid(f"{kind[:40]!r} is no type of a package URL")
    kind = kind.lower()
    namespace, name = namespace.strip("/"), name.strip("/")
    if kind in _LOWER_BOTH or kind in _LOWER_SPACE:
        namespace = namespace.lower()
    if kind in _LOWER_BOTH:
        name = name.lower()
    elif kind == "pypi":
        name, version = name.replace("_", "-").lower(), version.lower()
    elif kind == "pub":
        name = _PUB.sub("_", name.lower())
    if not name or (kind in _NEEDS_SPACE and not namespace) or (kind in _NO_SPACE and namespace):
        raise PurlInvalid(f"a package URL of type {kind} has another form")
    rows = {key.lower(): value for key, value in (qualifiers or {}).items() if value}
    if not all(_KEY.match(key) for key in rows):
        raise PurlInvalid("a qualifier's name cannot be")
    parts = [part for part in subpath.strip("/").split("/") if part not in {"", ".", ".."}]
    return Purl(kind, "/".join(part for part in namespace.split("/") if part), name, version, tuple(sorted(rows.items())), "/".join(parts))


def parse(text: str) -> Purl:
    """The parts of a package URL.

    Raises:
        PurlInvalid: when the text is none.
    """
    if len(text) > LONGEST:
        raise PurlInvalid(f"a package URL has at most {LONGEST} characters")
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() != "pkg":
        raise PurlInvalid("a package URL begins with pkg:")
    rest, _, subpath = rest.partition("#")
    rest, _, query = rest.partition("?")
    kind, slash, path = rest.strip("/").partition("/")
    if not slash:
        raise PurlInvalid("a package URL has a type and a name")
    path = path.strip("/")
    cut = path.rfind("@")
    version = ""
    if cut > path.rfind("/") and cut > 0:
        path, version = path[:cut], unquote(path[cut + 1 :])
        if path.endswith("/"):
            raise PurlInvalid("a package URL has a name")
    namespace, _, name = path.rpartition("/")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return make(
        kind,
        "/".join(unquote(part) for part in namespace.split("/")),
        unquote(name),
        version,
        {key: unquote(value) for key, _, value in pairs},
        "/".join(unquote(part) for part in subpath.split("/")),
    )


def purl_of(package: Package, release: str = "") -> Purl:
    """The package URL of a package; `release` is its distribution's.

    Raises:
        PurlInvalid: when its name cannot stand in one (a Maven artifact without a group).
    """
    kind, namespace = _TYPES[package.ecosystem]
    name, subpath = package.name, ""
    if kind == "maven":
        namespace, _, name = name.partition(":")
    elif kind == "cocoapods":
        name, _, subpath = name.partition("/")
    elif kind in _PATHS or (kind == "npm" and name.startswith("@")):
        namespace, _, name = name.rpartition("/")
    qualifiers = {"upstream": package.upstream}
    if namespace and release and kind in {"deb", "apk", "rpm"}:
        qualifiers["distro"] = f"{namespace}-{release.removeprefix('v')}"
    return make(kind, namespace, name, package.version, qualifiers, subpath)


def package_of(purl: Purl) -> Package | None:
    """The package that a URL names; None when its ecosystem is none of ours."""
    distribution = purl.namespace if purl.type in {"deb", "apk", "rpm"} else ""
    ecosystem = _ECOSYSTEMS.get((purl.type, distribution))
    if ecosystem is None:
        return None
    name = purl.name
    if purl.type == "maven":
        name = f"{purl.namespace}:{name}"
    elif purl.type == "cocoapods" and purl.subpath:
        name = f"{name}/{purl.subpath}"
    elif purl.namespace and not distribution:
        name = f"{purl.namespace}/{name}"
    upstream = dict(purl.qualifiers).get("upstream", "").partition("@")[0]
    return Package(name, purl.version, ecosystem, upstream=upstream if upstream != name else "")
