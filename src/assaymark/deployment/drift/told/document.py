"""Drifts as JSON, under a format name and version: ``major.minor``.

A member may be added in a minor version, none is renamed or removed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from assaymark.deployment.drift.drifted import Drift
from assaymark.deployment.drift.told import Report, outcome
from assaymark.deployment.drift.told.text import stamp
from assaymark.views.encoding import json_text, packed

FORMAT, VERSION = "assaymark/drift", "1.0"


def render(report: Report) -> str:
    """The document."""
    return json_text(
        {
            "format": FORMAT,
            "version": VERSION,
            "at": stamp(report.at),
            "outcome": outcome(report).value,
            "looked": list(report.looked),
            "notes": list(report.notes),
            "drifts": [member(each) for each in report.drifts],
        }
    )


def line(drift: Drift) -> str:
    """One drift on a line, as they are told while something is watched."""
    return packed(member(drift)).decode() + "\n"


def member(drift: Drift) -> dict[str, Any]:
    """Instants as text; what nobody knows is left out."""
    found: dict[str, Any] = msgspec.to_builtins(drift)
    if drift.until:
        found["until"] = stamp(drift.until)
    if drift.cause is not None and drift.cause.at:
        found["cause"]["at"] = stamp(drift.cause.at)
    return found
