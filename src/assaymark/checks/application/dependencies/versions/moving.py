"""Versions that move: a tag of a GitHub action with fewer than three numbers is set anew with every release of its line.

So ``v4`` is hit only by what hits the newest release that a line 4 can have: an advisory repaired in 4.1.3 does not speak of it, one
repaired in 5.0.1 does. That the tag was set anew is what its owners promise; a tag that lags behind is not seen here.
"""

from __future__ import annotations

from assaymark.checks.application.dependencies.packages import Ecosystem

_HIGHEST = ".999999999"
"""Above every number that a release has."""


def newest_of_line(ecosystem: Ecosystem, version: str) -> str:
    """The highest version that this one can stand for; of ecosystems whose versions stand still, the version itself."""
    if ecosystem is not Ecosystem.GITHUB_ACTIONS or "-" in version:
        return version
    return version + _HIGHEST * max(0, 2 - version.count("."))
