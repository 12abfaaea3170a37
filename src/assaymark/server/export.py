"""A list of findings as a file: CSV, JSON or SARIF, written while it is read.

Guarantees: exactly the rows that stood (or had ended) at one instant, however long the writing takes and whatever happens meanwhile; memory
for one portion; no connection to the database is held while the reader reads; no cell of a CSV begins as a formula of a spreadsheet does.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum
from urllib.parse import quote

import msgspec
from msgspec import Struct

from assaymark.model.assessment import SECOND, Instant
from assaymark.model.severity import Severity
from assaymark.server.service import Service
from assaymark.store.findings import By, Filter, FindingRow, Order, Place, narrowed, rows_of
from assaymark.store.narrowing import Teams

PORTION = 500
_COLUMNS = (
    "severity", "title", "rule_class", "rule", "kind", "layer", "subject", "subject_kind", "path", "line", "message", "since", "closed_at",
    "waived", "confidence", "checks", "fingerprint", "finding", "occurrence",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}",
            "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note", Severity.INFO: "note"}
_SARIF = (
    b'{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"columnKind":"unicodeCodePoints","results":['
)
_encode = msgspec.json.Encoder().encode


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    SARIF = "sarif"


KINDS = {Format.CSV: "text/csv; charset=utf-8", Format.JSON: "application/json", Format.SARIF: "application/sarif+json"}


class Wanted(Struct, frozen=True):
    """What is to be written."""

    asked: Filter
    """With `at`: of which instant."""
    now: bool
    """The instant is that of the question, so that lines are where they are now."""


def written(service: Service, teams: Teams, wanted: Wanted, form: Format) -> Iterator[bytes]:
    """The file in parts."""
    rows = _portions(service, teams, wanted)
    if form is Format.CSV:
        return _csv(rows)
    return _json(rows, wanted.asked.at) if form is Format.JSON else _sarif(rows)


def _portions(service: Service, teams: Teams, wanted: Wanted) -> Iterator[list[FindingRow]]:
    after: Place | None = None
    while True:
        with service.database.read() as connection:
            given, by = narrowed(connection, teams, wanted.asked), By(connection, wanted.asked, Order.WORST)
            places = by.holding(given, after, PORTION) if given.wording else by.part(given, after, PORTION)
            rows = rows_of(connection, [place.id for place in places], None if wanted.now else wanted.asked.at)
        if rows:
            yield rows
        if len(places) < PORTION:
            return
        after = places[-1]


def _day(instant: Instant | None) -> str:
    return "" if instant is None else dt.datetime.fromtimestamp(instant / SECOND, dt.UTC).isoformat(timespec="seconds")


def cell(value: object) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _csv(portions: Iterable[list[FindingRow]]) -> Iterator[bytes]:
    held = io.StringIO()
    sheet = csv.writer(held)
    sheet.writerow(_COLUMNS)
    for rows in portions:
        sheet.writerows([cell(value) for value in _cells(row)] for row in rows)
        yield held.getvalue().encode("utf-8", "backslashreplace")
        held.seek(0)
        held.truncate()
    if held.tell():
        yield held.getvalue().encode()


def _cells(row: FindingRow) -> tuple[object, ...]:
    return (
        row.severity.value, row.title, row.rule_class, row.rule, row.kind.value, row.layer.value, row.subject.name, row.subject.kind,
        row.path, row.line, row.message, _day(row.since), _day(row.closed_at), "yes" if row.waived else "no", row.confidence.value,
        " ".join(row.checks), row.fingerprint, row.finding, row.id,
    )  # fmt: skip


def _json(portions: Iterable[list[FindingRow]], at: Instant | None) -> Iterator[bytes]:
    yield b'{"as_of":' + _encode(_day(at)) + b',"items":['
    is_first = True
    for rows in portions:
        yield (b"" if is_first else b",") + b",".join(map(_encode, rows))
        is_first = False
    yield b"]}\n"


def _sarif(portions: Iterable[list[FindingRow]]) -> Iterator[bytes]:
    """The rules come behind the results: they are known when those are written, and an object has no order."""
    yield _SARIF
    rules: dict[str, str] = {}
    is_first = True
    for rows in portions:
        rules |= {row.rule: row.title for row in rows}
        yield (b"" if is_first else b",") + b",".join(_encode(_result(row)) for row in rows)
        is_first = False
    described = [{"id": rule, "shortDescription": {"text": title}} for rule, title in sorted(rules.items())]
    yield b'],"tool":' + _encode({"driver": {"name": "Assaymark", "rules": described}}) + b"}]}\n"


def _result(row: FindingRow) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": quote(row.path.encode("utf-8", "surrogateescape"), safe="/")}}
    if row.line:
        place["region"] = {"startLine": row.line}
    return {
        "ruleId": row.rule,
        "level": _LEVELS[row.severity],
        "message": {"text": row.message or row.title},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"assaymark/1": row.fingerprint},
        "suppressions": [{"kind": "external", "status": "accepted"}] if row.waived else [],
        "properties": {"severity": row.severity.value, "subject": row.subject.name, "since": _day(row.since), "class": row.rule_class},
    }
