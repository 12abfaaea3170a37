"""Bills of materials in CycloneDX JSON (1.2 to 1.7), our own and those of other tools.

A component is a package when its package URL is of an ecosystem with advisories. Every other library is a problem: it cannot be looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from assaymark.checks.application.dependencies.bom.cyclonedx import ROOT
from assaymark.checks.application.dependencies.bom.purl import Purl, PurlInvalid, package_of, parse
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import Lines, json_of, sri_of
from assaymark.checks.reading.yaml_tree import Unreadable

_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512", "BLAKE2b-512": "blake2b"}
_LIBRARIES = frozenset({"library", "framework"})
_OTHERS = frozenset({"application", "container", "firmware", "platform"})
_DEEPEST = 50
_ECOSYSTEMS = {each.value: each for each in Ecosystem}
_SOURCES = {each.value: each for each in Source}


class _Property(Struct):
    name: str = ""
    value: str = ""


class _Hash(Struct):
    alg: str
    content: str


class _Occurrence(Struct):
    location: str = ""
    line: int = 0


class _Evidence(Struct):
    occurrences: list[_Occurrence] = field(default_factory=list)


class _Component(Struct, rename="kebab"):
    type: str = ""
    bom_ref: str = ""
    group: str = ""
    name: str = ""
    version: str = ""
    purl: str = ""
    scope: str = ""
    hashes: list[_Hash] = field(default_factory=list)
    properties: list[_Property] = field(default_factory=list)
    evidence: _Evidence | None = None
    components: list[_Component] = field(default_factory=list)

    def properties_of(self, name: str) -> list[str]:
        """Values of our own properties."""
        return [each.value for each in self.properties if each.name == f"assaymark:{name}"]

    def fact(self, name: str) -> str:
        """The first of them; empty when there is none."""
        return next(iter(self.properties_of(name)), "")


class _Metadata(Struct):
    component: _Component | None = None
    properties: list[_Property] = field(default_factory=list)


class _Dependency(Struct, rename="camel"):
    ref: str
    depends_on: list[str] | None = None


class _Composition(Struct):
    aggregate: str = ""


class _Document(Struct, rename="camel"):
    bom_format: str
    metadata: _Metadata = field(default_factory=_Metadata)
    components: list[_Component] = field(default_factory=list)
    dependencies: list[_Dependency] = field(default_factory=list)
    compositions: list[_Composition] = field(default_factory=list)


def read_cyclonedx(content: bytes) -> PackageSet:
    """The packages of the bill.

    Raises:
        Unreadable: when it is no CycloneDX JSON.
    """
    file = json_of(content, _Document)
    if file.bom_format != "CycloneDX":
        raise Unreadable("schema", f"bomFormat is {one_line(file.bom_format, 40)} and not CycloneDX")
    root = file.metadata.component.bom_ref if file.metadata.component else ""
    edges = {row.ref: row.depends_on or [] for row in file.dependencies}
    components = list(_all(file.components, 0))
    gathering = Gathering(knows_direct=bool(root) and root in edges, knows_needs=any(each.bom_ref in edges for each in components))
    direct = _wished(root, edges, {each.bom_ref for each in components if _package(each) is not None})
    lines = Lines(content)
    places: dict[str, int] = {}
    for each in components:
        line = lines.of_pair("bom-ref", each.bom_ref) if each.bom_ref and root != ROOT else 0
        places[each.bom_ref] = _add(gathering, each, line, direct=each.bom_ref in direct)
    for ref, parts in edges.items():
        gathering.need_all(places.get(ref, -1), [places.get(part, -1) for part in parts])
    return _whole(gathering, file)


def _wished(root: str, edges: dict[str, list[str]], packages: set[str]) -> set[str]:
    """What the subject needs, also through components that are no packages (Trivy puts the lock file between)."""
    wished: set[str] = set()
    seen, waiting = {root}, [root]
    while waiting:
        for part in edges.get(waiting.pop(), ()):
            if part in packages:
                wished.add(part)
            elif part not in seen:
                seen.add(part)
                waiting.append(part)
    return wished


def _all(components: list[_Component], depth: int) -> Iterator[_Component]:
    if depth > _DEEPEST:
        raise Unreadable("nesting", f"components are nested more than {_DEEPEST} levels deep")
    for each in components:
        yield each
        yield from _all(each.components, depth + 1)


def _add(gathering: Gathering, each: _Component, line: int, *, direct: bool) -> int:
    package = _package(each)
    if package is None:
        if each.type in _LIBRARIES or (each.purl and each.type in _OTHERS):
            gathering.problem(line, unnamed(each.purl, "/".join(part for part in (each.group, each.name) if part)))
        return -1
    own_line = each.fact("line")
    if own_line.isdecimal() and len(own_line) < 10:
        line = int(own_line)
    elif each.evidence is not None and each.evidence.occurrences:
        occurrences = each.evidence.occurrences
        line = occurrences[0].line if len(occurrences) == 1 else 0
    hashes = [f"{_HASHES[row.alg]}:{row.content.lower()}" for row in each.hashes if row.alg in _HASHES]
    return gathering.add(
        Package(
            package.name,
            package.version,
            package.ecosystem,
            line,
            direct,
            each.scope == "excluded",
            _SOURCES.get(each.fact("source"), Source.REGISTRY),
            package.upstream,
            tuple(sorted({*written(package.ecosystem, hashes), *each.properties_of("hash")})),
        )
    )


def written(ecosystem: Ecosystem, hashes: Iterable[str]) -> Iterable[str]:
    """Hashes as the ecosystem's lock files write them."""
    return map(sri_of, hashes) if ecosystem is Ecosystem.NPM else hashes


def unnamed(purl: str, name: str) -> str:
    """Why advisories cannot be looked up."""
    if purl:
        return f"{one_line(_without_version(purl))} is of an ecosystem whose advisories are not read; look it up by other means"
    return f"{one_line(name)} has no package URL, so no advisories can be found; have the bill's maker write one"


def _without_version(purl: str) -> str:
    """A sentence about an entry must not change with its version."""
    try:
        url = parse(purl)
    except PurlInvalid:
        return purl.partition("?")[0].partition("@")[0]
    return str(Purl(url.type, url.namespace, url.name))


def _package(each: _Component) -> Package | None:
    """What the component is, by our own word or by its URL."""
    ecosystem = _ECOSYSTEMS.get(each.fact("ecosystem"))
    if ecosystem is not None and each.fact("name"):
        return Package(each.fact("name"), each.version, ecosystem, upstream=each.fact("upstream"))
    try:
        return package_of(parse(each.purl)) if each.purl else None
    except PurlInvalid:
        return None


def _whole(gathering: Gathering, file: _Document) -> PackageSet:
    release = ""
    gaps = False
    for row in file.metadata.properties:
        if row.name == "assaymark:release":
            release = row.value
        elif row.name == "assaymark:gap":
            line, _, sentence = row.value.partition(" ")
            gathering.problem(int(line) if line.isdecimal() and len(line) < 10 else 0, one_line(sentence, 400))
            gaps = True
    if not gaps and any(each.aggregate.startswith("incomplete") for each in file.compositions):
        gathering.problem(0, "whoever made this bill of materials says that it is incomplete; have it made anew from lock files")
    return gathering.finished(release or _release(file))


def _release(file: _Document) -> str:
    """``12`` of Debian and the like, where the bill has an operating system."""
    found = next((each for each in _all(file.components, 0) if each.type == "operating-system"), None)
    return found.version if found else ""
