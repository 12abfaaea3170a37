"""Which advisories hit which packages. Pure over an opened index.

Guarantees: a package is hit when its version is in an affected range or listed, by the ecosystem's own order; a version or range without
an order is compared word for word with the lists and reported as a gap, never as not affected; an alias group hits a package once.
Does not follow edges: what brings a package in is `paths`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.checks.application.dependencies.matching.index import Advisories
from assaymark.checks.application.dependencies.matching.records import RELEASED, Affects, folds_case, package_key
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line


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


class Lack(StrEnum):
    """Why something could not be compared; the words are reason classes."""

    UNMATCHED = "unmatched"
    """What the lock file says of a package, or an advisory of its versions, has no place in an order: a matter of this entry."""
    NO_ADVISORIES = "engine-missing"
    """A matter of this machine, like a tool that is not installed."""


class Gap(Struct, frozen=True):
    """A package of which advisories could not be excluded."""

    package: Package
    sentence: str
    lack: Lack = Lack.UNMATCHED


class Matches(Struct, frozen=True):
    """What a package set was found to hold."""

    hits: tuple[Hit, ...]
    gaps: tuple[Gap, ...]
    affecting: dict[str, tuple[Affects, ...]]
    """For the packages that are hit: every record about them, by package key."""


def match(packages: PackageSet, index: Advisories) -> Matches:
    """Compare every package with the advisories about it."""
    keys = list(_keys(packages))
    affecting = index.affecting(key for key in keys if key)
    hits: list[Hit] = []
    gaps: list[Gap] = list(_uncovered(packages, index))
    for position, (package, key) in enumerate(zip(packages.packages, keys, strict=True)):
        if not key and package.source is Source.GIT:
            gaps.append(Gap(package, f"{package.name} comes from a commit, which advisories do not name; use a release of it"))
        records = affecting.get(key)
        if records is None:
            continue
        spoken_of = package.upstream_version or package.version
        version = key_of(package.ecosystem, newest_of_line(package.ecosystem, spoken_of))
        saying = [record for record in records if is_affected(record, package.ecosystem, spoken_of, version)]
        if saying:
            hits += _hits(position, package, saying, by_word=version is None)
        if version is None or any(record.opaque for record in records):
            gaps += _gaps(package, records, saying, version)
    hit_keys = {keys[hit.position] for hit in hits}
    return Matches(tuple(hits), tuple(gaps), {key: affecting[key] for key in sorted(hit_keys)})


def _uncovered(packages: PackageSet, index: Advisories) -> Iterator[Gap]:
    """Ecosystems that the index knows nothing of: an empty shelf is not a clean one."""
    last = None
    for package in packages.packages:  # sorted by ecosystem
        if package.ecosystem is last or not is_named(package):
            continue
        last = package.ecosystem
        if last in RELEASED and not packages.release:
            yield Gap(package, f"which release of {last} this is, is not told, so its packages could not be compared with advisories")
        elif not index.covers(package_key(last, "", packages.release if last in RELEASED else "")):
            name = f"{last}:{packages.release}" if last in RELEASED else str(last)
            sentence = f"there are no advisories about {name} on this machine: run `assay advisories update --ecosystem '{name}'`"
            yield Gap(package, sentence, Lack.NO_ADVISORIES)


def is_named(package: Package) -> bool:
    """Whether advisories know it by name and version."""
    return package.source is Source.REGISTRY or package.source is Source.URL


def _keys(packages: PackageSet) -> Iterator[str]:
    """Each package's key in the index, empty when it is in none.

    Neighbours are of one ecosystem, so what follows from the ecosystem is worked out once: hashing and printing a word of an enumeration
    for each of a thousand packages costs as much as asking the index.
    """
    ecosystem, prefix, folds = None, "", False
    for package in packages.packages:
        if package.ecosystem is not ecosystem:
            ecosystem = package.ecosystem
            prefix, folds = package_key(ecosystem, "", packages.release), folds_case(ecosystem)
        if not is_named(package):
            yield ""
        else:
            name = package.upstream or package.name
            yield prefix + (name.lower() if folds else name)


def key_in(packages: PackageSet, package: Package) -> str:
    """The package's key in the index; a distribution's advisories speak of the source package and of a release."""
    return package_key(package.ecosystem, package.upstream or package.name, packages.release)


def is_affected(record: Affects, ecosystem: Ecosystem, version: str, key: bytes | None) -> bool:
    """Whether the record speaks of this version: by a range, or by a list, there under any spelling of the same version."""
    if version in record.versions:
        return True
    if key is None:
        return False
    for span in record.spans:
        if span.holds(key):
            return True
    return bool(record.versions) and any(key_of(ecosystem, listed) == key for listed in record.versions)


def _hits(position: int, package: Package, saying: Sequence[Affects], *, by_word: bool) -> Iterator[Hit]:
    """One per alias group."""
    found: dict[str, list[Affects]] = {}
    for record in saying:
        found.setdefault(record.advisory, []).append(record)
    for advisory, records in sorted(found.items()):
        yield Hit(
            position=position,
            package=package,
            advisory=advisory,
            records=tuple(sorted({record.record for record in records})),
            by_word=by_word,
            imports=tuple(sorted({part for record in records for part in record.imports})),
        )


def _gaps(package: Package, records: Iterable[Affects], saying: Sequence[Affects], version: bytes | None) -> Iterator[Gap]:
    if version is None:
        sentence = (
            f"{package.name} has a version that {package.ecosystem} cannot order, so it was compared only word for word"
            " with the versions that advisories list; use a release with an ordinary version"
        )
        yield Gap(package, sentence)
        return
    ids = sorted({record.advisory for record in records if record.opaque} - {record.advisory for record in saying})
    if ids:
        several = f"{ids[0]} and {len(ids) - 1} more" if len(ids) > 1 else ids[0]
        yield Gap(package, f"{several} tells the affected versions of {package.name} in no order known here; read it and decide")
