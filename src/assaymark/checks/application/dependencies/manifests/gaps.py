"""Joins the manifests of a tree with its lock files, and says what is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.application.dependencies.manifests.declared import Declared, declared
from assaymark.checks.application.dependencies.manifests.kinds import KINDS, Kind, Reach, is_lock, is_manifest
from assaymark.checks.application.dependencies.readers.gathering import one_line
from assaymark.checks.application.dependencies.readers.plain_yaml import tables
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Part
from assaymark.model.finding import CheckId, RuleId, Sighting, Span, UncheckedSite
from assaymark.model.severity import Severity

_MOST_GAPS = 2_000
_NAMED = 3
_LONGEST_PATTERN = 500
_IN_TOML = ("poetry.lock", "uv.lock", "pdm.lock", "Cargo.lock")
_XCODE = re.compile(r"/?[^/]*\.xc(?:workspace|odeproj)(?:/.*)?\Z")
"""Xcode keeps a package's lock file inside its workspace."""


def gaps(check: CheckId, dialect: str, parts: Sequence[Part]) -> tuple[Sighting, ...]:
    """One sighting for every manifest of the tree that no lock file settles."""
    return tuple(_in_order(_Tree(check, dialect, parts).all()))[:_MOST_GAPS]


def _in_order(found: Iterator[Sighting]) -> list[Sighting]:
    return sorted(found, key=lambda one: (one.member, one.message))


class _Tree:
    def __init__(self, check: CheckId, dialect: str, parts: Sequence[Part]) -> None:
        self._check = check
        self._dialect = dialect
        self._kind: Kind = KINDS[dialect]
        self._parts = parts
        self._locked: dict[str, list[Part]] = {}
        for part in parts:
            if is_lock(self._kind, part.name):
                self._locked.setdefault(_folder_of(part.name), []).append(part)
        self._read: dict[str, Declared] = {}

    def all(self) -> Iterator[Sighting]:
        manifests = [part for part in self._parts if is_manifest(self._kind, part.name)]
        for part in manifests:
            try:
                self._read[part.name] = declared(_name_of(part.name), part.content)
            except Unreadable as why:
                yield self._sighting(part, f"{self._dialect} {_name_of(part.name)}", why.reason_class, _sentence(why.reason), why.line)
        shared = self._workspaces() if self._kind.reach is Reach.WORKSPACE else {}
        for part in manifests:
            found = self._read.get(part.name)
            if found is None or not found.asked or self._settled(_folder_of(part.name), found, shared):
                continue
            address = f"{self._dialect} {found.project or _name_of(part.name)}"
            yield self._sighting(part, address, "unresolved", self._words(part, found))

    def _settled(self, folder: str, found: Declared, shared: dict[str, list[str]]) -> bool:
        """A lock file here, or further up where it is about this folder too."""
        if folder in self._locked:
            return True
        above = [parent for parent in _parents(folder) if parent in self._locked]
        match self._kind.reach:
            case Reach.OWN:
                return False
            case Reach.BELOW:
                return bool(above)
            case Reach.WORKSPACE:
                return any(_belongs(folder, parent, shared.get(parent, [])) for parent in above)
            case Reach.NAMED:
                return any(_names(part, found.project) for parent in above for part in self._locked[parent])

    def _workspaces(self) -> dict[str, list[str]]:
        """Folder -> patterns of the folders that share its lock file."""
        shared = {_folder_of(name): list(found.workspaces) for name, found in self._read.items() if found.workspaces}
        for part in self._parts:
            if part.name.endswith("pnpm-workspace.yaml"):
                try:
                    patterns = [pattern for document in tables(part.content) for pattern in document.texts("packages")]
                except Unreadable:
                    continue  # pnpm would refuse it as well: what it should have joined stays a gap
                shared.setdefault(_folder_of(part.name), []).extend(patterns)
        return shared

    def _words(self, part: Part, found: Declared) -> str:
        names = ", ".join(found.asked[:_NAMED])
        more = f" and {len(found.asked) - _NAMED} more" if len(found.asked) > _NAMED else ""
        binary = self._dialect == "npm" and any(each.name == _beside(part.name, "bun.lockb") for each in self._parts)
        if binary:
            return (
                f"bun.lockb is binary and is not read, so the versions of {names}{more} are not known:"
                " write bun.lock with `bun install --save-text-lockfile`."
            )
        advice = self._kind.advice
        return (
            f"No lock file says which versions of {names}{more} are installed, nor what they bring along: {advice}."
            " A library that leaves ranges to its users can lock what it is tested with, or waive this."
        )

    def _sighting(self, part: Part, unit: str, reason_class: str, message: str, line: int = 0) -> Sighting:
        return Sighting(
            rule=RuleId(f"{self._check}/unchecked"),
            site=UncheckedSite(self._check, one_line(unit), reason_class),
            severity=Severity.MEDIUM,
            message=message,
            span=Span(line, 1, line, 1) if line else None,
            member=part.name,
        )


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]


def _folder_of(path: str) -> str:
    folder = _XCODE.sub("", path.rpartition("/")[0])
    # Requirements in a folder of that name, and Gradle's older locks, are about the folder above.
    for inner in ("requirements", "gradle/dependency-locks"):
        if folder == inner or folder.endswith(f"/{inner}"):
            return folder[: -len(inner)].rstrip("/")
    return folder


def _names(lock: Part, project: str) -> bool:
    """Whether a lock file in TOML holds a project of this name; requirements files speak of their own folder only."""
    if not project or not lock.name.endswith(_IN_TOML):
        return False
    written = {project, re.sub(r"[-_.]+", "-", project).lower()}
    return any(f'\nname = "{name}"\n'.encode("utf-8", "replace") in lock.content.replace(b"\r\n", b"\n") for name in written)


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]


def _beside(path: str, name: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name


def _parents(folder: str) -> Iterator[str]:
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def _belongs(folder: str, above: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns takes the folder in, and none takes it out."""
    inside = folder[len(above) :].lstrip("/")
    taken = any(_matches(inside, pattern) for pattern in patterns if not pattern.startswith("!"))
    return taken and not any(_matches(inside, pattern[1:]) for pattern in patterns if pattern.startswith("!"))


def _matches(folder: str, pattern: str) -> bool:
    """Globs of folders: ``*`` within a name, ``**`` for any number of folders."""
    words = pattern.removeprefix("./").strip("/")[:_LONGEST_PATTERN].split("/")
    reached = {0}
    for name in folder.split("/"):
        spread = _skipped(reached, words)
        reached = {at if words[at] == "**" else at + 1 for at in spread if at < len(words) and _fits(name, words[at])}
    return len(words) in _skipped(reached, words)


def _skipped(reached: set[int], words: list[str]) -> set[int]:
    """Positions in the pattern, and those behind a ``**`` that stands for nothing."""
    found = set(reached)
    for at, word in enumerate(words):
        if word == "**" and at in found:
            found.add(at + 1)
    return found


def _fits(name: str, word: str) -> bool:
    """One name and one part of a pattern, compared from left to right without going back."""
    first, *others = re.sub(r"\*+", "*", word).split("*")
    if not others:
        return word == "**" or name == first
    if not name.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(name) - at >= len(others[-1]) and name.endswith(others[-1])
