"""Which file is read by which reader.

Guarantees: judging by name imports no reader; `read` gives a package set or raises `Unreadable`, whatever the bytes.
Does not look for files: a lock file is read alone, without the manifest beside it.
"""

from __future__ import annotations

import gc
import importlib
import re
from collections.abc import Callable

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Dialect

__all__ = ["DIALECTS", "Unreadable", "dialect_of", "read"]

_HERE = __name__.rpartition(".")[0]
DIALECTS: dict[str, str] = {
    "package-lock": "npm_lock:read_npm_lock",
    "yarn-lock": "yarn:read_yarn",
    "pnpm-lock": "pnpm:read_pnpm",
    "bun-lock": "bun:read_bun",
    "poetry-lock": "poetry:read_poetry",
    "uv-lock": "uv:read_uv",
    "pdm-lock": "pdm:read_pdm",
    "pylock": "pylock:read_pylock",
    "pipfile-lock": "pipfile:read_pipfile",
    "requirements": "requirements:read_requirements",
    "go-mod": "go_mod:read_go_mod",
    "cargo-lock": "cargo:read_cargo",
    "gradle-lock": "jvm:read_gradle",
    "sbt-lock": "jvm:read_sbt",
    "pom": "pom:read_pom",
    "nuget-lock": "nuget:read_nuget_lock",
    "packages-config": "nuget:read_packages_config",
    "deps-json": "nuget:read_deps_json",
    "gemfile-lock": "ruby:read_gemfile_lock",
    "composer-lock": "composer:read_composer",
    "mix-lock": "hex:read_mix",
    "pubspec-lock": "pub:read_pub",
    "swift-resolved": "apple:read_swift",
    "podfile-lock": "apple:read_podfile",
    "conan-lock": "conan:read_conan",
    "cyclonedx": "cyclonedx:read_cyclonedx",
    "spdx": "spdx:read_spdx",
    "github-workflow": "github_actions:read_github_actions",
}
"""Dialect -> ``module:function`` in this folder."""

_BY_NAME: dict[str, str] = {
    "package-lock.json": "package-lock",
    "npm-shrinkwrap.json": "package-lock",
    "yarn.lock": "yarn-lock",
    "pnpm-lock.yaml": "pnpm-lock",
    "bun.lock": "bun-lock",
    "poetry.lock": "poetry-lock",
    "uv.lock": "uv-lock",
    "pdm.lock": "pdm-lock",
    "pylock.toml": "pylock",
    "Pipfile.lock": "pipfile-lock",
    "go.mod": "go-mod",
    "Cargo.lock": "cargo-lock",
    "gradle.lockfile": "gradle-lock",
    "buildscript-gradle.lockfile": "gradle-lock",
    "build.sbt.lock": "sbt-lock",
    "pom.xml": "pom",
    "packages.lock.json": "nuget-lock",
    "packages.config": "packages-config",
    "Gemfile.lock": "gemfile-lock",
    "gems.locked": "gemfile-lock",
    "composer.lock": "composer-lock",
    "mix.lock": "mix-lock",
    "pubspec.lock": "pubspec-lock",
    "Package.resolved": "swift-resolved",
    "Podfile.lock": "podfile-lock",
    "conan.lock": "conan-lock",
    "bom.json": "cyclonedx",
}
_REQUIREMENTS = r"(?:^|/)(?:(?:[^/]*[-_.])?requirements(?:[-_.][^/]*)?|requirements/[^/]+)\.(?:txt|lock)\Z"
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (".txt", _REQUIREMENTS, "requirements"),
    (".lock", _REQUIREMENTS, "requirements"),
    (".toml", r"(?:^|/)pylock\.[^/.]+\.toml\Z", "pylock"),
    (".lockfile", r"(?:^|/)gradle/dependency-locks/[^/]+\.lockfile\Z", "gradle-lock"),
    (".deps.json", r"(?:^|/)[^/]+\.deps\.json\Z", "deps-json"),
    (".cdx.json", r"", "cyclonedx"),
    (".spdx.json", r"", "spdx"),
    (".yaml", r"(?:^|/)pnpm-lock\.[^/]+\.yaml\Z", "pnpm-lock"),
    (".yml", r"(?:^|/)(?:\.github/workflows/[^/]+|action)\.yml\Z", "github-workflow"),
    (".yaml", r"(?:^|/)(?:\.github/workflows/[^/]+|action)\.yaml\Z", "github-workflow"),
)
"""(ending, pattern of the path, dialect): the ending is looked at first because it costs least, and a pattern is
compiled when a name has its ending."""
_ENDINGS = tuple(ending for ending, _, _ in _PATTERNS)


def dialect_of(path: str) -> Dialect | None:
    """How a file of this name is read, or None when it is no lock file. Cheap: judged by name only."""
    name = path[path.rfind("/") + 1 :]
    found = _BY_NAME.get(name)
    if found is not None:
        return Dialect(found)
    if not name.endswith(_ENDINGS):
        return None
    for ending, pattern, dialect in _PATTERNS:
        if name.endswith(ending) and re.search(pattern, path):
            return Dialect(dialect)
    return None


def read(dialect: Dialect, content: bytes) -> PackageSet:
    """The packages that the content names.

    Raises:
        Unreadable: with a reason class (``syntax``, ``schema``, ``encoding``, ``size``, ``nesting``, ``unsupported``), a sentence and
            a line (0 when the format does not tell).
        KeyError: when there is no such dialect.
    """
    module, _, function = DIALECTS[dialect].partition(":")
    reader: Callable[[bytes], PackageSet] = getattr(importlib.import_module(f"{_HERE}.{module}"), function)
    # Thousands of small objects live until the end: looking for garbage among them only costs, a tenth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return reader(content)
    except RecursionError as error:
        raise Unreadable("nesting", "the file is nested more deeply than any lock file; have its tool write it anew") from error
    finally:
        if collecting:
            gc.enable()
