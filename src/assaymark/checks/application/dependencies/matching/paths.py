"""What brings a package in: the shortest way from something that the project asks for itself. Pure."""

from __future__ import annotations

from collections import deque

from assaymark.checks.application.dependencies.packages import PackageSet


class Ways:
    """Shortest ways of one package set, found once for all packages."""

    def __init__(self, packages: PackageSet) -> None:
        self._packages = packages
        self._before: dict[int, int] = {}
        if packages.knows_direct and packages.needs:
            self._walk()

    def _walk(self) -> None:
        """Breadth first from all direct packages at once, in the order of the set, so that equal inputs give equal ways."""
        waiting = deque(position for position, package in enumerate(self._packages.packages) if package.direct)
        self._before = dict.fromkeys(waiting, -1)
        while waiting:
            whole = waiting.popleft()
            for part in self._packages.needs[whole]:
                if part not in self._before:
                    self._before[part] = whole
                    waiting.append(part)

    def to(self, position: int) -> tuple[int, ...]:
        """Positions from a direct package to this one, both included; empty when the format does not tell."""
        if position not in self._before:
            return ()
        way = [position]
        while self._before[way[-1]] >= 0:
            way.append(self._before[way[-1]])
        return tuple(reversed(way))
