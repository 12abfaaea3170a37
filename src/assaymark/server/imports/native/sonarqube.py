"""SonarQube's answers of `api/issues/search` and `api/hotspots/search`, one page each or several in one archive. Closed, resolved and
reviewed ones are left out and counted. Lines and offsets are Sonar's: lines from 1, offsets from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from assaymark.checks.application.code.sarif_in import Region, Result
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.code import Source, located
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.places import path_of
from assaymark.server.imports.speech import count

_TOOL = "sonarqube"
_SEVERITIES = {
    "BLOCKER": Severity.CRITICAL,
    "CRITICAL": Severity.HIGH,
    "MAJOR": Severity.MEDIUM,
    "MINOR": Severity.LOW,
    "INFO": Severity.INFO,
    "HIGH": Severity.HIGH,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}
_OVER = frozenset({"CLOSED", "RESOLVED", "REVIEWED", "ACCEPTED", "FALSE_POSITIVE", "FIXED"})


class _Range(Struct, rename="camel"):
    start_line: int = 0
    end_line: int = 0
    start_offset: int = 0
    end_offset: int = 0


class _Impact(Struct, rename="camel"):
    software_quality: str = ""
    severity: str = ""


class _Row(Struct, rename="camel"):
    component: str = ""
    project: str = ""
    rule: str | None = None
    rule_key: str | None = None
    severity: str | None = None
    vulnerability_probability: str | None = None
    status: str | None = ""
    issue_status: str | None = ""
    resolution: str | None = ""
    message: str | None = ""
    line: int | None = 0
    text_range: _Range | None = None
    impacts: list[_Impact] | None = None


class _Page(Struct, rename="camel"):
    total: int = 0
    page_size: int = 0


class _Report(Struct):
    issues: list[_Row] | None = None
    hotspots: list[_Row] | None = None
    paging: _Page | None = None
    total: Any = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the answer says.

    Raises:
        UsageError: when it is none of SonarQube's.
    """
    report = decoded(data, _Report, "SonarQube")
    found = [*(report.issues or ()), *(report.hotspots or ())]
    bounded(len(found), "SonarQube")
    open_ = [row for row in found if not ({row.status, row.issue_status} & _OVER) and not row.resolution]
    # Issues and hotspots are two answers of one server: neither may close what the other said.
    kind = "hotspots" if report.hotspots is not None and report.issues is None else ""
    check = check_of(_TOOL, Ask(f"{ask.category} {kind}".strip()) if kind else ask)
    seen, notes = located(Source(_TOOL, check, ask, world.contents), [_result(row) for row in open_])
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=(*_notes(report, found, open_), *notes))


def _notes(report: _Report, found: list[_Row], open_: list[_Row]) -> Iterator[str]:
    if left := len(found) - len(open_):
        yield f"{left} that are closed or reviewed in SonarQube were left out"
    total = report.paging.total if report.paging else 0
    if total > len(found):
        yield f"the answer is one page of {total}: send the others in the same archive, or each with complete=false"


def _result(row: _Row) -> Result:
    at = row.text_range
    line = count(at.start_line if at else row.line)
    columns = (count(at.start_offset) + 1, count(at.end_offset) + 1) if at else (0, 0)
    security = next((one.severity for one in row.impacts or () if one.software_quality == "SECURITY"), "")
    rating = row.vulnerability_probability or security or row.severity or ""
    return Result(
        rule=row.rule or row.rule_key or "unnamed",
        message=row.message or row.rule or "The server gave no message.",
        path=_path(row),
        severity=_SEVERITIES.get(rating.upper(), Severity.MEDIUM),
        confidence=Confidence.LOW if row.vulnerability_probability else Confidence.MEDIUM,
        region=Region(line, columns[0], count(at.end_line) if at else line, columns[1]) if line else None,
    )


def _path(row: _Row) -> str:
    """What stands behind the project's key, which may itself have colons."""
    if row.project and row.component.startswith(f"{row.project}:"):
        return path_of(row.component[len(row.project) + 1 :])
    return "" if row.component == row.project else path_of(row.component.rpartition(":")[2])
