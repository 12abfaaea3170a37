"""One place at which a worker does one job at a time: its runner, the job that it has, and why it is being ended if it is."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from enum import StrEnum

from assaymark.jobs.frames import Broken, Done, Failed, Order, Reader, Stop, framed
from assaymark.jobs.job import Claim
from assaymark.jobs.nursery import Nursery

MOST_JOBS = 500
"""After so many a runner is replaced: what its libraries kept is given back."""
_MOST_LINE = 2000
_MOST_AT_ONCE = 1 << 20
NICENESS = 10
"""Of scheduled work."""


class Cause(StrEnum):
    """Why a runner was killed."""

    NONE = ""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    LOST = "lost"
    """The lease is over: somebody else may have the job."""
    LEAVING = "leaving"
    """The worker ends, and the job did not within the time of grace."""


class Runner:
    """The worker's end of a runner's process."""

    def __init__(self, number: int, nursery: Nursery, *, scheduled: bool) -> None:
        self.number = number
        self.pid: int | None = None
        self.link, theirs = socket.socketpair()
        self.output, output = os.pipe()
        try:
            nursery.begin(number, theirs, output, NICENESS if scheduled else 0)
        finally:
            theirs.close()
            os.close(output)
        self.link.setblocking(False)
        os.set_blocking(self.output, False)
        self.reader = Reader(self.link)
        self.jobs = 0
        self.is_leaving = False
        self.is_silent = False
        """Nothing holds its output open any more."""
        self._line = bytearray()

    def send(self, message: Order | Stop) -> None:
        """Raises `Broken` when it does not take it: it has read all that came before, so that there is room if it lives."""
        try:
            data = framed(message)
            if self.link.send(data) != len(data):
                raise Broken("it does not read")
        except OSError as error:
            raise Broken(str(error)) from error

    def hang_up(self) -> None:
        """It ends when it has nothing to do."""
        self.is_leaving = True
        with suppress(OSError):
            self.link.shutdown(socket.SHUT_WR)

    def said(self, *, rest: bool = False) -> list[str]:
        """Whole lines of its output, and with `rest` what is left."""
        with suppress(BlockingIOError):
            while len(self._line) < _MOST_AT_ONCE and not self.is_silent:
                data = os.read(self.output, 1 << 16)
                self._line += data
                self.is_silent = not data
        *lines, left = bytes(self._line).split(b"\n")
        if len(left) >= _MOST_AT_ONCE:
            lines.append(left)
            left = b""
        self._line = bytearray(left)
        if rest and left:
            lines.append(left)
        return [line[:_MOST_LINE].decode("utf-8", "backslashreplace") for line in lines if line.strip()]

    def close(self) -> None:
        """Its process is gone."""
        self.link.close()
        os.close(self.output)


class Slot:
    """Fields are the worker's: this knows what can be told from them."""

    def __init__(self, *, scheduled: bool) -> None:
        self.scheduled = scheduled
        self.runner: Runner | None = None
        self.claim: Claim | None = None
        self.deadline = 0.0
        self.cause = Cause.NONE
        self.reply: Done | Failed | None = None

    @property
    def is_free(self) -> bool:
        """A job that is taken begins at once, so that its deadline is not spent on waiting for a process."""
        return self.claim is None and (self.runner is None or (self.runner.pid is not None and not self.runner.is_leaving))

    def outcome(self, status: int | None) -> Done | Failed | Cause:
        """What became of the attempt; `status` is that of the process if it ended."""
        if self.reply is not None:
            return self.reply
        if self.cause in (Cause.CANCELLED, Cause.LOST, Cause.LEAVING):
            return self.cause
        if self.cause == Cause.DEADLINE and self.claim is not None:
            return Failed(f"it was not done within {self.claim.job.seconds} s")
        return Failed(_how(status or 0))


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        hint = " (the system ran out of memory?)" if number == signal.SIGKILL else ""
        return f"the runner was ended by {name}{hint}"
    return f"the runner ended with status {os.waitstatus_to_exitcode(status)}"
