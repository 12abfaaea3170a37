"""Severity and confidence: two ordered scales that are never mixed into one number."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property


class _Ordered(StrEnum):
    @cached_property
    def rank(self) -> int:
        """Position on the scale, 0 is the mildest."""
        return list(type(self)).index(self)


class Severity(_Ordered):
    """How bad it is if the finding is true. Bounds are those of CVSS's qualitative scale."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def score(self) -> float:
        """A CVSS-like number inside the band, for formats that want one (SARIF ``security-severity``)."""
        return (0.0, 3.0, 5.5, 8.0, 9.5)[self.rank]


class Confidence(_Ordered):
    """How sure the check is that the finding is true."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
