"""Packages as they are found, until they are a set: each once, sorted, within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from assaymark.checks.application.dependencies.packages import Package, PackageSet
from assaymark.checks.reading.yaml_tree import Unreadable

MOST_PACKAGES = 100_000
"""A full desktop has some 5,000."""
_LONGEST = 500


def package_set(packages: Iterable[Package], *, release: str = "", problems: Iterable[str] = ()) -> PackageSet:
    """The set.

    Raises:
        Unreadable: when they are too many, or a name is too long to be one.
    """
    found: dict[tuple[str, str, str], Package] = {}
    for package in packages:
        if len(package.name) > _LONGEST or len(package.version) > _LONGEST:
            raise Unreadable("size", f"a name or version has more than {_LONGEST} characters", package.line)
        found.setdefault((package.ecosystem.value, package.name, package.version), package)
        if len(found) > MOST_PACKAGES:
            raise Unreadable("size", f"more than {MOST_PACKAGES} packages are named")
    return PackageSet(
        packages=tuple(found[key] for key in sorted(found)),
        release=release,
        problems=tuple((0, problem) for problem in sorted(set(problems))),
    )


def text_of(data: bytes) -> str:
    """Text whose bytes that are no UTF-8 are shown as such: a strange maintainer's name must not hide a package."""
    return data.decode("utf-8", "replace")
