"""The check ``go``: which files it reads."""

from __future__ import annotations

from assaymark.checks.application.patterns.check import PatternCheck
from assaymark.checks.settings import CheckSettings


def make(settings: CheckSettings) -> PatternCheck:  # noqa: ARG001 - the door is the same for every check
    """The check."""
    return PatternCheck("go", "1", {"go": "go"}, ("go",))
