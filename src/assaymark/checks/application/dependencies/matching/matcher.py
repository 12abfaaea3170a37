"""Which advisories hit which packages. Pure over an opened index.

Guarantees: a package is hit when its version is in an affected range or listed, by the ecosystem's own order; a version or range without
an order is compared word for word with the lists and reported as a gap, never as not affected; an alias group hits a package once.
Does not follow edges: what brings a package in is `paths`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from assaymark.checks.application.dependencies.matching.index import Advisories
from assaymark.checks.application.dependencies.matching.records import Affects, package_key
from assaymark.checks.application.dependencies.packages import Package, PackageSet, Source
from assaymark.checks.application.dependencies.versions.keys import key_of

_NAMED = frozenset({Source.REGISTRY, Source.URL})
"""Sources whose packages advisories know by name and version."""


class Hit(Struct, frozen=True):
    """One alias group that hits one package at one version."""

    position: int
    """Of the package in the set."""
    package: Package
    advisory: str
    records: tuple[str, ...]
    """Those that say so, sorted."""
    by_word: bool = False
    """True when the version has no order and was found in a list."""
    imports: tuple[str, ...] = ()


class Gap(Struct, frozen=True):
    """A package of which advisories could not be excluded."""

    package: Package
    sentence: str


class Matches(Struct, frozen=True):
    """What a package set was found to hold."""

    hits: tuple[Hit, ...]
    gaps: tuple[Gap, ...]
    affecting: dict[str, tuple[Affects, ...]]
    """For the packages that are hit: every record about them, by package key."""


def match(packages: PackageSet, index: Advisories) -> Matches:
    """Compare every package with the advisories about it."""
    keys = [key_in(packages, package) if package.source in _NAMED else "" for package in packages.packages]
    affecting = index.affecting(key for key in keys if key)
    hits: list[Hit] = []
    gaps: list[Gap] = []
    for position, (package, key) in enumerate(zip(packages.packages, keys, strict=True)):
        if package.source is Source.GIT:
            gaps.append(Gap(package, f"{package.name} comes from a commit, which advisories do not name; use a release of it"))
        records = affecting.get(key, ())
        if not records:
            continue
        version = key_of(package.ecosystem, package.version)
        hits += _hits(position, package, records, version)
        gaps += _gaps(package, records, version)
    hit_keys = {keys[hit.position] for hit in hits}
    return Matches(tuple(hits), tuple(gaps), {key: affecting[key] for key in sorted(hit_keys)})


def key_in(packages: PackageSet, package: Package) -> str:
    """The package's key in the index; a distribution's advisories speak of the source package and of a release."""
    return package_key(package.ecosystem, package.upstream or package.name, packages.release)


def is_affected(record: Affects, version: str, key: bytes | None) -> bool:
    """Whether the record speaks of this version."""
    return version in record.versions or (key is not None and any(span.holds(key) for span in record.spans))


def _hits(position: int, package: Package, records: Sequence[Affects], version: bytes | None) -> Iterator[Hit]:
    found: dict[str, list[Affects]] = {}
    for record in records:
        if is_affected(record, package.version, version) or _is_listed(record, package, version):
            found.setdefault(record.advisory, []).append(record)
    for advisory, saying in sorted(found.items()):
        yield Hit(
            position=position,
            package=package,
            advisory=advisory,
            records=tuple(sorted({record.record for record in saying})),
            by_word=version is None,
            imports=tuple(sorted({part for record in saying for part in record.imports})),
        )


def _is_listed(record: Affects, package: Package, version: bytes | None) -> bool:
    """Listed under another spelling of the same version."""
    return version is not None and any(key_of(package.ecosystem, listed) == version for listed in record.versions)


def _gaps(package: Package, records: Iterable[Affects], version: bytes | None) -> Iterator[Gap]:
    if version is None:
        sentence = (
            f"{package.name} has a version that {package.ecosystem} cannot order, so it was compared only word for word"
            " with the versions that advisories list; use a release with an ordinary version"
        )
        yield Gap(package, sentence)
        return
    ids = sorted({record.advisory for record in records if record.opaque and not is_affected(record, package.version, version)})
    if ids:
        several = f"{ids[0]} and {len(ids) - 1} more" if len(ids) > 1 else ids[0]
        yield Gap(package, f"{several} tells the affected versions of {package.name} in no order known here; read it and decide")
