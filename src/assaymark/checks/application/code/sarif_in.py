"""Reads SARIF 2.1.0 as tools really write it, into what a check needs of it.

Guarantees
* Any bytes give a `Report` or `NotSarifError`; nothing is executed, fetched or opened, and depth is bounded by the decoder.
* Results that say "pass" or "not applicable" are no findings; everything else is kept, also without a region, a rule or a location.
* Whatever the tool says went wrong (a run that failed, notifications of errors) is in `troubles`: it must not look like "clean".

Sections of the standard in brackets. Not read: code flows, fixes, graphs, external property files (3.15.2), inline sarif in other logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct, field

from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.finding import Span
from assaymark.model.scope_text import split_lines
from assaymark.model.severity import Confidence, Severity


class NotSarifError(Exception):
    """These bytes are no SARIF 2.1.0 log."""


class Region(Struct, frozen=True, rename="camel"):
    """Part of a file (3.30); zero and -1 are absent."""

    start_line: int = 0
    start_column: int = 0
    end_line: int = 0
    end_column: int = 0
    char_offset: int = -1
    char_length: int = 0
    byte_offset: int = -1
    byte_length: int = 0


class Result(Struct, frozen=True):
    """One result (3.27), resolved against its run."""

    rule: str
    message: str
    path: str
    """Percent-decoded, base ids resolved; empty when the result has no location."""
    severity: Severity
    confidence: Confidence
    region: Region | None = None
    counts_utf16: bool = True
    """Columns count UTF-16 units (3.14.17), otherwise code points."""
    cwe: int = 0
    suppression: str = ""
    """Kind and justification when the tool says it is suppressed."""


class Trouble(Struct, frozen=True):
    """Something that the tool could not do."""

    path: str
    text: str


class Report(Struct, frozen=True):
    """A whole log."""

    results: tuple[Result, ...]
    troubles: tuple[Trouble, ...]
    says_finished: bool
    """Every run carries an invocation, and all of them claim success."""


_Props = dict[str, Any] | None


class _Message(Struct, rename="camel"):
    text: str | None = None
    markdown: str | None = None
    id: str | None = None
    arguments: list[str] | None = None


class _Artifact(Struct, rename="camel"):
    uri: str | None = None
    uri_base_id: str | None = None
    index: int | None = None


class _Physical(Struct, rename="camel"):
    artifact_location: _Artifact | None = None
    region: Region | None = None


class _Location(Struct, rename="camel"):
    physical_location: _Physical | None = None


class _Configuration(Struct):
    level: str | None = None


class _Rule(Struct, rename="camel"):
    id: str | None = None
    default_configuration: _Configuration | None = None
    short_description: _Message | None = None
    message_strings: dict[str, _Message] | None = None
    properties: _Props = None


class _Component(Struct):
    rules: list[_Rule] | None = None


class _ComponentRef(Struct):
    index: int | None = None


class _RuleRef(Struct, rename="camel"):
    id: str | None = None
    index: int | None = None
    tool_component: _ComponentRef | None = None


class _Tool(Struct):
    driver: _Component | None = None
    extensions: list[_Component] | None = None


class _Suppression(Struct):
    kind: str | None = None
    status: str | None = None
    justification: str | None = None


class _Result(Struct, rename="camel"):
    rule_id: str | None = None
    rule_index: int | None = None
    rule: _RuleRef | None = None
    level: str | None = None
    kind: str | None = None
    message: _Message | None = None
    locations: list[_Location] | None = None
    suppressions: list[_Suppression] | None = None
    properties: _Props = None


class _Descriptor(Struct):
    id: str | None = None


class _Notification(Struct):
    level: str | None = None
    descriptor: _Descriptor | None = None
    message: _Message | None = None
    locations: list[_Location] | None = None


class _Invocation(Struct, rename="camel"):
    execution_successful: bool | None = None
    exit_code_description: str | None = None
    tool_execution_notifications: list[_Notification] | None = None
    tool_configuration_notifications: list[_Notification] | None = None


class _StoredArtifact(Struct):
    location: _Artifact | None = None


class _Run(Struct, rename="camel"):
    tool: _Tool
    results: list[_Result] | None = None
    artifacts: list[_StoredArtifact] | None = None
    original_uri_base_ids: dict[str, _Artifact] | None = None
    invocations: list[_Invocation] | None = None
    column_kind: str | None = None


class _Log(Struct):
    version: str
    runs: list[_Run] | None = field(default=None)


_decoder = msgspec.json.Decoder(_Log)
_CWE = re.compile(r"\bcwe[-/:_ ]{0,3}0*(\d{1,5})\b", re.IGNORECASE)
_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.INFO}
_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "error": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "warning": Severity.MEDIUM,
    "low": Severity.LOW,
    "info": Severity.INFO,
}
_PRECISION = {"very-high": Confidence.HIGH, "high": Confidence.HIGH, "medium": Confidence.MEDIUM, "low": Confidence.LOW}
_GAP = re.compile(r"syntax|pars(?:e|ing)|time.?out|out of memory|too large|skipped|fatal|internal", re.IGNORECASE)
"""Words by which warnings tell that a file was not, or not wholly, looked at: semgrep calls a syntax error a warning."""
_SURE = {"HIGH CONFIDENCE": Confidence.HIGH, "MEDIUM CONFIDENCE": Confidence.MEDIUM, "LOW CONFIDENCE": Confidence.LOW}
"""Semgrep's tags; its `precision` is the same for every rule."""
_NO_FINDING = frozenset({"pass", "notApplicable"})
_LONGEST_CHAIN = 8


