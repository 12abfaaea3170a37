"""Telling people how far a run is. Nothing here changes what a run does.

`RichProgress` shows itself only on a terminal, on standard error, and only when the run takes longer than half a second: a fast answer
should not flicker. It draws from the caller's thread, so that forking stays safe.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from assaymark.model.finding import CheckId

PATIENCE = 0.5
"""Seconds until the display appears."""
_REDRAW = 0.1


class Progress(Protocol):
    """Hears of a run's progress."""

    def advance(self, check: CheckId, done: int, total: int) -> None:
        """Called often, also when nothing changed."""
        ...

    def note(self, text: str) -> None:
        """Something worth saying at once."""
        ...

    def close(self) -> None:
        """The run is over; leave the terminal as it was."""
        ...


class NullProgress:
    """Says nothing."""

    def advance(self, check: CheckId, done: int, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class RichProgress:
    """Bars on a terminal."""

    def __init__(self, console: Console | None = None, *, patience: float = PATIENCE) -> None:
        self._console = console
        self._start = time.monotonic()
        self._patience = patience
        self._drawn = 0.0
        self._bars: Bars | None = None
        self._tasks: dict[CheckId, TaskID] = {}

    def advance(self, check: CheckId, done: int, total: int) -> None:
        now = time.monotonic()
        if self._bars is None:
            if now - self._start < self._patience:
                return
            self._bars = self._make()
            self._bars.start()
        if check not in self._tasks:
            self._tasks[check] = self._bars.add_task(check, total=total)
        if now - self._drawn >= _REDRAW or done == total:
            self._drawn = now
            self._bars.update(self._tasks[check], completed=done, total=total)
            self._bars.refresh()

    def note(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks = {}

    def _make(self) -> Bars:
        # Imported here: 45 ms that a fast answer must not pay.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as Bars  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Bars(*columns, console=self._console or Console(stderr=True), transient=True, auto_refresh=False)


def progress_for_terminal() -> Progress:
    """Bars when standard error is a terminal that can draw them, silence otherwise."""
    drawable = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}
    return RichProgress() if drawable else NullProgress()
