"""A worker: claims jobs, has them done by runners, says what became of them.

Guarantees: it holds no more jobs than it has slots; what it holds is renewed every few seconds, and given up when it could not be renewed
for the length of the lease; at a deadline, when somebody cancels, and when the lease is over, the runner is killed, and its end is awaited
before anything is said of the job; while the database is away it goes on asking, and says later what it could not say. Told to stop, it
takes nothing more, waits for the time of grace, and gives back the rest. One thread: whatever forks does not meet a lock of another.

Scheduled work has one slot of its own and lower priority of the processor, so that nobody who waits for an answer waits behind it.
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

import structlog
from msgspec import Struct

from assaymark.jobs.frames import Begun, Broken, Done, Ended, Failed, Order, Stop
from assaymark.jobs.job import Bell, Claim, QueueUnreachable, WorkerId, WorkQueue
from assaymark.jobs.nursery import Nursery
from assaymark.jobs.overheard import tell
from assaymark.jobs.slot import MOST_JOBS, Cause, Runner, Slot

_log = structlog.get_logger("assaymark.worker")
_AFTER_GRACE = 2.0
"""Seconds for what was killed to end, and for a database that is away to come back."""
_RING = 0.1
"""Seconds between two renewals, however often it rings."""


class Pace(Struct, frozen=True):
    """Seconds."""

    lease: float = 40.0
    """A job whose worker was silent for so long is given to another."""
    beat: float = 2.0
    """Between two renewals while something runs; also how soon a cancellation is seen where nothing rings."""
    grace: float = 8.0
    """What runs has so much time to end when the worker is told to stop."""
    stopping: float = 5.0
    """What was cancelled has so much time to end by itself."""
    longest_pause: float = 5.0
    """Between two tries to reach the database."""


class Worker:
    """One process; `run` returns when it was told to stop."""

    def __init__(
        self, queue: WorkQueue, nursery: Nursery, *, slots: int = 1, pace: Pace | None = None, lifeline: int | None = None
    ) -> None:
        """`lifeline` is a file whose end tells that whoever started this is gone."""
        self._queue, self._nursery, self._pace, self._lifeline = queue, nursery, pace or Pace(), lifeline
        self._slots = [Slot(scheduled=number == slots) for number in range(slots + 1)]
        self._selector = selectors.DefaultSelector()
        self._runners: dict[int, Slot] = {}
        self._numbers = 0
        self._sayings: deque[tuple[Claim, Done | Failed | Cause]] = deque()
        self._worker: WorkerId | None = None
        self._is_ready = False
        self._stop_by: float | None = None
        self._bell: Bell | None = None
        self._bells: AbstractContextManager[Bell] | None = None
        self._ear: int | None = None
        now = time.monotonic()
        self._renewed = self._next_beat = self._next_reap = self._next_claim = self._next_bell = self._reachable_at = now
        self._pause = 0.0

    # --- life --------------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Work until told to stop; False when the nursery ended, after which nothing can be done any more."""
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            self._listen_for_signals(stack)
            self._selector.register(self._nursery, selectors.EVENT_READ, self._hear_nursery)
            if self._lifeline is not None:
                self._selector.register(self._lifeline, selectors.EVENT_READ, self._orphaned)
            try:
                for slot in self._slots:
                    if not slot.scheduled:
                        self._start(slot)
                while not self._is_over():
                    self._turn()
            except Broken as error:
                _log.error("nursery ended", reason=str(error))
                return False
            finally:
                self._leave()
        return True

    def stop(self) -> None:
        """As SIGTERM does."""
        if self._stop_by is None:
            _log.info("stopping", running=sum(slot.claim is not None for slot in self._slots), grace=self._pace.grace)
            self._stop_by = time.monotonic() + self._pace.grace

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        self._enforce()
        now = time.monotonic()
        if now < self._reachable_at:
            return
        try:
            self._talk(now)
        except QueueUnreachable as error:
            self._pause = min(self._pace.longest_pause, max(0.1, self._pause * 2))
            self._reachable_at = now + self._pause
            _log.warning("database unreachable", reason=str(error).partition("\n")[0], again_in=self._pause)
            self._deafen()
            # Others could not renew their leases either: give them the time to do it before their jobs are taken from them.
            self._next_reap = now + self._pace.lease

    def _talk(self, now: float) -> None:
        """What concerns the database, most urgent first."""
        if self._worker is None:
            self._worker = self._queue.enter()
            self._renewed = now
            _log.info("worker entered", worker=self._worker, slots=len(self._slots) - 1)
        while self._sayings:
            self._say(*self._sayings[0])
            self._sayings.popleft()
        if now >= self._next_beat:
            self._renew(self._worker, now)
        if now >= self._next_reap:
            self._next_reap = now + self._pace.lease / 4
            if reaped := self._queue.reap(self._pace.lease * 1.25):
                _log.warning("jobs of silent workers given out again", count=reaped)
        self._listen(now)
        if self._is_ready and self._stop_by is None and now >= self._next_claim:
            self._next_claim = now + self._queue.pause
            for slot in self._slots:
                if slot.is_free:
                    self._fill(slot, self._worker)
        self._pause = 0.0

    def _timeout(self) -> float:
        now = time.monotonic()
        times = [self._next_beat, self._next_reap]
        if self._stop_by is None:
            times.append(self._next_claim)
        else:
            times.append(self._stop_by)
        if self._sayings:
            times.append(now)
        times = [max(each, self._reachable_at) for each in times]
        times += [slot.deadline for slot in self._slots if slot.claim is not None and slot.cause == Cause.NONE]
        return min(max(0.0, min(times) - now), 1.0)

    def _is_over(self) -> bool:
        if self._stop_by is None:
            return False
        busy = self._sayings or any(slot.claim is not None for slot in self._slots)
        return not busy or time.monotonic() > self._stop_by + _AFTER_GRACE

    def _leave(self) -> None:
        """End the runners first: nothing that is given back may still be running."""
        if self._stop_by is None:
            self._stop_by = time.monotonic()  # it broke, which counts as an attempt of what ran
        else:
            for slot in self._slots:
                slot.cause = slot.cause or Cause.LEAVING
        self._nursery.close()
        self._deafen()
        for number in list(self._runners):
            self._gone(number, signal.SIGKILL)
        if self._worker is None:
            return
        with suppress(QueueUnreachable):  # then the lease runs out
            for claim, outcome in self._sayings:
                self._say(claim, outcome)
            self._queue.leave(self._worker)
        _log.info("worker left", worker=self._worker)

    # --- the queue ---------------------------------------------------------------------------------------------------

    def _fill(self, slot: Slot, worker: WorkerId) -> None:
        claim = self._queue.claim(worker, scheduled=slot.scheduled)
        if claim is None:
            return
        slot.claim, slot.cause, slot.reply = claim, Cause.NONE, None
        slot.deadline = time.monotonic() + claim.job.seconds
        self._next_claim = 0.0  # there may be more
        self._next_beat = min(self._next_beat, time.monotonic() + self._pace.beat)
        _log.info("job begun", job=claim.id, kind=claim.job.kind, attempt=claim.attempt)
        runner = slot.runner if slot.runner is not None else self._start(slot)
        try:
            runner.send(Order(claim.job.kind, claim.job.arguments, claim.attempt, claim.is_last, claim.job.seconds))
        except Broken:
            self._nursery.kill(runner.number)  # its end tells what became of it

    def _say(self, claim: Claim, outcome: Done | Failed | Cause) -> None:
        match outcome:
            case Done():
                _log.info("job done" if self._queue.finish(claim) else "job was done elsewhere", job=claim.id, attempt=claim.attempt)
            case Failed(error):
                state = self._queue.fail(claim, error)
                _log.warning("job failed", job=claim.id, kind=claim.job.kind, attempt=claim.attempt, reason=error, now=state)
            case Cause.CANCELLED:
                self._queue.stop(claim)
                _log.info("job cancelled", job=claim.id)
            case _:
                self._queue.give_back(claim)
                _log.info("job given back", job=claim.id, why=outcome)

    def _renew(self, worker: WorkerId, now: float) -> None:
        running = {slot.claim.id: slot for slot in self._slots if slot.claim is not None}
        known = frozenset(running) | {claim.id for claim, _ in self._sayings}
        held = self._queue.alive(worker, known)
        self._renewed = now
        self._next_beat = now + (self._pace.beat if running else self._pace.lease / 4)
        for job, slot in running.items():
            if job not in held.jobs:
                self._kill(slot, Cause.LOST)
            elif job in held.stopped and slot.cause == Cause.NONE:
                self._ask_to_stop(slot)

    def _ask_to_stop(self, slot: Slot) -> None:
        slot.cause = Cause.CANCELLED
        slot.deadline = time.monotonic() + self._pace.stopping
        if slot.runner is not None:
            with suppress(Broken):
                slot.runner.send(Stop())

    def _listen(self, now: float) -> None:
        if self._bell is not None or now < self._next_bell:
            return
        self._next_bell = now + self._pace.longest_pause
        bells = self._queue.bell()
        try:
            self._bell = bells.__enter__()
        except QueueUnreachable as error:
            _log.warning("nothing rings", reason=str(error).partition("\n")[0], asking_every=self._queue.pause)
            return
        self._bells = bells
        self._ear = self._bell.fileno()
        if self._ear is not None:
            self._selector.register(self._ear, selectors.EVENT_READ, self._rung)

    def _rung(self) -> None:
        if self._bell is None:
            return
        try:
            self._bell.hush()
        except QueueUnreachable:
            self._deafen()
            return
        self._next_claim = 0.0
        if any(slot.claim is not None for slot in self._slots):
            self._next_beat = min(self._next_beat, self._renewed + _RING)  # it may ring for what is to be stopped

    def _deafen(self) -> None:
        ear, bells = self._ear, self._bells
        self._bell = self._bells = self._ear = None
        if ear is not None:
            self._selector.unregister(ear)  # by its number: a broken bell does not know it any more
        if bells is not None:
            with suppress(Exception):  # it is broken, or not needed any more
                bells.__exit__(None, None, None)

    # --- runners -----------------------------------------------------------------------------------------------------

    def _start(self, slot: Slot) -> Runner:
        self._numbers += 1
        runner = Runner(self._numbers, self._nursery, scheduled=slot.scheduled)
        slot.runner = runner
        self._runners[runner.number] = slot
        self._selector.register(runner.link, selectors.EVENT_READ, lambda: self._hear(slot, runner))
        self._selector.register(runner.output, selectors.EVENT_READ, lambda: self._overhear(slot, runner))
        return runner

    def _hear(self, slot: Slot, runner: Runner) -> None:
        if slot.runner is not runner:  # its end was told in the same turn, and came first
            return
        try:
            messages = runner.reader.take()
        except Broken:
            with suppress(KeyError):
                self._selector.unregister(runner.link)  # its end comes by the nursery
            return
        for message in messages:
            if isinstance(message, Done | Failed) and slot.claim is not None:
                slot.reply = message
                self._overhear(slot, runner)
                self._attempt_ended(slot, None)
                runner.jobs += 1
                if runner.jobs >= MOST_JOBS:
                    runner.hang_up()

    def _overhear(self, slot: Slot, runner: Runner, *, rest: bool = False) -> None:
        if slot.runner is not runner:
            return
        job = None if slot.claim is None else slot.claim.id
        for line in runner.said(rest=rest):
            tell(line, job)
        if runner.is_silent:
            with suppress(KeyError):
                self._selector.unregister(runner.output)

    def _hear_nursery(self) -> None:
        for message in self._nursery.messages():
            if isinstance(message, Ended):
                self._gone(message.number, message.status)
            elif isinstance(message, Begun) and (slot := self._runners.get(message.number)) is not None and slot.runner is not None:
                slot.runner.pid = message.pid
                self._is_ready = True
                self._next_claim = 0.0

    def _gone(self, number: int, status: int) -> None:
        slot = self._runners.pop(number)
        runner = slot.runner
        if runner is None:
            return
        self._hear(slot, runner)  # its last words may be the answer
        self._overhear(slot, runner, rest=True)
        for file in (runner.link, runner.output):
            with suppress(KeyError):
                self._selector.unregister(file)
        runner.close()
        slot.runner = None
        if slot.claim is not None:
            self._attempt_ended(slot, status)
        # One that ended before it did anything is not replaced until there is something to do: it would end again.
        if not slot.scheduled and self._stop_by is None and (runner.jobs or runner.is_leaving):
            self._start(slot)

    def _attempt_ended(self, slot: Slot, status: int | None) -> None:
        if slot.claim is not None:
            self._sayings.append((slot.claim, slot.outcome(status)))
        slot.claim = None
        self._next_claim = 0.0

    def _enforce(self) -> None:
        """Deadlines, the lease, and the end of grace."""
        now = time.monotonic()
        lost = now - self._renewed > self._pace.lease
        for slot in self._slots:
            if slot.claim is None:
                continue
            if lost:
                self._kill(slot, Cause.LOST)
            elif self._stop_by is not None and now > self._stop_by:
                self._kill(slot, Cause.LEAVING)
            elif now > slot.deadline:
                self._kill(slot, slot.cause or Cause.DEADLINE)

    def _kill(self, slot: Slot, cause: Cause) -> None:
        if slot.runner is None or slot.runner.is_leaving:
            return
        slot.cause = cause
        slot.runner.is_leaving = True
        self._nursery.kill(slot.runner.number)

    # --- signals -----------------------------------------------------------------------------------------------------

    def _listen_for_signals(self, stack: ExitStack) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
            stack.callback(end.close)
        old = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, old)
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: self.stop()))
        self._selector.register(ours, selectors.EVENT_READ, _drain(ours))

    def _orphaned(self) -> None:
        if self._lifeline is not None:
            self._selector.unregister(self._lifeline)
        _log.warning("whoever started this worker is gone")
        self.stop()


def _drain(link: socket.socket) -> Callable[[], None]:
    def drain() -> None:
        with suppress(BlockingIOError):
            link.recv(4096)

    return drain
