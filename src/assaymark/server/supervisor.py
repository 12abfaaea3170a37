"""The worker processes of `assay serve`: started, started again when they die, stopped with it.

Guarantees: a worker that dies at once is not started at once again, so that a defect does not eat the machine; when the server is killed
its workers notice by themselves, since their standard input ends. Processes of their own and not forks: the server has threads and open
databases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from assaymark.server.settings import Settings

COMMAND = (sys.executable, "-m", "assaymark.server.worker")
_LOOK_SECONDS = 0.2
_STEADY_SECONDS = 60.0
"""A worker that lived for so long is started again at once."""
_LONGEST_PAUSE = 30.0
_log = structlog.get_logger("assaymark.supervisor")


def environment(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """Settings as a worker reads them: never as words of a command, which everybody on the machine can read."""
    said = {
        "ASSAYMARK_DATA": str(settings.data),
        "ASSAYMARK_DATABASE": settings.database,
        "ASSAYMARK_STORAGE": settings.storage,
        "ASSAYMARK_URL": settings.url,
    }
    return {**given, **said}


class _Place:
    """One worker that there is to be."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.pause = 0.0
        self.not_before = 0.0


class Supervisor(threading.Thread):
    """Keeps `count` workers."""

    def __init__(self, count: int, env: Mapping[str, str], *, command: Sequence[str] = COMMAND, grace: float = 12.0) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._places = [_Place() for _ in range(count)]
        self._env, self._command, self._grace = dict(env), list(command), grace
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            for place in self._places:
                self._look(place)
            self._stopped.wait(_LOOK_SECONDS)

    def stop(self) -> None:
        """End all, politely at first; returns when they have ended."""
        self._stopped.set()
        self.join()
        alive = [place.process for place in self._places if place.process is not None]
        for process in alive:
            process.terminate()
        end = time.monotonic() + self._grace
        for process in alive:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            if process.poll() is None:
                _log.warning("worker killed", pid=process.pid, why="it did not end within its time of grace")
                process.kill()
            process.wait()
            _close(process)

    def pids(self) -> list[int]:
        """Of those that are there."""
        return [place.process.pid for place in self._places if place.process is not None]

    def _look(self, place: _Place) -> None:
        now = time.monotonic()
        if place.process is not None:
            status = place.process.poll()
            if status is None:
                return
            lived = now - place.started
            place.pause = 0.0 if lived >= _STEADY_SECONDS else min(_LONGEST_PAUSE, max(0.5, place.pause * 2))
            place.not_before = now + place.pause
            _log.warning("worker ended", pid=place.process.pid, status=status, lived=round(lived, 1), again_in=place.pause)
            _close(place.process)
            place.process = None
        if now >= place.not_before:
            place.started = now
            place.process = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=self._env, start_new_session=True)
            _log.info("worker started", pid=place.process.pid)


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def here(settings: Settings) -> Supervisor:
    """The supervisor of this server's workers."""
    return Supervisor(settings.workers, environment(settings, os.environ))
