"""Drifts for people: a line for each with what is to be done, below it what was expected and observed, and who did it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from assaymark.deployment.drift.drifted import Action, Cause, Drift
from assaymark.deployment.drift.told import Report, outcome
from assaymark.model.assessment import SECOND, Instant
from assaymark.views.sanitise import one_line

_INDENT = "          "


def render(report: Report) -> str:
    """All of them, and a last line that sums up."""
    lines = [line for drift in report.drifts for line in about(drift)]
    lines += [f"note: {one_line(note)}" for note in report.notes]
    ignored = sum(each.action is Action.IGNORE for each in report.drifts)
    more = f", {ignored} of them looked away from" if ignored else ""
    number = f"{len(report.drifts)} drift{'' if len(report.drifts) == 1 else 's'}"
    lines.append(f"{outcome(report)}: {number}{more}; looked at {', '.join(map(one_line, report.looked)) or 'nothing'}")
    return "\n".join(lines) + "\n"


def about(drift: Drift) -> Iterator[str]:
    """The lines of one."""
    until = f" until {stamp(drift.until)}" if drift.until else ""
    yield f"{drift.weight:<8}  {one_line(drift.what)}  {drift.kind}  in {one_line(drift.where)}  -> {drift.action}{until}"
    yield f"{_INDENT}expected {one_line(drift.expected)}"
    yield f"{_INDENT}observed {one_line(drift.observed)}"
    if drift.cause is not None:
        yield f"{_INDENT}by {_by(drift.cause)}"


def _by(cause: Cause) -> str:
    parts = [f"process {cause.pid}"] if cause.pid else []
    if cause.uid >= 0:
        parts.append(f"of user {cause.uid}")
    if cause.program:
        parts.append(f"({one_line(cause.program)})")
    elif cause.pid:
        parts.append("(which has ended)")
    if cause.event:
        parts.append(one_line(cause.event))
    if cause.at:
        parts.append(f"at {stamp(cause.at)}")
    return " ".join(parts)


def stamp(at: Instant) -> str:
    """An instant in UTC, to the millisecond."""
    whole = dt.datetime.fromtimestamp(at // SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at % SECOND // 1000:03d}Z"
