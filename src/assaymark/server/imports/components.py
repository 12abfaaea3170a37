"""Components with published vulnerabilities, as other tools see them, under the names that our own check of dependencies gives them.

Guarantees: a component is its package URL without version; a vulnerability is the canonical id of its alias group, by the server's
advisories where they know it and by the same order of preference where they do not; one tool that sees one vulnerability in several
versions of one component at one place has seen one finding. So tools that agree give one finding, and nothing is merged that is not equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

from assaymark.advisories.groups import speaking
from assaymark.checks.application.dependencies.bom.purl import LONGEST, Purl, PurlInvalid, make, package_of, parse
from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.model.component_notes import ALIASES, VERSION
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, ComponentSite, Fix, Layer, RuleId, Sighting, Span
from assaymark.model.identity import Seen
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.found import Ask, World
from assaymark.server.imports.speech import count, line_of

_TYPES = {
    "alpine": "apk/alpine", "apk": "apk/alpine", "wolfi": "apk/wolfi", "chainguard": "apk/chainguard", "debian": "deb/debian",
    "dpkg": "deb/debian", "deb": "deb/debian", "ubuntu": "deb/ubuntu", "redhat": "rpm/redhat", "rhel": "rpm/redhat", "rpm": "rpm/redhat",
    "centos": "rpm/centos", "fedora": "rpm/fedora", "rocky": "rpm/rocky", "rockylinux": "rpm/rocky", "alma": "rpm/almalinux",
    "almalinux": "rpm/almalinux", "amazon": "rpm/amzn", "oracle": "rpm/oracle", "suse": "rpm/suse", "opensuse": "rpm/opensuse",
    "opensuse-leap": "rpm/opensuse", "sles": "rpm/suse", "photon": "rpm/photon", "npm": "npm", "node-pkg": "npm", "yarn": "npm",
    "pnpm": "npm", "bun": "npm", "javascript": "npm", "pypi": "pypi", "pip": "pypi", "pipenv": "pypi", "poetry": "pypi", "uv": "pypi",
    "pdm": "pypi", "python-pkg": "pypi", "python": "pypi", "conda-pkg": "conda", "maven": "maven", "gradle": "maven", "sbt": "maven",
    "jar": "maven", "pom": "maven", "java": "maven", "java-archive": "maven", "go": "golang", "golang": "golang", "gomod": "golang",
    "gomodules": "golang", "gobinary": "golang", "go-module": "golang", "govendor": "golang", "rubygems": "gem", "gem": "gem",
    "bundler": "gem", "gemspec": "gem", "ruby": "gem", "packagist": "composer", "composer": "composer", "composer-vendor": "composer",
    "php-composer": "composer", "php": "composer", "cargo": "cargo", "crates.io": "cargo", "rust-binary": "cargo", "rustbinary": "cargo",
    "rust": "cargo", "rust-crate": "cargo", "nuget": "nuget", "dotnet-core": "nuget", "packages-props": "nuget", "dotnet": "nuget",
    "paket": "nuget", "hex": "hex", "pub": "pub", "dart-pub": "pub", "swift": "swift", "swifturl": "swift", "cocoapods": "cocoapods",
    "conan": "conan", "conancenter": "conan", "github actions": "github", "github-action": "github",
}  # fmt: skip
"""What tools call ecosystems and distributions -> type and fixed namespace of a package URL."""
_SYSTEMS = ("pkg:apk/", "pkg:deb/", "pkg:rpm/")
_SEVERITIES = {
    "critical": Severity.CRITICAL, "high": Severity.HIGH, "important": Severity.HIGH, "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM, "low": Severity.LOW, "minor": Severity.LOW, "negligible": Severity.INFO, "none": Severity.INFO,
    "info": Severity.INFO, "informational": Severity.INFO,
}  # fmt: skip
_MOST_VERSIONS = 20


class Vulnerable(Struct, frozen=True):
    """One tool's word on one component."""

    purl: str
    """With or without a version."""
    version: str
    ids: tuple[str, ...]
    severity: Severity
    title: str = ""
    path: str = ""
    """Of the lock file or the like; nothing is said of files for packages of a system, whose place is the whole."""
    fixed: str = ""
    url: str = ""
    line: int = 0
    notes: tuple[tuple[str, str], ...] = ()


