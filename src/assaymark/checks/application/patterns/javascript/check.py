"""The check ``javascript``: which files it reads."""

from __future__ import annotations

from assaymark.checks.application.patterns.check import PatternCheck
from assaymark.checks.settings import CheckSettings

_SUFFIXES = {
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts"), "typescript"),
    "tsx": "tsx",
    **dict.fromkeys(("d.ts", "d.mts", "d.cts"), ""),
}
"""Declaration files hold no code and are left alone."""


def make(settings: CheckSettings) -> PatternCheck:  # noqa: ARG001 - the door is the same for every check
    """The check."""
    return PatternCheck("javascript", "1", _SUFFIXES, ("javascript", "typescript", "tsx"))
