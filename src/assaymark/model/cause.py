"""What one repair removes: the cause of a finding, by which findings of any number become one item. Pure.

| cause | one repair | its scope |
|---|---|---|
| base image | a newer base: what images inherit from it goes together, in every image that begins with it | team |
| package | one line of a lock file (or package of an image): one upgrade, whatever the advisories | repository or subject |
| module | a shared action, a template, a called module: pinned or corrected alike wherever it is used | repository or subject |
| secret | one value, wherever it lies: it is exchanged once | team |
| rule | one weakness in one folder, which most languages call a module; or in one service | repository or subject |

Guarantees: the same finding at the same place has the same cause whatever else is known; a key holds no secret and nothing of another
scope, so that no team learns from an item what stands in another's. What is shared over teams is an item of each: each rebuilds for itself.

Not here: who repairs it (`store.item_keeping`), and how a verdict is told to people by weakness and advice (`views.causes`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from assaymark.model.component_notes import package_of, versions_of
from assaymark.model.finding import Finding, Kind
from assaymark.model.rules import catalogue

_TITLE = 200
_CALL = re.compile(r"module\.[A-Za-z0-9_-]+")
_INSIDE = "inside of the module"
"""Note of what a call's own arguments make wrong inside of the module that is called."""
_SHARED = re.compile(r"(?:uses|project|remote|component|template|orb|pipe|task|bundle|library|repository): (?!\.{1,2}/)(\S.*)")
"""What a pipeline takes from elsewhere, as its checks name it in the attribute of a site, e.g. ``uses: actions/checkout``."""


class CauseKind(StrEnum):
    """How a cause is repaired."""

    BASE_IMAGE = "base-image"
    PACKAGE = "package"
    MODULE = "module"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    RULE = "rule"


class Base(Struct, frozen=True):
    """What an image begins with."""

    key: str
    """Digest of its chain of layers."""
    name: str
    inherited: frozenset[str] = frozenset()
    """``<package URL without version>@<version>`` of every package in it."""


class Home(Struct, frozen=True):
    """Where findings stand, as far as their causes depend on it."""

    within: str
    """What is repaired by itself: ``repository:5``, or ``subject:9`` for what has none."""
    team: str
    """``team:3``, or ``team:`` for what belongs to none."""
    name: str = ""
    """Of the subject, as people call it; for what stands in no repository."""
    base: Base | None = None


class Cause(Struct, frozen=True):
    """One repair."""

    kind: CauseKind
    scope: str
    """`Home.within` or `Home.team`."""
    key: str
    """The same for everything that this repair removes; begins with the scope."""
    title: str
    """For people."""


def is_gap(finding: Finding) -> bool:
    """True for what could not be checked: a gap, not a weakness, and nobody's to repair."""
    return finding.core.kind is Kind.UNCHECKED


def cause_of(finding: Finding, home: Home) -> Cause:
    """The cause of a finding that is no gap."""
    match finding.core.kind:
        case Kind.SECRET:
            return _cause(CauseKind.SECRET, home.team, finding.core.parts, f"{weakness(finding)}: one value")
        case Kind.COMPONENT:
            return _of_component(finding, home)
        case Kind.CONFIGURATION:
            return _of_module(finding, home) or _of_rule(finding, home)
        case _:
            return _of_rule(finding, home)


def weakness(finding: Finding) -> str:
    """The weakness in words: of our own family, else as the tool's rule says it."""
    known = catalogue().classes.get(finding.core.rule_class)
    title = known.title if known else catalogue().describe(finding.rule).title
    return title if title != finding.rule else finding.message or str(finding.rule)


def _of_component(finding: Finding, home: Home) -> Cause:
    package, path = package_of(finding), finding.place.path
    versions = versions_of(finding)
    if home.base is not None and versions and all(f"{package}@{version}" in home.base.inherited for version in versions):
        return _cause(CauseKind.BASE_IMAGE, home.team, (home.base.key,), f"Base image {home.base.name}")
    return _cause(CauseKind.PACKAGE, home.within, (path, package), f"{_called(package)} in {path or home.name}")


def _called(package: str) -> str:
    """A package URL as people say it."""
    kind, _, name = package.removeprefix("pkg:").partition("/")
    return name.partition("?")[0].replace("%40", "@") or kind


def _of_module(finding: Finding, home: Home) -> Cause | None:
    """What a called module is given, or code that a pipeline takes from elsewhere."""
    resource = finding.core.parts[0]
    if any(name == _INSIDE for name, _ in finding.notes) and (call := _CALL.match(resource)):
        folder = _folder(finding.place.path)
        return _cause(CauseKind.MODULE, home.within, ("call", folder, call[0]), f"{call[0]} as called in {folder or 'the top folder'}")
    shared = _SHARED.fullmatch(finding.core.parts[-1])
    if shared is None:
        return None
    parts = ("shared", shared[1].lower(), finding.core.rule_class)
    return _cause(CauseKind.MODULE, home.within, parts, f"{weakness(finding)}: {shared[1]}")


def _of_rule(finding: Finding, home: Home) -> Cause:
    core = finding.core
    running: Mapping[Kind, int] = {Kind.ENDPOINT: 1, Kind.HOST: 2, Kind.EVENT: 1}
    if core.kind in running:
        parts = core.parts[: running[core.kind]]
        return _cause(CauseKind.RULE, home.within, (core.kind, core.rule_class, *parts), f"{weakness(finding)} in {parts[-1] or home.name}")
    folder = _folder(finding.place.path)
    where = folder or home.name or "the top folder"
    return _cause(CauseKind.RULE, home.within, (core.kind, core.rule_class, folder), f"{weakness(finding)} in {where}")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _cause(kind: CauseKind, scope: str, parts: tuple[str, ...], title: str) -> Cause:
    seal = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    line = " ".join(title.split())
    return Cause(kind, scope, f"{scope}:{kind}:{seal}", line if len(line) <= _TITLE else line[: _TITLE - 1] + "…")
