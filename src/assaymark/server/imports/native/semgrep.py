"""Semgrep's JSON (`semgrep scan --json`): results of rules about code, known as when our own check runs Semgrep; reachable dependencies
(`sca_info`) are left to the reports that are about dependencies, and counted.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from msgspec import Struct

from assaymark.checks.application.code.sarif_in import Region, Result
from assaymark.model.finding import RuleId
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.code import Source, located
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of, gap
from assaymark.server.imports.places import Roots
from assaymark.server.imports.speech import count, line_of

_TOOL = "semgrep"
_SEVERITIES = {
    "CRITICAL": Severity.CRITICAL,
    "ERROR": Severity.HIGH,
    "HIGH": Severity.HIGH,
    "WARNING": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "INFO": Severity.LOW,
    "LOW": Severity.LOW,
}
_SURE = {"HIGH": Confidence.HIGH, "MEDIUM": Confidence.MEDIUM, "LOW": Confidence.LOW}


class _Place(Struct):
    line: int = 0
    col: int = 0


class _Extra(Struct):
    message: str = ""
    severity: str = ""
    metadata: dict[str, Any] | None = None
    is_ignored: bool | None = None
    sca_info: Any = None


class _Result(Struct):
    check_id: str
    path: str = ""
    start: _Place | None = None
    end: _Place | None = None
    extra: _Extra | None = None


class _Error(Struct):
    message: str = ""
    path: str | None = None
    level: str = ""


class _Report(Struct):
    results: list[_Result]
    errors: list[_Error] | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Semgrep's.
    """
    report = decoded(data, _Report, "Semgrep")
    bounded(len(report.results), "Semgrep")
    check = check_of(_TOOL, ask)
    roots = Roots((row.path for row in report.results), world.contents)
    rows = [row for row in report.results if not (row.extra and row.extra.sca_info)]
    seen, notes = located(Source(_TOOL, check, ask, world.contents), [_result(row, roots) for row in rows])
    errors = [error for error in report.errors or () if error.level in ("error", "warn", "")]
    seen += [gap(check, ask.layer, roots.path(error.path or ""), line_of(error.message)) for error in errors]
    if left := len(report.results) - len(rows):
        notes += (f"{left} results about dependencies were left out: import a report of a dependency scanner",)
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=(*roots.notes, *notes))


def _result(row: _Result, roots: Roots) -> Result:
    extra = row.extra or _Extra()
    start, end = row.start or _Place(), row.end or _Place()
    known = extra.metadata or {}
    return Result(
        rule=_rule(row.check_id[:500]),
        message=extra.message or row.check_id,
        path=roots.path(row.path),
        severity=_SEVERITIES.get(extra.severity.upper(), Severity.MEDIUM),
        confidence=_SURE.get(str(known.get("confidence", "")).upper(), Confidence.MEDIUM),
        region=Region(count(start.line), count(start.col), count(end.line), count(end.col)) if start.line > 0 else None,
        counts_utf16=False,
        cwe=_cwe(known.get("cwe")),
        suppression="inline: nosemgrep" if extra.is_ignored else "",
    )


@lru_cache(maxsize=4096)
def _rule(text: str) -> str:
    """An id of the registry behind the folders under which somebody keeps a copy of its rules, where we know it."""
    parts = text.split(".")
    known = catalogue().rules_of(_TOOL)
    for at in range(len(parts)):
        rest = ".".join(parts[at:])
        if RuleId(f"{_TOOL}/{rest}") in known:
            return rest
    return text


def _cwe(value: object) -> int:
    first = value[0] if isinstance(value, list) and value else value
    found = re.search(r"CWE-(\d{1,5})", first) if isinstance(first, str) else None
    return int(found[1]) if found else 0
