"""Comments that ask to overlook a finding, of whichever tool wrote the convention.

A comment counts on the line where the sighting begins, or alone on the line directly above it; those of infrastructure's tools also with
further comments between. Where the reader knows the block (the resource, the container) in which the sighting stands, the tools' own reach
is kept: ``checkov:skip=`` counts anywhere inside of it, ``trivy:ignore:``, ``tfsec:ignore:`` and ``kics-scan ignore-block`` directly above
it. ``kics-scan disable=`` and ``kics-scan ignore`` count for the whole file when they stand before anything else.

Ids of other tools count where a rule says under which of them it is known (`aliases`); a rule that says nothing is covered by any id,
since another tool's id is another vocabulary. Nothing is dropped here: the request is recorded, the policy decides.
Does not read a clock: a comment with an end (``:exp:2026-01-31``) is recorded with its words, and the verdict looks at the day. Does not
honour ``kics-scan enable=``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.model.finding import Span, Suppression

LONGEST_MARKER = 200
_STACK = 20
"""So many comments may stand above one another and still count for the line below."""
_MARKER = re.compile(
    r"(?:#|//|/\*)[ \t]*(?P<name>\bassay:[ ]?allow\b|\bnosec\b|\bcheckov:skip[ ]?=|\bbridgecrew:skip[ ]?=|\bnosemgrep\b|\bNOSONAR\b"
    r"|\btrivy:ignore:|\btfsec:ignore:|\bkics-scan[ ]+(?:ignore-line|ignore-block|ignore|disable[ ]?=))(?P<rest>[^\n]*)"
)
_QUICK = ("allow", "nosec", ":skip", "nosemgrep", "NOSONAR", ":ignore:", "kics-scan")
_COMMENT_ONLY = re.compile(r"\s*(?:#|//|/\*|\*)")
_NAMED = re.compile(r"\s*[\[(=:]\s*(?P<rules>[\w.,/ -]+)")
_IDS = re.compile(r"[\w,-]+")
_IGNORED = re.compile(r"(?:trivy|tfsec):ignore:(?P<id>[\w*-]+)")


class Reach(StrEnum):
    """How far a comment goes."""

    LINE = "line"
    """Its own line, and the next when it stands alone."""
    NEXT = "next"
    """The next line only."""
    INSIDE = "inside"
    """Like LINE, and the whole block in which it stands."""
    ABOVE = "above"
    """Like LINE, and the whole block that begins on the next line."""
    FILE = "file"


class _Target(Struct, frozen=True):
    """What is to be covered."""

    span: Span
    rule: str
    aliases: Sequence[str] | None
    block: Span | None


class Asked(Struct, frozen=True):
    """One comment that asks for something."""

    marker: str
    line: int
    reach: Reach
    ours: bool
    """Names rules by our names, not by another tool's."""
    names: tuple[str, ...]
    """Which rules; empty for all."""


def requested(lines: Sequence[str], span: Span, rule: str) -> Suppression | None:
    """The comment that covers a sighting of this rule (short name, without the check's) at this span, if there is one."""
    first = span.start_line
    while first > max(1, span.start_line - _STACK) and _alone(lines, first - 1):
        first -= 1
    numbers = [n for n in range(first, span.start_line + 1) if 1 <= n <= len(lines)]
    near = [asked for number in numbers if (asked := _read(lines[number - 1], number)) is not None]
    return _first(near, lines, _Target(span, rule, None, None))


