"""Bandit's JSON (`bandit -f json`): results about Python, known as when our own check runs Bandit."""

from __future__ import annotations

from msgspec import Struct

from assaymark.checks.application.code.sarif_in import Region, Result
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.code import Source, located
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of, gap
from assaymark.server.imports.places import Roots
from assaymark.server.imports.speech import count, line_of

_TOOL = "bandit"
_SEVERITIES = {"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM, "LOW": Severity.LOW, "UNDEFINED": Severity.LOW}
_SURE = {"HIGH": Confidence.HIGH, "MEDIUM": Confidence.MEDIUM, "LOW": Confidence.LOW}


class _Weakness(Struct):
    id: int = 0


class _Result(Struct):
    test_id: str
    filename: str
    issue_text: str = ""
    issue_severity: str = ""
    issue_confidence: str = ""
    issue_cwe: _Weakness | None = None
    line_number: int = 0
    col_offset: int | None = None
    end_col_offset: int | None = None
    line_range: list[int] | None = None


class _Error(Struct):
    filename: str = ""
    reason: str = ""


class _Report(Struct):
    results: list[_Result]
    errors: list[_Error] | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Bandit's.
    """
    report = decoded(data, _Report, "Bandit")
    bounded(len(report.results), "Bandit")
    check = check_of(_TOOL, ask)
    roots = Roots([row.filename for row in report.results] + [error.filename for error in report.errors or ()], world.contents)
    seen, notes = located(Source(_TOOL, check, ask, world.contents), [_result(row, roots) for row in report.results])
    seen += [gap(check, ask.layer, roots.path(error.filename), line_of(error.reason)) for error in report.errors or ()]
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=(*roots.notes, *notes))


def _result(row: _Result, roots: Roots) -> Result:
    end = max([count(row.line_number), *(count(line) for line in (row.line_range or ())[:1000])])
    return Result(
        rule=row.test_id,
        message=row.issue_text or row.test_id,
        path=roots.path(row.filename),
        severity=_SEVERITIES.get(row.issue_severity.upper(), Severity.LOW),
        confidence=_SURE.get(row.issue_confidence.upper(), Confidence.LOW),
        region=Region(count(row.line_number), count(row.col_offset) + 1, end) if row.line_number > 0 else None,
        counts_utf16=False,
        cwe=count(row.issue_cwe.id) if row.issue_cwe else 0,
    )
