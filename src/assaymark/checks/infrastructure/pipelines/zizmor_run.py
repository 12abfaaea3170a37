"""The work of the zizmor check: text, process, report, sightings. See `zizmor` for what is guaranteed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.zizmor_advice import ADVICE, CONFIDENCES, OTHERWISE, SEVERITIES, WORST
from assaymark.checks.infrastructure.pipelines.zizmor_process import Audited, audit
from assaymark.checks.infrastructure.pipelines.zizmor_site import site_of
from assaymark.checks.reading.inline import LONGEST_MARKER, requested
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Unreadable, decode, documents
from assaymark.checks.rulebook import in_order
from assaymark.model.check import Checked, Input, Outcome, Unchecked
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Fix, RuleId, Sighting, Span, Suppression
from assaymark.model.severity import Confidence, Severity

_ID = CheckId("zizmor")
_IGNORE = re.compile(r"# zizmor: ignore\[[^\n]*")
_AT_LINE = re.compile(r"at line (\d+) column \d+")
_VIOLATION = re.compile(
    r"^\s*(?:1: )?(?:(?P<path>[\w.-]+): )?(?P<what>.*(?:required property|were? unexpected\)|not of type .*|was expected))\s*$"
)


class _Prepared(Struct, frozen=True):
    """An input that zizmor is to see."""

    input: Input
    text: str


def run(inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
    """One zizmor process for all that can be read; a second one only for a file that it refuses, to learn why."""
    readable: list[_Prepared] = []
    for each in inputs:
        ready = _prepare(each)
        if isinstance(ready, _Prepared):
            readable.append(ready)
        else:
            yield each.digest, ready
    yield from _audited(readable)


def _prepare(each: Input) -> _Prepared | Outcome:
    try:
        text = decode(each.content)
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    try:
        trees = documents(text)
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    if not trees:
        return Checked(skipped="empty")
    root = trees[0]
    if each.dialect == "action" and isinstance(root, Keyed) and root.get("runs") is None:
        return Checked(skipped="other-format")
    return _Prepared(each, text)


def _audited(ready: list[_Prepared]) -> Iterator[tuple[Digest, Outcome]]:
    if not ready:
        return
    report = audit([(each.input.dialect, each.input.content) for each in ready])
    if report.complaint:
        yield from _after_failure(ready, report.complaint)
        return
    rows: dict[int, list[Audited]] = {}
    for position, row in report.findings:
        rows.setdefault(position, []).append(row)
    for position, each in enumerate(ready):
        done = position in report.completed
        yield each.input.digest, Checked(sightings=_sightings(each, rows.get(position, []))) if done else _refusal(each)


def _after_failure(ready: list[_Prepared], complaint: str) -> Iterator[tuple[Digest, Outcome]]:
    """One bad file ends the whole process, so after a failure each file is asked alone."""
    if len(ready) > 1:
        for each in ready:
            yield from _audited([each])
        return
    word = "timeout" if complaint.startswith("no answer") else "engine-failed"
    reason = _refusal(ready[0]) if word == "engine-failed" else None
    if reason is not None and reason.reason_class != "schema-unknown":
        yield ready[0].input.digest, reason
        return
    yield ready[0].input.digest, Unchecked(word, "zizmor failed on this file; run it by hand to see why, and report it to its project")


def _refusal(each: _Prepared) -> Unchecked:
    """Why zizmor would not read the file, in words that hold no value of it."""
    complaint = audit([(each.input.dialect, each.input.content)], strict=True).complaint
    at = _AT_LINE.search(complaint)
    if "invalid YAML syntax" in complaint:
        line = int(at[1]) if at else 1
        return Unchecked("syntax", f"line {line} is no YAML that GitHub would take; correct it", line)
    for row in complaint.splitlines():
        found = _VIOLATION.match(row)
        if found:
            path = found["path"] or ""
            line = _line_of(each.text, path)
            what = _without_values(found["what"])
            where = f"line {line}" + (f" ({path})" if path else "")
            return Unchecked("schema", f"{where} breaks the {each.input.dialect} schema: {what}", line)
    if "schema" in complaint or "model" in complaint:
        return Unchecked("schema", f"the file breaks the {each.input.dialect} schema; GitHub would refuse it too", 1)
    return Unchecked("schema-unknown", f"zizmor passed over this {each.input.dialect} without a reason")


def _without_values(what: str) -> str:
    """Names of keys may be shown; a quoted value may be a secret."""
    if "not of type" in what:
        return "a value has the wrong type; a " + what.rpartition("not of type ")[2] + " is expected"
    return what if "required" in what or "unexpected" in what else "a value is not one of those allowed"


def _line_of(text: str, path: str) -> int:
    node: Node | None = documents(text)[0]
    line = node.span.start_line if node else 1
    for part in filter(None, path.split(".")):
        if isinstance(node, Keyed):
            found = next(((key, value) for key, value in node.named() if key.text == part), None)
            if found is None:
                return line
            line, node = found[0].span.start_line, found[1]
        elif isinstance(node, Items) and part.isdecimal() and int(part) < len(node.entries):
            node = node.entries[int(part)]
            line = node.span.start_line
    return line


def _sightings(each: _Prepared, rows: list[Audited]) -> tuple[Sighting, ...]:
    if not rows:
        return ()
    root = documents(each.text)[0]
    lines = each.text.split("\n")
    made = [_sighting(row, root, lines, each.input) for row in rows]
    return in_order(made)


def _sighting(row: Audited, root: Node, lines: Sequence[str], source: Input) -> Sighting:
    place = row.primary.concrete.location.offset_span
    span = Span(*_position(source.content, place.start), *_position(source.content, max(place.start, place.end)))
    severity = SEVERITIES.get(row.determinations.severity, Severity.MEDIUM)
    worst = WORST.get(row.ident, Severity.HIGH)
    said = row.primary.symbolic.annotation
    offered = tuple((f"fix that zizmor offers ({fix.disposition})", fix.title) for fix in row.fixes)
    return Sighting(
        rule=RuleId(f"{_ID}/{row.ident}"),
        site=site_of(row, root, source.dialect),
        severity=severity if severity.rank <= worst.rank else worst,
        message=f"{row.desc[:1].upper()}{row.desc[1:]}" + (f": {said}" if said else ""),
        span=span,
        confidence=CONFIDENCES.get(row.determinations.confidence, Confidence.LOW),
        fix=Fix(advice=ADVICE.get(row.ident, OTHERWISE)),
        suppression=_suppression(row, span, lines),
        notes=offered,
    )


def _position(content: bytes, offset: int) -> tuple[int, int]:
    begin = content.rfind(b"\n", 0, offset) + 1
    bom = 3 if begin == 0 and content.startswith(b"\xef\xbb\xbf") else 0
    column = len(content[begin + bom : offset].decode("utf-8", "replace")) + 1
    return content.count(b"\n", 0, offset) + 1, column


def _suppression(row: Audited, span: Span, lines: Sequence[str]) -> Suppression | None:
    """Zizmor knows which of its own comments cover a finding; here only their words and line are looked up."""
    if not row.ignored:
        return requested(lines, span, row.ident)
    for comment in (text for location in row.locations for text in location.concrete.comments):
        if _IGNORE.search(comment) and row.ident in comment:
            number = _line_holding(lines, comment, span)
            return Suppression(marker=comment.strip()[:LONGEST_MARKER], line=number)
    return Suppression(marker="# zizmor: ignore", line=span.start_line)


def _line_holding(lines: Sequence[str], comment: str, span: Span) -> int:
    wanted = comment.strip()
    numbers = [number for number, text in enumerate(lines, 1) if wanted in text]
    return min(
        numbers, key=lambda number: (not span.start_line <= number <= span.end_line, abs(number - span.start_line)), default=span.start_line
    )
