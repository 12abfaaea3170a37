"""Collects what a lock file says until it is a package set.

Guarantees: equal packages become one (the first line, all hashes, needed for production if one of them is), positions in `needs` are
those of the sorted packages, and neither packages, edges nor problems pass their bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from assaymark.checks.application.dependencies.packages import Package, PackageSet
from assaymark.checks.reading.yaml_tree import Unreadable

MOST_PACKAGES = 100_000
"""The largest public lock file seen has some 6,000."""
MOST_EDGES = 2_000_000
MOST_PROBLEMS = 5_000
_LONGEST = 500
"""Characters of a name or a version; registries allow 214 and fewer."""


class Gathering:
    """Packages and edges in the order of the file."""

    def __init__(self, *, knows_direct: bool = False, knows_needs: bool = False) -> None:
        self.knows_direct = knows_direct
        self._knows_needs = knows_needs
        self._packages: list[Package] = []
        self._edges: list[tuple[int, int]] = []
        self._problems: list[tuple[int, str]] = []

    def add(self, package: Package) -> int:
        """The package's position, for `need`; a package without an exact name and version becomes a problem and has position -1."""
        if not package.name or not package.version:
            self.problem(package.line, f"{one_line(package.name) or 'an entry'} names no exact version; have its tool write the file anew")
            return -1
        if len(package.name) > _LONGEST or len(package.version) > _LONGEST:
            raise Unreadable("size", f"a name or version has more than {_LONGEST} characters", package.line)
        if len(self._packages) >= MOST_PACKAGES:
            raise Unreadable("size", f"the file names more than {MOST_PACKAGES} packages", package.line)
        self._packages.append(package)
        return len(self._packages) - 1

    def need(self, whole: int, part: int) -> None:
        """The first needs the second; -1 on either side is nothing."""
        if whole < 0 or part < 0:
            return
        if len(self._edges) >= MOST_EDGES:
            raise Unreadable("size", f"the file has more than {MOST_EDGES} dependencies between packages")
        self._edges.append((whole, part))

    def problem(self, line: int, sentence: str) -> None:
        """An entry that names no exact version or could not be understood."""
        if len(self._problems) >= MOST_PROBLEMS:
            raise Unreadable("size", f"the file has more than {MOST_PROBLEMS} entries without an exact version", line)
        self._problems.append((line, sentence))

    def finished(self) -> PackageSet:
        """The set, whatever the order in which it came."""
        packages = self._packages
        order = sorted(range(len(packages)), key=lambda at: _key(packages[at]))
        place = [0] * len(packages)
        merged: list[Package] = []
        for at in order:
            package = packages[at]
            if merged and _key(merged[-1]) == _key(package):
                merged[-1] = _joined(merged[-1], package)
            else:
                merged.append(package)
            place[at] = len(merged) - 1
        return PackageSet(
            packages=tuple(merged),
            needs=self._needs(place, len(merged)) if self._knows_needs else (),
            knows_direct=self.knows_direct,
            problems=tuple(sorted(set(self._problems))),
        )

    def _needs(self, place: list[int], count: int) -> tuple[tuple[int, ...], ...]:
        needs: list[set[int]] = [set() for _ in range(count)]
        for whole, part in self._edges:
            needs[place[whole]].add(place[part])
        for at, parts in enumerate(needs):
            parts.discard(at)
        return tuple(tuple(sorted(parts)) for parts in needs)


def reachable(start: Iterable[int], needs: list[list[int]]) -> set[int]:
    """All positions that can be reached, the first ones included."""
    seen = {at for at in start if at >= 0}
    waiting = list(seen)
    while waiting:
        for part in needs[waiting.pop()]:
            if part >= 0 and part not in seen:
                seen.add(part)
                waiting.append(part)
    return seen


def one_line(text: str, longest: int = 120) -> str:
    """Text of a stranger, folded and cut for a sentence."""
    folded = " ".join(text[: longest * 4].split())
    return folded if len(folded) <= longest else folded[: longest - 1] + "…"


def _key(package: Package) -> tuple[str, str, str, str]:
    return package.ecosystem, package.name, package.version, package.source


def _joined(one: Package, other: Package) -> Package:
    lines = [line for line in (one.line, other.line) if line]
    return msgspec.structs.replace(
        one,
        line=min(lines, default=0),
        direct=one.direct or other.direct,
        development=one.development and other.development,
        hashes=one.hashes if one.hashes == other.hashes else tuple(_unique((*one.hashes, *other.hashes))),
    )


def _unique(values: Iterable[str]) -> Iterator[str]:
    yield from sorted(set(values))
