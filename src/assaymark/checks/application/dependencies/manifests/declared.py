"""What a manifest asks for: the names, as far as they stand in the file. Nothing is run, included or resolved.

Manifests that are programs (Gemfile, Gradle, mix, Swift) are read by the form of their usual lines; a name that is computed is not seen,
but one line of the form is enough to know that a lock file is needed.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from assaymark.checks.application.dependencies.readers.gathering import one_line
from assaymark.checks.application.dependencies.readers.plain_yaml import tables
from assaymark.checks.application.dependencies.readers.texts import json_of, text_of, toml_of
from assaymark.checks.reading.yaml_tree import Unreadable

_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")
_PLATFORM = re.compile(r"(?:php|hhvm|composer|composer-(?:plugin|runtime)-api)(?:-.*)?\Z|(?:ext|lib)-")
_MOST_NAMES = 10_000
_LARGEST = 1 << 20


class Declared(Struct, frozen=True):
    """What one manifest says."""

    project: str
    """Its own name; empty when it has none."""
    asked: tuple[str, ...]
    """Names of packages, in the order of the file."""
    workspaces: tuple[str, ...] = ()
    """Patterns of folders that share this folder's lock file."""


def declared(name: str, content: bytes) -> Declared:
    """What the manifest of this file name says.

    Raises:
        Unreadable: when it is not of its format.
    """
    if len(content) > _LARGEST:
        raise Unreadable("size", f"the manifest has {len(content)} bytes, the limit is {_LARGEST}")
    reader = _READERS.get(name) or next(read for ending, read in _BY_ENDING.items() if name.endswith(ending))
    found = reader(content)
    asked = tuple(dict.fromkeys(one_line(each, 80) for each in found.asked))[:_MOST_NAMES]
    return Declared(one_line(found.project, 80), asked, found.workspaces)


class _Npm(Struct, rename="camel"):
    name: str | None = ""
    dependencies: dict[str, Any] | None = None
    dev_dependencies: dict[str, Any] | None = None
    optional_dependencies: dict[str, Any] | None = None
    workspaces: list[Any] | dict[str, Any] | None = None


def _npm(content: bytes) -> Declared:
    file = json_of(content, _Npm)
    asked = [name for part in (file.dependencies, file.optional_dependencies, file.dev_dependencies) for name in part or ()]
    listed = file.workspaces.get("packages") if isinstance(file.workspaces, dict) else file.workspaces
    workspaces = tuple(each for each in listed if isinstance(each, str)) if isinstance(listed, list) else ()
    return Declared(file.name or "", tuple(asked), workspaces)


