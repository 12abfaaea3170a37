"""Which ecosystem orders its versions how, and the one door to all of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.coding import LONGEST, UnorderableError
from assaymark.checks.application.dependencies.versions.composer import composer
from assaymark.checks.application.dependencies.versions.distributions import apk, dpkg, rpm
from assaymark.checks.application.dependencies.versions.gem import gem
from assaymark.checks.application.dependencies.versions.maven import maven
from assaymark.checks.application.dependencies.versions.pep440 import pep440
from assaymark.checks.application.dependencies.versions.semver import nuget, pub, semver

ORDERS: dict[Ecosystem, Callable[[str], bytes]] = {
    Ecosystem.PYPI: pep440,
    Ecosystem.NPM: semver,
    Ecosystem.GO: semver,
    Ecosystem.CRATES: semver,
    Ecosystem.HEX: semver,
    Ecosystem.GITHUB_ACTIONS: semver,
    Ecosystem.SWIFT: semver,
    Ecosystem.CONAN: semver,
    Ecosystem.PUB: pub,
    Ecosystem.NUGET: nuget,
    Ecosystem.MAVEN: maven,
    Ecosystem.RUBYGEMS: gem,
    Ecosystem.COCOAPODS: gem,
    Ecosystem.PACKAGIST: composer,
    Ecosystem.DEBIAN: dpkg,
    Ecosystem.UBUNTU: dpkg,
    Ecosystem.ALPINE: apk,
    Ecosystem.ALMALINUX: rpm,
    Ecosystem.ROCKY: rpm,
    Ecosystem.REDHAT: rpm,
}


@lru_cache(maxsize=65_536)
def key_of(ecosystem: Ecosystem, version: str) -> bytes | None:
    """The version's key, or None when the ecosystem cannot order it: then only equal texts can be told to be equal."""
    if len(version) > LONGEST:
        return None
    try:
        return ORDERS[ecosystem](version)
    except (UnorderableError, UnicodeEncodeError):
        return None