def rated(word: str, otherwise: Severity = Severity.MEDIUM) -> Severity:
    """A tool's word; what nobody rated is medium, as in our advisories."""
    return _SEVERITIES.get(word.strip().lower(), otherwise)


def scored(score: float | None) -> Severity | None:
    """The band of a CVSS base score."""
    if score is None:
        return None
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.001, Severity.LOW))
    return next((severity for at_least, severity in bounds if score >= at_least), Severity.INFO)


def purl_named(ecosystem: str, name: str, version: str = "") -> str:
    """The package URL of a name as tools write it; of an ecosystem that nobody knows, a generic one."""
    kind, _, space = _TYPES.get(ecosystem.strip().lower().partition(":")[0], "generic").partition("/")
    if kind == "maven":
        space, _, name = name.replace("/", ":").rpartition(":")
    elif not space and kind != "generic":
        space, _, name = name.rpartition("/")
    try:
        return str(make(kind, space, name, version))
    except PurlInvalid:
        return f"pkg:generic/{name[:200]}" + (f"@{version}" if version else "")


def is_of_system(purl: str) -> bool:
    """Whether it is a package of a distribution."""
    return purl.startswith(_SYSTEMS)


def seen_of(check: CheckId, rows: Iterable[Vulnerable], ask: Ask, world: World) -> list[Seen]:
    """Sightings, one per component, vulnerability and place."""
    groups: dict[tuple[str, str, str], list[Vulnerable]] = {}
    rows = [row for row in rows if row.ids and row.purl]
    names = canonical([row.ids for row in rows], world)
    for row in rows:
        component = _component(row.purl)
        path = "" if is_of_system(row.purl) else row.path
        groups.setdefault((path, component, names[row.ids]), []).append(row)
    return [_seen(check, key, group, ask) for key, group in groups.items()]


def canonical(groups: Sequence[tuple[str, ...]], world: World) -> Mapping[tuple[str, ...], str]:
    """For the ids of each vulnerability the one by which it is known here."""
    known = world.naming(sorted({each for ids in groups for each in ids}))
    found = {}
    for ids in groups:
        own = [known[each] for each in ids if each in known]
        found[ids] = speaking(own or ids)
    return found


@lru_cache(maxsize=65_536)
def _component(text: str) -> str:
    try:
        purl = parse(text[:LONGEST])
    except PurlInvalid:
        return text[:200]
    package = package_of(purl)
    return component_name(package) if package else str(Purl(purl.type, purl.namespace, purl.name))


def _seen(check: CheckId, key: tuple[str, str, str], group: list[Vulnerable], ask: Ask) -> Seen:
    path, component, advisory = key
    worst = max(group, key=lambda row: row.severity.rank)
    malicious = advisory.startswith("MAL-")
    versions = ", ".join(list(dict.fromkeys(row.version for row in group if row.version))[:_MOST_VERSIONS])
    ids = tuple(dict.fromkeys(each for row in group for each in row.ids if each != advisory))
    name = unquote(component.rpartition("/")[2])
    what = "is a malicious package" if malicious else "has a known vulnerability"
    fixed = next((row.fixed for row in group if row.fixed), "")
    line = min((count(row.line) for row in group if count(row.line)), default=0)
    facts = ((VERSION, versions), (ALIASES, ", ".join(ids)), ("fixed in", fixed), ("reference", _link(group)))
    sighting = Sighting(
        rule=RuleId("dependencies/malicious-package" if malicious else "dependencies/known-vulnerability"),
        site=ComponentSite(component, advisory, worst.version),
        severity=Severity.CRITICAL if malicious else worst.severity,
        message=line_of(f"{name} {versions} {what} ({advisory})" + (f": {worst.title}" if worst.title else ".")),
        span=Span(line, 1, line, 1) if line else None,
        confidence=Confidence.HIGH,
        fix=Fix(f"Raise {name} to {line_of(fixed)}.") if fixed and not malicious else None,
        notes=tuple((label, line_of(text)) for label, text in (*facts, *worst.notes) if text),
    )
    layer = Layer.PLATFORM if is_of_system(component) else Layer.APPLICATION
    return Seen(sighting, check, ask.on(layer), sha256(path.encode("utf-8", "surrogatepass")), path)


def _link(group: list[Vulnerable]) -> str:
    return next((row.url for row in group if row.url.startswith("https://")), "")