def _table(value: Any, *keys: str) -> dict[str, Any]:
    """The table below these keys; an empty one when something else stands there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _names(values: Any) -> Iterator[str]:
    """Names of a list of requirements."""
    for each in values if isinstance(values, list) else ():
        found = _REQUIREMENT.match(each) if isinstance(each, str) else None
        if found:
            yield found["name"]


def _pyproject(content: bytes) -> Declared:
    file = toml_of(content)
    project, poetry = _table(file, "project"), _table(file, "tool", "poetry")
    asked = list(_names(project.get("dependencies")))
    groups = (_table(project, "optional-dependencies"), _table(file, "dependency-groups"), _table(file, "tool", "pdm", "dev-dependencies"))
    asked += [name for group in groups for values in group.values() for name in _names(values)]
    tables_of_poetry = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables_of_poetry += [_table(group, "dependencies") for group in _table(poetry, "group").values()]
    asked += [name for table in tables_of_poetry for name in table if name.lower() != "python"]
    name = project.get("name") or poetry.get("name") or ""
    return Declared(name if isinstance(name, str) else "", tuple(asked))


def _setup_cfg(content: bytes) -> Declared:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text_of(content))
    except configparser.Error:
        return Declared("", ())  # flake8, mypy and others keep settings here too; without sections nothing is asked for
    lines = parser.get("options", "install_requires", fallback="").splitlines()
    if parser.has_section("options.extras_require"):
        lines += [line for _, value in parser.items("options.extras_require") for line in value.splitlines()]
    return Declared(parser.get("metadata", "name", fallback=""), tuple(_names(lines)))


def _pipfile(content: bytes) -> Declared:
    file = toml_of(content)
    return Declared("", (*_table(file, "packages"), *_table(file, "dev-packages")))


def _cargo(content: bytes) -> Declared:
    file = toml_of(content)
    places = [file, _table(file, "workspace"), *(_table(each) for each in _table(file, "target").values())]
    asked = [
        name
        for place in places
        for key in ("dependencies", "dev-dependencies", "build-dependencies")
        for name, value in _table(place, key).items()
        if not (isinstance(value, dict) and "path" in value)
    ]
    name = _table(file, "package").get("name") or ""
    return Declared(name if isinstance(name, str) else "", tuple(asked))


class _Composer(Struct, rename="kebab"):
    name: str = ""
    require: dict[str, Any] | list[Any] | None = None
    require_dev: dict[str, Any] | list[Any] | None = None


def _composer(content: bytes) -> Declared:
    file = json_of(content, _Composer)
    asked = [name for part in (file.require, file.require_dev) if isinstance(part, dict) for name in part if not _PLATFORM.match(name)]
    return Declared(file.name, tuple(asked))


def _pubspec(content: bytes) -> Declared:
    asked: list[str] = []
    name = ""
    for document in tables(content):
        name = document.text("name")
        for section in ("dependencies", "dev_dependencies"):
            rows = document.table(section)
            asked += [key for key in rows if not {"sdk", "path"} & set(rows.table(key))]
    return Declared(name, tuple(asked))


def _by_lines(pattern: str, project: str = "") -> Callable[[bytes], Declared]:
    """A reader of programs: what the group ``name`` of the pattern finds in lines that are no comments."""
    asked = re.compile(pattern, re.MULTILINE)
    named = re.compile(project, re.MULTILINE) if project else None

    def read(content: bytes) -> Declared:
        text = "\n".join(_code(text_of(content).splitlines()))
        found = named.search(text) if named else None
        names = (each["name"].strip("\"' ") for each in asked.finditer(text))
        return Declared(found["name"] if found else "", tuple(_UNNAMED if _FORM.match(name) else name for name in names))

    return read


def _code(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if not line.lstrip().startswith(("#", "//", "*", "<!--")):
            yield line[:2_000].rstrip()


_FORM = re.compile(r"group\b|install_requires\Z")
_UNNAMED = "its dependencies"
_GRADLE = (
    r"^[ \t]*(?:\w*[iI]mplementation|\w*[aA]pi|\w*[cC]ompile|\w*[cC]ompileOnly|\w*[rR]untimeOnly|classpath|kapt|ksp|annotationProcessor)"
    r"\b[ \t(]*(?:platform\(|enforcedPlatform\()?(?P<name>[\"'][^\"':\s]+:[^\"':\s]+|libs\.[\w.]+|group[ \t]*[:=])"
)
_READERS: dict[str, Callable[[bytes], Declared]] = {
    "package.json": _npm,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _by_lines(
        r"\b(?P<name>install_requires)[ \t]*=[ \t]*(?!\[\s*\]|None\b)", r"\bname[ \t]*=[ \t]*[\"'](?P<name>[\w.-]+)[\"']"
    ),
    "Pipfile": _pipfile,
    "Cargo.toml": _cargo,
    "composer.json": _composer,
    "Gemfile": _by_lines(r"^[ \t]*gem[ \t(]+[\"'](?P<name>[\w.-]+)[\"']"),
    "gems.rb": _by_lines(r"^[ \t]*gem[ \t(]+[\"'](?P<name>[\w.-]+)[\"']"),
    "build.gradle": _by_lines(_GRADLE),
    "build.gradle.kts": _by_lines(_GRADLE),
    "build.sbt": _by_lines(r"\"(?P<name>[\w.-]+\"[ \t]*%%?%?[ \t]*\"[\w.-]+)\"[ \t]*%", r"^[ \t]*name[ \t]*:=[ \t]*\"(?P<name>[^\"]+)\""),
    "mix.exs": _by_lines(r"\{[ \t]*:(?P<name>\w+)[ \t]*,[ \t]*(?:\"|git:|github:)", r"\bapp:[ \t]*:(?P<name>\w+)"),
    "pubspec.yaml": _pubspec,
    "Package.swift": _by_lines(r"\.package\([^)]{0,400}?\burl:[ \t]*\"(?P<name>[^\"]+)\"", r"\bname:[ \t]*\"(?P<name>[^\"]+)\""),
    "Podfile": _by_lines(r"^[ \t]*pod[ \t(]+[\"'](?P<name>[\w./+-]+)[\"']"),
    "conanfile.txt": _by_lines(r"^[ \t]*(?P<name>[a-z0-9_][\w.+-]*)/[\w.\[\]<>=~^, -]+(?:@\S*)?$"),
    "conanfile.py": _by_lines(r"\brequires\b[^\n]*?[\"'](?P<name>[a-z0-9_][\w.+-]*)/", r"^[ \t]*name[ \t]*=[ \t]*[\"'](?P<name>[\w.+-]+)"),
}
_BY_ENDING: dict[str, Callable[[bytes], Declared]] = {
    ".gemspec": _by_lines(
        r"\.add_(?:runtime_|development_)?dependency[ \t(]+[\"'](?P<name>[\w.-]+)[\"']", r"\.name[ \t]*=[ \t]*[\"'](?P<name>[\w.-]+)[\"']"
    ),
    **dict.fromkeys(
        (".csproj", ".fsproj", ".vbproj"), _by_lines(r"<PackageReference\b[^>]{0,400}?\bInclude[ \t]*=[ \t]*\"(?P<name>[^\"]+)\"")
    ),
}
