"""The process that does the work: one job at a time, in a process group of its own, killed without regard.

Guarantees: it has no file of its worker but its link and its output; it ends when its worker does, at once and whatever it is doing (the
kernel tells it), and by itself some seconds after a deadline that nobody enforced; it leaves no core file. It opens its own database: none
that was open before a fork is ever used after it.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from assaymark.errors import AssayError
from assaymark.jobs.frames import Broken, Done, Failed, HungUp, Message, Order, Reader, Stop, framed

GRACE = 5
"""Seconds after its deadline until a runner ends itself, in case nobody is left to end it."""
_MOST_ERROR = 2000


class Attempt:
    """What a handler is told of the attempt that it is."""

    def __init__(self, number: int, *, is_last: bool, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.number = number
        self.is_last = is_last
        self.should_stop = should_stop


Perform = Callable[[str, Mapping[str, Any], Attempt], None]
"""Does a job of a kind with its arguments; raises when it failed."""


class Trade(Protocol):
    """What a worker can do; given by whoever starts it."""

    def warm(self) -> None:
        """Import and prepare what is slow: once, before anything is opened, in the process that all runners are forked from."""
        ...

    def open(self) -> Perform:
        """Open what a runner needs, in the runner."""
        ...


def become(link: socket.socket, output: int, lifeline: int, niceness: int) -> None:
    """Turn a process that was just forked into a runner's."""
    os.setsid()
    gc.freeze()
    _reset_signals()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    close_all_but(link.fileno(), lifeline)
    _die_with_worker(lifeline)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the secrets of what was read
    os.nice(niceness)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def serve(trade: Trade, link: socket.socket) -> None:
    """Do what is ordered until the worker hangs up."""
    inbox = _Inbox(link)
    perform = trade.open()
    while (order := inbox.order()) is not None:
        attempt = Attempt(order.attempt, is_last=order.is_last, should_stop=inbox.is_stopped)
        signal.setitimer(signal.ITIMER_REAL, order.seconds + GRACE)
        reply = _perform(perform, order, attempt)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        link.sendall(framed(reply))


def _perform(perform: Perform, order: Order, attempt: Attempt) -> Done | Failed:
    try:
        perform(order.kind, order.arguments, attempt)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the end of this attempt, not of the runner
        traceback.print_exception(error, limit=-20, chain=True)
        return Failed(reason(error))
    return Done()


def reason(error: BaseException) -> str:
    """One text for the list of jobs. A database's error is told without its statement, whose parameters may be anything."""
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return f"{type(original).__name__}: {original}".partition("\n")[0][:_MOST_ERROR]  # further lines quote statement and values
    if isinstance(error, AssayError):
        text = "; ".join(part for part in (error.what, error.why, error.advice) if part)
    else:
        text = f"{type(error).__name__}: {error}"
    return text.strip()[:_MOST_ERROR]


class _Inbox:
    """What the worker sends: orders, and while one is done perhaps the word to stop."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._reader = Reader(link)
        self._waiting: list[Message] = []
        self._stopped = False

    def order(self) -> Order | None:
        """The next one; None when the worker hung up. A word to stop that came too late is forgotten."""
        self._stopped = False
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if isinstance(message, Order):
                    return message
            try:
                self._waiting += self._reader.take()
            except HungUp:
                return None

    def is_stopped(self) -> bool:
        """Whether somebody cancelled what is being done."""
        if not self._stopped and select.select([self._link], [], [], 0)[0]:
            try:
                self._waiting += self._reader.take()
            except Broken:
                return True
            self._stopped = any(isinstance(message, Stop) for message in self._waiting)
        return self._stopped


def close_all_but(*keep: int) -> None:
    """Close what was inherited; the three standard files stay."""
    start = 3
    for number in sorted(keep):
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20))


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGIO, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _die_with_worker(lifeline: int) -> None:
    """The kernel sends SIGIO, whose default is to end the process, when the pipe's only writer, the worker, is gone."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it was gone before
        os._exit(1)
