"""The life of one assessment on a server: it waits, runs, and ends in exactly one of five ways."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

AssessmentId = NewType("AssessmentId", int)
SubjectId = NewType("SubjectId", int)
RepositoryId = NewType("RepositoryId", int)
Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00Z."""

SECOND = 1_000_000


class AssessmentState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNPROVEN = "unproven"
    """Also when it could not be run to its end, for whatever reason."""
    SUPERSEDED = "superseded"
    """A newer one of the same subject covers it: from what was judged last to the newest head."""
    CANCELLED = "cancelled"


TERMINAL = frozenset(set(AssessmentState) - {AssessmentState.QUEUED, AssessmentState.RUNNING})
