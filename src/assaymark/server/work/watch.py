"""Keeps an eye on one piece of work: its deadline, whether somebody cancelled it, and how far it is.

Guarantees: `should_stop` is true from the moment of either, and `why` says which; progress is written at most once a second, and not at all
for what takes less than that, so that a fast answer costs no write; what cannot be written is not worth failing for.
"""

from __future__ import annotations

import time
from contextlib import suppress

import sqlalchemy as sa

from assaymark.model.assessment import AssessmentId
from assaymark.model.finding import CheckId
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import progress as rows
from assaymark.store.progress import Progress

EVERY_SECONDS = 1.0
_ASK_SECONDS = 0.2


class Watch:
    """One attempt; also the `engine.progress.Progress` of its run."""

    def __init__(self, service: Service, attempt: Attempt, seconds: float, assessment: AssessmentId | None = None) -> None:
        """`seconds` is what the work may take from now on."""
        self._service, self._attempt, self._assessment = service, attempt, assessment
        self._ends = time.monotonic() + seconds
        self._asked = 0.0
        self._said = time.monotonic()
        self._phase = "fetching"
        self._checks: dict[CheckId, tuple[int, int]] = {}
        self.cancelled = False

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._ends - time.monotonic()

    @property
    def overdue(self) -> bool:
        return self.left <= 0

    def should_stop(self) -> bool:
        """Asked often."""
        now = time.monotonic()
        if now - self._asked >= _ASK_SECONDS and not self.cancelled:
            self._asked = now
            self.cancelled = self._attempt.should_stop()
            self._say(now)
        return self.cancelled or self.overdue

    def checking(self) -> None:
        """Everything is here; the checks begin."""
        self._phase = "checking"

    def advance(self, check: CheckId, done: int, total: int) -> None:
        """See `engine.progress.Progress`."""
        self._checks[check] = (done, total)
        self._say(time.monotonic())

    def note(self, text: str) -> None:
        """Nobody reads notes here."""

    def close(self) -> None:
        """The run is over."""

    def _say(self, now: float) -> None:
        if self._assessment is None or now - self._said < EVERY_SECONDS:
            return
        self._said = now
        done, total = (sum(column) for column in zip(*self._checks.values(), strict=True)) if self._checks else (0, 0)
        with suppress(sa.exc.DBAPIError), self._service.database.write() as connection:
            rows.write(connection, self._assessment, Progress(self._phase, done, total, self._service.now()))
