"""Collects what a lock file says until it is a package set.

Guarantees: equal packages become one (the first line, all hashes, needed for production if one of them is), positions in `needs` are
those of the sorted packages, and neither packages, edges nor problems pass their bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

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
        self._places: dict[tuple[str, str, str, str], int] = {}
        self._packages: list[Package] = []
        self._hashes: dict[int, set[str]] = {}
        self._direct: set[int] = set()
        self._production: set[int] = set()
        self._edges: dict[int, list[int]] = {}
        self._edge_count = 0
        self._problems: list[tuple[int, str]] = []

    def add(self, package: Package) -> int:
        """The package's position, for `need`; a package without an exact name and version becomes a problem and has position -1."""
        name, version = package.name, package.version
        # Members' texts, because hashing a member of an enumeration runs Python code.
        key = (name, version, package.source._value_, package.ecosystem._value_)
        at = self._places.get(key)
        if at is None:
            if not name or not version or len(name) + len(version) > _LONGEST or len(self._packages) >= MOST_PACKAGES:
                return self._refused(package)
            at = self._places[key] = len(self._packages)
            self._packages.append(package)
        elif package.hashes != self._packages[at].hashes:
            self._hashes.setdefault(at, set(self._packages[at].hashes)).update(package.hashes)
        if package.direct:
            self._direct.add(at)
        if not package.development:
            self._production.add(at)
        return at

    def _refused(self, package: Package) -> int:
        """Why a package is not taken in: a problem, or an end of reading."""
        name, line = package.name, package.line
        if len(name) + len(package.version) > _LONGEST:
            raise Unreadable("size", f"a name and its version have more than {_LONGEST} characters", line)
        if len(self._packages) >= MOST_PACKAGES:
            raise Unreadable("size", f"the file names more than {MOST_PACKAGES} packages", line)
        self.problem(line, f"{one_line(name) or 'an entry'} names no exact version; have its tool write the file anew")
        return -1

    def in_production(self, at: int) -> None:
        """A package that was added before is needed for more than development; -1 is nothing."""
        self._production.add(at)

    def asked_for(self, at: int) -> None:
        """The project itself asks for this package; -1 is nothing."""
        self._direct.add(at)

    def ask_for(self, places: Iterable[int]) -> None:
        """The same for several."""
        self._direct.update(places)

    def need(self, whole: int, part: int) -> None:
        """The first needs the second; -1 on either side is nothing."""
        self.need_all(whole, (part,))

    def need_all(self, whole: int, parts: Sequence[int]) -> None:
        """The first needs all the others; -1 is nothing."""
        if whole < 0 or not parts:
            return
        self._edges.setdefault(whole, []).extend(parts)
        self._edge_count += len(parts)
        if self._edge_count > MOST_EDGES:
            raise Unreadable("size", f"the file has more than {MOST_EDGES} dependencies between packages")

    def problem(self, line: int, sentence: str) -> None:
        """An entry that names no exact version or could not be understood."""
        if len(self._problems) >= MOST_PROBLEMS:
            raise Unreadable("size", f"the file has more than {MOST_PROBLEMS} entries without an exact version", line)
        self._problems.append((line, sentence))

    def finished(self, release: str = "") -> PackageSet:
        """The set, whatever the order in which it came."""
        packages = self._packages
        # One text each compares faster than tuples, and NUL sorts before whatever a name goes on with.
        keys = [f"{p.ecosystem._value_}\0{p.name}\0{p.version}\0{p.source._value_}" for p in packages]
        order = sorted(range(len(packages)), key=keys.__getitem__)
        return PackageSet(
            packages=tuple(self._packages_in(order)),
            needs=self._needs(order) if self._knows_needs else (),
            knows_direct=self.knows_direct,
            release=release,
            problems=tuple(sorted(set(self._problems))),
        )

    def _packages_in(self, order: list[int]) -> list[Package]:
        """The packages with what was found out about them later."""
        packages = self._packages
        direct = self._direct if self.knows_direct else set()
        return [
            packages[at]
            if at not in direct
            and packages[at].development is (at not in self._production)
            and at not in self._hashes
            and not packages[at].direct
            else self._settled(at, direct=at in direct)
            for at in order
        ]

    def _settled(self, at: int, *, direct: bool) -> Package:
        package = self._packages[at]
        hashes = tuple(sorted(self._hashes[at])) if at in self._hashes else package.hashes
        return msgspec.structs.replace(package, direct=direct, development=at not in self._production, hashes=hashes)

    def _needs(self, order: list[int]) -> tuple[tuple[int, ...], ...]:
        place = [0] * len(order)
        for position, at in enumerate(order):
            place[at] = position
        needs: list[tuple[int, ...]] = [()] * len(order)
        for whole, parts in self._edges.items():
            needs[place[whole]] = tuple(sorted({place[part] for part in parts if part >= 0 and part != whole}))
        return tuple(needs)


def counted(rows: Iterable[Iterable[int]]) -> list[list[int]]:
    """The needs of each package, as long as all of them together are not too many: a name that stands often multiplies.

    Raises:
        Unreadable: when they are.
    """
    made: list[list[int]] = []
    left = MOST_EDGES
    for row in rows:
        made.append(list(islice(row, left + 1)))
        left -= len(made[-1])
        if left < 0:
            raise Unreadable("size", f"the file has more than {MOST_EDGES} dependencies between packages")
    return made


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
