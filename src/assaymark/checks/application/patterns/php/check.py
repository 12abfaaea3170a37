"""The check ``php``: which files it reads."""

from __future__ import annotations

from assaymark.checks.application.patterns.check import PatternCheck
from assaymark.checks.settings import CheckSettings

_SUFFIXES = {
    **dict.fromkeys(("php", "phtml", "php3", "php4", "php5", "php7", "php8", "phps", "inc", "ctp"), "php"),
    "blade.php": "",
}
"""Blade templates are text to the grammar of PHP and are left alone."""


def make(settings: CheckSettings) -> PatternCheck:  # noqa: ARG001 - the door is the same for every check
    """The check."""
    return PatternCheck("php", "1", _SUFFIXES, ("php",))