def read_sarif(data: bytes) -> Report:
    """The log's content.

    Raises:
        NotSarifError: when it is not JSON, not of this shape, nested too deeply, or of another version.
    """
    try:
        log = _decoder.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except UNDECODABLE as refused:
        raise NotSarifError(str(refused)) from refused
    if log.version != "2.1.0" or log.runs is None:
        raise NotSarifError(f"version {log.version[:20]!r}, wanted 2.1.0 with runs")
    results = tuple(found for run in log.runs for found in _results(run))
    troubles = tuple(trouble for run in log.runs for trouble in _troubles(run))
    finished = bool(log.runs) and all(run.invocations and all(i.execution_successful for i in run.invocations) for run in log.runs)
    return Report(results, troubles, finished)


def span_of(region: Region, text: str, *, counts_utf16: bool) -> Span | None:
    """The region as our span, clamped to the text; None when it names no place in it."""
    lines = split_lines(text)
    if region.start_line > 0:
        if region.start_line > len(lines):
            return None
        end_line = min(max(region.start_line, region.end_line), len(lines))
        start = _column(lines[region.start_line - 1], max(1, region.start_column), utf16=counts_utf16)
        last = lines[end_line - 1]
        end = _column(last, region.end_column, utf16=counts_utf16) if region.end_column > 0 else len(last) + 1
        return Span(region.start_line, start, end_line, max(end, start) if end_line == region.start_line else end)
    start_at, end_at = _offsets(region, text)
    return None if start_at < 0 else Span(*_row_and_column(text, start_at), *_row_and_column(text, end_at))


def _offsets(region: Region, text: str) -> tuple[int, int]:
    if region.char_offset >= 0:
        return min(region.char_offset, len(text)), min(region.char_offset + max(0, region.char_length), len(text))
    if region.byte_offset >= 0:
        raw = text.encode("utf-8", "surrogatepass")
        before = len(raw[: region.byte_offset].decode("utf-8", "ignore"))
        return before, before + len(raw[region.byte_offset : region.byte_offset + max(0, region.byte_length)].decode("utf-8", "ignore"))
    return -1, -1


def _row_and_column(text: str, at: int) -> tuple[int, int]:
    before = split_lines(text[:at])
    return len(before), len(before[-1]) + 1


def _column(line: str, column: int, *, utf16: bool) -> int:
    if not utf16 or line.isascii():
        return min(column, len(line) + 1)
    units = line.encode("utf-16-le", "surrogatepass")[: 2 * (column - 1)]
    return len(units.decode("utf-16-le", "ignore")) + 1


def _results(run: _Run) -> Iterator[Result]:
    for row in run.results or ():
        if row.kind in _NO_FINDING:
            continue
        rule = _rule(run, row)
        properties = {**((rule.properties if rule else None) or {}), **(row.properties or {})}
        physical = _physical(row.locations)
        yield Result(
            rule=row.rule_id or (row.rule.id if row.rule else None) or (rule.id if rule else None) or "unnamed",
            message=_text(row.message, rule),
            path=_path(run, physical.artifact_location if physical else None),
            severity=_severity(row, rule, properties),
            confidence=_confidence(properties),
            region=physical.region if physical else None,
            counts_utf16=run.column_kind != "unicodeCodePoints",
            cwe=_cwe(properties),
            suppression=_suppressed(row.suppressions),
        )


