"""Work done by this very process, because losing the process is no loss: the daemon's child, forked for one request.

Guarantees
* only small work whose content was read already is tried; all other goes to workers;
* time, processor and memory are bounded as in a worker, by the kernel's hand: the interpreter may be stuck in a library;
* what a check fails on is done again by workers, and their word counts; a process that is ended here has said nothing yet, so whoever
  started it computes the answer again, isolated.

What it saves is the forking of workers: more than everything else that a small change costs.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from assaymark.engine.bench import Bench
from assaymark.engine.executor import Sink, Work
from assaymark.engine.limits import usable_processors
from assaymark.model.finding import CheckId

SECONDS = 5.0
"""Small work takes hundredths of a second; with this much patience a busy machine does not look like a hanging check."""


class Trial:
    """Executes small work here and all other in workers."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    def execute(self, work: Work, sink: Sink) -> None:
        left: Sequence[int] = range(len(work.inputs))
        if is_small(work):
            attempt = _Attempt(sink)
            with _bounded(self._seconds, work.limits.memory_bytes), _mute():
                Bench(work).perform(left, attempt)
            left = [index for index in left if index not in attempt.done]
        if left:
            from assaymark.engine.pool import ForkPool  # noqa: PLC0415 - what it saves most of the time

            ForkPool().execute(work, sink, left)


def is_small(work: Work) -> bool:
    """Whether everything was read ahead, and is little."""
    asked = {member.digest for ref in work.inputs for member in ref.members}
    if not asked <= work.contents.keys():
        return False
    return sum(len(work.contents[digest].data or b"") for digest in asked) <= work.limits.tiny_bytes


class _Attempt:
    """Passes on outcomes; whatever failed is left for the workers."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.done: set[int] = set()

    def started(self, check: CheckId) -> None:
        del check

    def outcome(self, index: int, encoded: bytes) -> None:
        self._sink.deliver(index, encoded)
        self.done.add(index)

    def failed(self, indices: Sequence[int], kind: str, detail: str) -> None:
        del indices, kind, detail

    def spent(self, check: CheckId, seconds: float) -> None:
        self._sink.spent(check, seconds)


@contextmanager
def _bounded(seconds: float, memory: int) -> Iterator[None]:
    """Limits that end this process, and those of the programs that it starts; lifted afterwards."""
    processor = int(time.process_time() + seconds * usable_processors()) + 1
    before = [(which, _lower(which, amount)) for which, amount in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, processor))]
    _lower(resource.RLIMIT_CORE, 0)  # a core file would hold the secrets of what was read
    handler = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        for which, was in before:
            resource.setrlimit(which, was)


def _lower(which: int, amount: int) -> tuple[int, int]:
    """Lower a soft limit; what it was."""
    soft, hard = resource.getrlimit(which)
    bounds = [amount, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(which, (min(bounds), hard))
    return soft, hard


@contextmanager
def _mute() -> Iterator[None]:
    """Nobody's terminal, standard input or log for what a library reads or prints: it may quote content."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    kept = [(number, os.dup(number)) for number in (0, 1, 2) if _is_open(number)]
    try:
        for number, _ in kept:
            os.dup2(null, number)
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(null)


def _is_open(number: int) -> bool:
    with suppress(OSError):
        os.fstat(number)
        return True
    return False
