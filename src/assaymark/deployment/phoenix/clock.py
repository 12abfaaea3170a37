"""Time, as an argument: tests and rehearsals bring their own."""

from __future__ import annotations

import time
from typing import Protocol

from assaymark.model.assessment import Instant


class Clock(Protocol):
    def now(self) -> Instant: ...

    def sleep(self, seconds: float) -> None: ...


class MachineClock:
    """That of the machine."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