def _rule(run: _Run, row: _Result) -> _Rule | None:
    """The rule's description: by index (3.27.6), in an extension (3.52.5) or by id."""
    reference = row.rule
    component = run.tool.driver
    extension = reference.tool_component.index if reference and reference.tool_component else None
    if extension is not None and run.tool.extensions and 0 <= extension < len(run.tool.extensions):
        component = run.tool.extensions[extension]
    rules = (component.rules if component else None) or []
    index = row.rule_index if row.rule_index is not None else (reference.index if reference else None)
    if index is not None and 0 <= index < len(rules):
        return rules[index]
    wanted = row.rule_id or (reference.id if reference else None)
    return next((rule for rule in rules if wanted and rule.id == wanted), None)


def _text(message: _Message | None, rule: _Rule | None) -> str:
    text = (message.text or message.markdown or "") if message else ""
    if not text and message and message.id and rule and rule.message_strings and message.id in rule.message_strings:
        text = rule.message_strings[message.id].text or ""
        for at, argument in enumerate((message.arguments or [])[:20]):
            text = text.replace(f"{{{at}}}", argument)
    return text or (rule.short_description.text if rule and rule.short_description else None) or "The tool gave no message."


def _physical(locations: list[_Location] | None) -> _Physical | None:
    return next((place.physical_location for place in locations or () if place.physical_location), None)


def _path(run: _Run, artifact: _Artifact | None) -> str:
    if artifact and artifact.uri is None and artifact.index is not None and run.artifacts and 0 <= artifact.index < len(run.artifacts):
        artifact = run.artifacts[artifact.index].location
    path, base, steps = "", artifact, 0
    while base and steps < _LONGEST_CHAIN:
        uri = base.uri or ""
        absolute = uri.startswith(("file:", "/"))
        path = (uri.rstrip("/") + "/" + path if path and uri else uri + path) if path else uri
        base = None if absolute else (run.original_uri_base_ids or {}).get(base.uri_base_id or "")
        steps += 1
    if path.startswith("file:"):
        try:
            path = urlsplit(path).path
        except ValueError:
            path = path.removeprefix("file:")
    return unquote(path, errors="surrogateescape")


def _severity(row: _Result, rule: _Rule | None, properties: dict[str, Any]) -> Severity:
    own = properties.get("issue_severity")
    if isinstance(own, str) and own.lower() in _WORDS:
        return _WORDS[own.lower()]
    score = _number(properties.get("security-severity"))
    if score is not None:
        bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.001, Severity.LOW))
        return next((severity for at_least, severity in bounds if score >= at_least), Severity.INFO)
    default = rule.default_configuration.level if rule and rule.default_configuration else None
    return _LEVELS.get(row.level or default or "warning", Severity.MEDIUM)


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


def _confidence(properties: dict[str, Any]) -> Confidence:
    tags = properties.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag in _SURE:
            return _SURE[tag]
    for key in ("issue_confidence", "precision", "confidence"):
        value = properties.get(key)
        if isinstance(value, str) and value.lower() in _PRECISION:
            return _PRECISION[value.lower()]
    return Confidence.MEDIUM


def _cwe(properties: dict[str, Any]) -> int:
    tags = properties.get("tags")
    values = [*(tags if isinstance(tags, list) else [tags]), properties.get("cwe")]
    found = (_CWE.search(value) for value in values if isinstance(value, str))
    return next((int(match[1]) for match in found if match), 0)


def _suppressed(suppressions: list[_Suppression] | None) -> str:
    """Accepted suppressions only: one under review or rejected (3.35.3) is none yet."""
    for row in suppressions or ():
        if row.status in (None, "accepted"):
            return f"{row.kind or 'external'}: {row.justification or 'no reason given'}"
    return ""


def _is_gap(note: _Notification) -> bool:
    if note.level != "warning":
        return note.level == "error"
    about = (note.descriptor.id if note.descriptor else None) or ""
    return bool(_GAP.search(f"{about} {_text(note.message, None)}"))


def _troubles(run: _Run) -> Iterator[Trouble]:
    for invocation in run.invocations or ():
        notes = [*(invocation.tool_execution_notifications or ()), *(invocation.tool_configuration_notifications or ())]
        told = False
        for note in notes:
            if _is_gap(note):
                told = True
                physical = _physical(note.locations)
                yield Trouble(_path(run, physical.artifact_location if physical else None), _text(note.message, None))
        if invocation.execution_successful is False and not told:
            yield Trouble("", invocation.exit_code_description or "the tool says that it did not finish")
