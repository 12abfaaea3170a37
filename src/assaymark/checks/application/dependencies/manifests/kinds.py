"""Which files are manifests, which lock files settle them, and what to do where none does. Data only, so that planning stays cheap."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct


class Reach(StrEnum):
    """How far below its folder a lock file settles manifests."""

    OWN = "own"
    """Not at all."""
    NAMED = "named"
    """Where it names the manifest's project."""
    WORKSPACE = "workspace"
    """Where the project beside it counts the folder among its workspaces."""
    BELOW = "below"
    """Everywhere."""


class Kind(Struct, frozen=True):
    """One ecosystem's manifests and lock files, by name."""

    manifests: frozenset[str]
    locks: frozenset[str]
    advice: str
    """How the lock file is made."""
    endings: tuple[str, ...] = ()
    """Manifests whose name only ends so."""
    lock_pattern: re.Pattern[str] | None = None
    """Lock files whose name is not fixed; of the whole path."""
    reach: Reach = Reach.BELOW
    helpers: frozenset[str] = frozenset()
    """Files that say what belongs together."""


KINDS: dict[str, Kind] = {
    "npm": Kind(
        frozenset({"package.json"}),
        frozenset({"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"}),
        "commit the lock file that `npm install`, `yarn`, `pnpm install` or `bun install` writes",
        reach=Reach.WORKSPACE,
        helpers=frozenset({"pnpm-workspace.yaml", "bun.lockb"}),
    ),
    "python": Kind(
        frozenset({"pyproject.toml", "setup.cfg", "setup.py", "Pipfile"}),
        frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"}),
        "commit the lock file of `uv lock`, `poetry lock`, `pdm lock` or `pipenv lock`, or a requirements file of `pip-compile`",
        reach=Reach.NAMED,
        lock_pattern=re.compile(
            r"(?:^|/)(?:pylock\.[^/.]+\.toml|(?:(?:[^/]*[-_.])?requirements(?:[-_.][^/]*)?|requirements/[^/]+)\.(?:txt|lock))\Z"
        ),
    ),
    "cargo": Kind(
        frozenset({"Cargo.toml"}),
        frozenset({"Cargo.lock"}),
        "commit the Cargo.lock that `cargo generate-lockfile` writes",
        reach=Reach.NAMED,
    ),
    "composer": Kind(frozenset({"composer.json"}), frozenset({"composer.lock"}), "commit the composer.lock that `composer update` writes"),
    "ruby": Kind(
        frozenset({"Gemfile", "gems.rb"}),
        frozenset({"Gemfile.lock", "gems.locked"}),
        "commit the Gemfile.lock that `bundle lock` writes",
        endings=(".gemspec",),
    ),
    "gradle": Kind(
        frozenset({"build.gradle", "build.gradle.kts"}),
        frozenset({"gradle.lockfile"}),
        "switch dependency locking on and commit what `gradle dependencies --write-locks` writes",
        reach=Reach.OWN,
        lock_pattern=re.compile(r"(?:^|/)gradle/dependency-locks/[^/]+\.lockfile\Z"),
    ),
    "sbt": Kind(frozenset({"build.sbt"}), frozenset({"build.sbt.lock"}), "commit the build.sbt.lock that `sbt dependencyLockWrite` writes"),
    "nuget": Kind(
        frozenset(),
        frozenset({"packages.lock.json"}),
        "set RestorePackagesWithLockFile and commit the packages.lock.json that `dotnet restore` writes",
        endings=(".csproj", ".fsproj", ".vbproj"),
        reach=Reach.OWN,
    ),
    "hex": Kind(frozenset({"mix.exs"}), frozenset({"mix.lock"}), "commit the mix.lock that `mix deps.get` writes"),
    "pub": Kind(frozenset({"pubspec.yaml"}), frozenset({"pubspec.lock"}), "commit the pubspec.lock that `dart pub get` writes"),
    "swift": Kind(
        frozenset({"Package.swift"}), frozenset({"Package.resolved"}), "commit the Package.resolved that `swift package resolve` writes"
    ),
    "cocoapods": Kind(frozenset({"Podfile"}), frozenset({"Podfile.lock"}), "commit the Podfile.lock that `pod install` writes"),
    "conan": Kind(
        frozenset({"conanfile.txt", "conanfile.py"}), frozenset({"conan.lock"}), "commit the conan.lock that `conan lock create` writes"
    ),
}
_INSTALLED = re.compile(r"(?:^|/)(?:node_modules|site-packages|bower_components|\.venv|Pods|Carthage|vendor/bundle)/")
_BY_NAME = {name: key for key, kind in KINDS.items() for name in (*kind.manifests, *kind.locks, *kind.helpers)}
_BY_ENDING = tuple((ending, key) for key, kind in KINDS.items() for ending in kind.endings)
_ENDINGS = (*(ending for ending, _ in _BY_ENDING), ".txt", ".lock", ".toml", ".lockfile")
_BY_PATTERN = tuple((kind.lock_pattern, key) for key, kind in KINDS.items() if kind.lock_pattern)


def kind_of(path: str) -> str:
    """The ecosystem that a file of this name belongs to; empty for none, and for what was installed."""
    name = path[path.rfind("/") + 1 :]
    found = _BY_NAME.get(name, "")
    if not found:
        if not name.endswith(_ENDINGS):
            return ""
        found = next((key for ending, key in _BY_ENDING if name.endswith(ending)), "")
    if not found and name.endswith((".txt", ".lock", ".toml", ".lockfile")):
        found = next((key for pattern, key in _BY_PATTERN if pattern.search(path)), "")
    return "" if found and _INSTALLED.search(path) else found


def is_lock(kind: Kind, path: str) -> bool:
    """Whether the file settles versions."""
    return path[path.rfind("/") + 1 :] in kind.locks or bool(kind.lock_pattern and kind.lock_pattern.search(path))


def is_manifest(kind: Kind, path: str) -> bool:
    """Whether the file asks for packages."""
    name = path[path.rfind("/") + 1 :]
    return name in kind.manifests or name.endswith(kind.endings or ("\0",))
