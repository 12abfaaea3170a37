"""Secrets that other tools found, known by the HMAC of their value under the installation's key, as our own check knows them.

Guarantees: no value leaves this file; what is shown is the line with the value masked. Where the tool left the value out, it is read from
the subject's file at the place that the tool names, when that is at hand and fits what the tool left visible; otherwise the finding is
known by rule and place alone, under a key id of its own, so that it never joins with a value, and the answer says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, Fix, Layer, RuleId, SecretSite, Sighting, Span
from assaymark.model.identity import Seen
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.found import Ask, World
from assaymark.server.imports.places import path_of
from assaymark.server.imports.speech import count, line_of

UNNAMED = "value-not-told"
"""Key id of secrets whose value nobody told."""
MASK = "******"
_REDACTED = re.compile(r"REDACTED|\*{4,}")
_HEADINGS = re.compile(r"-----(?:BEGIN|END)[^-]{0,80}-----")
_ADVICE = "Revoke it where it was issued, then read the new one from the environment or a secret store."
_LEAST = 4
_LONGEST_LINE = 4_000


class Leak(Struct, frozen=True):
    """One tool's word on one secret."""

    rule: str
    path: str
    message: str
    severity: Severity = Severity.HIGH
    value: str = ""
    """Empty or masked when the tool does not tell it."""
    context: str = ""
    """The line as the tool shows it."""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    """The column behind the value."""
    notes: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Leak({self.rule})"


def seen_of(tool: str, check: CheckId, rows: Iterable[Leak], given: tuple[Ask, World]) -> tuple[list[Seen], tuple[str, ...]]:
    """Sightings, one per value and place, and what the answer has to say."""
    ask, world = given
    leaks = list(rows)
    missing = [row for row in leaks if not _told(row.value)]
    lines = _lines(missing, world)
    seen: dict[tuple[str, str, str, int], Seen] = {}
    untold = 0
    for row in leaks:
        value = _normal(row.value if _told(row.value) else _read(row, lines.get(row.path, [])))
        untold += not value
        made = _seen(tool, check, (row, value), (ask, world))
        site = made.sighting.site
        assert isinstance(site, SecretSite)  # noqa: S101 - made so above
        # History is scanned commit by commit: one value in one file is one finding there.
        key = (row.rule, path_of(row.path), site.value_hmac, row.line if not value else 0)
        seen.setdefault(key, made)
    return list(seen.values()), (
        f"{untold} secrets are known by rule and place alone: the report does not tell their values",
    ) if untold else ()


def _told(value: str) -> bool:
    return len(value) >= _LEAST and not _REDACTED.search(value)


def _normal(value: str) -> str:
    """A key in PEM is its body, as our own check has it."""
    if "-----BEGIN" not in value:
        return value
    return re.sub(r"\s", "", _HEADINGS.sub("", value.replace("\\n", "\n")))


def _lines(rows: Sequence[Leak], world: World) -> dict[str, list[str]]:
    paths = sorted({path_of(row.path) for row in rows if row.line and row.path})
    texts = {path: data.decode("utf-8", "replace").split("\n") for path, data in world.contents(paths).items()} if paths else {}
    return {row.path: texts[path_of(row.path)] for row in rows if path_of(row.path) in texts}


def _read(row: Leak, lines: list[str]) -> str:
    """The value where the tool saw it; empty when the file is not at hand or says something else there."""
    if not 0 < row.line <= len(lines) or row.end_line not in (0, row.line):
        return ""
    text = lines[row.line - 1].rstrip("\r")[:_LONGEST_LINE]
    visible = _REDACTED.split(row.context.strip()) if row.context else []
    if len(visible) == 2 and any(visible):
        before, after = text.find(visible[0]), text.rfind(visible[1]) if visible[1] else len(text)
        start = before + len(visible[0])
        return text[start:after].strip() if before >= 0 and start < after else ""
    if 0 < row.column < row.end_column <= len(text) + 1:
        return text[row.column - 1 : row.end_column - 1]
    return ""


def _seen(tool: str, check: CheckId, leak: tuple[Leak, str], given: tuple[Ask, World]) -> Seen:
    (row, value), (ask, world) = leak, given
    rule = RuleId(f"{tool}/{line_of(row.rule, 150)}")
    path = path_of(row.path)
    if value and world.key is not None:
        name, key = world.key.name_of(Secret(value.encode("utf-8", "surrogatepass"))), world.key.id
    else:
        place = "\0".join((row.rule, path, _masked(row.context, ()), "" if row.context else str(row.line)))
        name, key = hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest(), UNNAMED
    known = catalogue().rules_of(tool).get(rule)
    sighting = Sighting(
        rule=rule,
        site=SecretSite(name, key, _masked(row.context, (row.value, value))),
        severity=row.severity if known is None else max(row.severity, known.severity, key=lambda one: one.rank),
        message=line_of(_masked(row.message, (row.value, value))),
        span=_span(row),
        confidence=Confidence.MEDIUM,
        fix=Fix(_ADVICE),
        notes=tuple((label, line_of(_masked(text, (row.value, value)))) for label, text in row.notes if text),
    )
    return Seen(sighting, check, ask.on(Layer.APPLICATION), sha256(path.encode("utf-8", "surrogatepass")), path)


def _span(row: Leak) -> Span | None:
    line, column = count(row.line), max(1, count(row.column))
    if not line:
        return None
    end, last = max(line, count(row.end_line)), count(row.end_column)
    return Span(line, column, end, max(last, column) if end == line else max(1, last))


def _masked(text: str, values: Sequence[str]) -> str:
    for value in sorted({value for value in values if len(value) >= _LEAST}, key=len, reverse=True):
        text = text.replace(value, MASK)
    return line_of(_REDACTED.sub(MASK, text), 200)