class Comments:
    """Everything that one file asks to overlook; made once, asked for every sighting."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._asked = _all(lines)

    def cover(self, span: Span, rule: str, aliases: Sequence[str] | None = None, block: Span | None = None) -> Suppression | None:
        """The comment that covers a sighting of this rule; `aliases` are the ids under which other tools know it, None for unknown."""
        return _first(self._asked, self._lines, _Target(span, rule, aliases, block)) if self._asked else None


def same_rule(name: str, aliases: Sequence[str]) -> bool:
    """Whether another tool's id, as written in a comment or annotation, is one of these; Trivy's ids go with and without ``AVD-``."""
    wanted = _plain(name)
    return any(_plain(alias) == wanted for alias in aliases)


def _plain(name: str) -> str:
    return name.strip().lower().removeprefix("avd-")


def _all(lines: Sequence[str]) -> list[Asked]:
    found: list[Asked] = []
    whole = "\n".join(lines)
    if not any(word in whole for word in _QUICK):
        return found
    started = False
    for number, text in enumerate(lines, 1):
        asked = _read(text, number) if any(word in text for word in _QUICK) else None
        # KICS reads these two only where nothing but comments stands above them.
        if asked is not None and not (asked.reach is Reach.FILE and started):
            found.append(asked)
        started = started or not (_COMMENT_ONLY.match(text) or not text.strip())
    return found


def _read(text: str, number: int) -> Asked | None:
    found = _MARKER.search(text)
    if found is None:
        return None
    name, rest = found["name"].replace(" ", ""), found["rest"]
    marker = found.group().strip()[:LONGEST_MARKER]
    if name.startswith("assay:"):
        named = _NAMED.match(rest)
        parts = re.split(r"[, ]+", named["rules"]) if named else []
        return Asked(marker, number, Reach.LINE, ours=True, names=tuple(part.rpartition("/")[2] for part in parts if part))
    if ":skip=" in name:
        return Asked(marker, number, Reach.INSIDE, ours=False, names=_ids(rest))
    if name.endswith(":ignore:"):
        names = tuple(_IGNORED.findall(found["name"] + rest))
        return Asked(marker, number, Reach.ABOVE, ours=False, names=() if "*" in names else names or ("",))
    if name.startswith("kics-scan"):
        return _of_kics(name, rest, marker, number)
    return Asked(marker, number, Reach.LINE, ours=False, names=())


def _of_kics(name: str, rest: str, marker: str, number: int) -> Asked:
    if name.endswith("="):
        return Asked(marker, number, Reach.FILE, ours=False, names=_ids(rest))
    reach = {"kics-scanignore-line": Reach.NEXT, "kics-scanignore-block": Reach.ABOVE}.get(name, Reach.FILE)
    return Asked(marker, number, reach, ours=False, names=())


def _ids(rest: str) -> tuple[str, ...]:
    """A comma-separated list; without one the comment names nothing and covers nothing."""
    named = _IDS.match(rest.strip().replace(", ", ","))
    return tuple(part for part in named.group().split(",") if part) if named else ("",)


def _first(asked: Sequence[Asked], lines: Sequence[str], target: _Target) -> Suppression | None:
    # The nearest word counts: the sighting's own line before those above, those before the block's and the file's.
    for each in sorted(asked, key=lambda a: abs(a.line - target.span.start_line)):
        if _names(each, target.rule, target.aliases) and _reaches(each, lines, target.span.start_line, target.block):
            return Suppression(marker=each.marker, line=each.line)
    return None


def _names(asked: Asked, rule: str, aliases: Sequence[str] | None) -> bool:
    if not asked.names:
        return True
    if asked.ours:
        return rule in asked.names
    return aliases is None or any(same_rule(name, (*aliases, rule)) for name in asked.names)


def _reaches(asked: Asked, lines: Sequence[str], target: int, block: Span | None) -> bool:
    if asked.reach is Reach.FILE:
        return True
    if asked.reach is not Reach.NEXT and asked.line == target:
        return True
    if asked.reach is Reach.LINE:
        return asked.line == target - 1 and _alone(lines, asked.line)
    return _above(asked.line, target, lines) or (block is not None and _covers_block(asked, lines, block))


def _covers_block(asked: Asked, lines: Sequence[str], block: Span) -> bool:
    if asked.reach is Reach.INSIDE:
        return block.start_line <= asked.line <= block.end_line
    return asked.reach is Reach.ABOVE and (asked.line == block.start_line or _above(asked.line, block.start_line, lines))


def _above(line: int, target: int, lines: Sequence[str]) -> bool:
    """Whether nothing but comments stands on this line and between it and the target."""
    return 0 < target - line <= _STACK and all(_alone(lines, number) for number in range(line, target))


def _alone(lines: Sequence[str], number: int) -> bool:
    return 1 <= number <= len(lines) and _COMMENT_ONLY.match(lines[number - 1]) is not None
