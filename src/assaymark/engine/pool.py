"""The local executor: forked workers, watched.

Guarantees
* every input ends: delivered, or given up with the reason, or (cancelled) left out; whatever a check does to its process;
* a batch that dies, hangs or raises is cut smaller until the inputs at fault stand alone; the others lose nothing but time;
* which inputs are at fault does not depend on order or on the number of workers, as long as a check does not fail throughout (then it is
  given up after `Limits.give_up_after` failures in a row, so that a broken tool cannot hold up a run);
* no child survives the call, also when it ends by an exception or Ctrl-C.

Judges nothing and remembers nothing: that is `run`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import deque
from collections.abc import Sequence

from assaymark.engine.batches import Batch, batch_of, batches, split
from assaymark.engine.executor import Sink, Work, failure
from assaymark.engine.worker import Broken, Failed, Finished, Message, Order, Outcomes, Spent, Started, Worker
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.finding import CheckId

BEAT = 0.1
"""Seconds between two looks at the clock, the caller's token and the progress display."""
_TIMEOUT_WEIGHT = 4


class ForkPool:
    """Executes work in processes of its own."""

    def execute(self, work: Work, sink: Sink, indices: Sequence[int] | None = None) -> None:
        """All inputs, or these."""
        _Run(work, sink).execute(range(len(work.inputs)) if indices is None else indices)


class _Busy:
    """A worker with what it was given."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.pending: dict[int, None] = {}
        self.check = CheckId("")
        self.deadline = 0.0
        self.timed_out = False


class _Run:
    def __init__(self, work: Work, sink: Sink) -> None:
        self._work = work
        self._sink = sink
        self._queue: deque[Batch] = deque()
        self._workers: dict[int, _Busy] = {}
        self._idle: list[_Busy] = []
        self._poll = select.poll()
        self._spoke: set[CheckId] = set()
        self._failures: dict[CheckId, int] = {}
        self._given_up: dict[CheckId, tuple[str, str]] = {}
        self._most = work.limits.worker_count()
        self._end = time.monotonic() + work.limits.overall_seconds if work.limits.overall_seconds else float("inf")

    def execute(self, indices: Sequence[int]) -> None:
        self._queue.extend(batches(self._work, indices, self._most) if indices else ())
        self._lifeline = os.pipe()
        try:
            while self._dispatch():
                self._wait()
                if self._work.cancelled is not None and self._work.cancelled():
                    return
                if time.monotonic() >= self._end:
                    self._stop_the_rest("timeout", "the time of the whole run was up")
                    return
        finally:
            rest = [busy.worker for busy in self._workers.values()]
            for worker in rest:
                worker.kill()
            for worker in rest:
                worker.reap()
            for end in self._lifeline:
                os.close(end)

    # --- giving out work ---------------------------------------------------------------------------------------------

    def _dispatch(self) -> bool:
        """Give queued batches to idle or new workers; False when nothing is queued and nobody works."""
        while self._queue:
            batch = self._without_given_up(self._queue[0])
            if batch.indices and not self._idle and not self._hire():
                break
            self._queue.popleft()
            if batch.indices:
                self._hand_over(self._idle.pop(), batch)
        return bool(self._queue) or len(self._idle) < len(self._workers)

    def _without_given_up(self, batch: Batch) -> Batch:
        if not self._given_up:
            return batch
        kept: list[int] = []
        for index in batch.indices:
            check = self._work.inputs[index].key.check
            if check in self._given_up:
                self._sink.give_up(index, failure(check, *self._given_up[check]))
            else:
                kept.append(index)
        return batch if len(kept) == len(batch.indices) else batch_of(self._work, kept)

    def _hire(self) -> bool:
        """One more idle worker, unless there are enough or the system gives no more."""
        if len(self._workers) >= self._most:
            return False
        try:
            busy = _Busy(Worker(self._work, self._lifeline))
        except OSError as error:
            self._most = len(self._workers)
            if not self._workers:
                self._stop_the_rest("engine-failed", f"no process could be started: {error.strerror}")
            return False
        self._workers[busy.worker.fileno()] = busy
        self._poll.register(busy.worker.fileno(), select.POLLIN)
        self._idle.append(busy)
        return True

    def _hand_over(self, busy: _Busy, batch: Batch) -> None:
        busy.pending = dict.fromkeys(batch.indices)
        busy.check = CheckId("")
        seconds = self._work.limits.grant(len(batch.indices), batch.size)
        if any(self._work.inputs[index].key.check not in self._spoke for index in batch.indices):
            seconds += self._work.limits.first_use_seconds
        busy.deadline = time.monotonic() + seconds
        try:
            busy.worker.order(Order(batch.indices, seconds))
        except Broken:
            self._bury(busy)
            return
        self._watch(busy)

    def _watch(self, busy: _Busy) -> None:
        more = select.POLLOUT if busy.worker.has_more_to_send else 0
        self._poll.modify(busy.worker.fileno(), select.POLLIN | more)

    # --- taking in results -------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        working = [busy for busy in self._workers.values() if busy not in self._idle]
        if not working:
            return
        until = min(self._end, *(busy.deadline for busy in working)) - time.monotonic()
        events = self._poll.poll(max(0.0, min(until, BEAT)) * 1000)
        for number, event in events:
            self._attend(self._workers[number], event)
        now = time.monotonic()
        for busy in working:
            if busy.pending and now >= busy.deadline and busy.worker.fileno() in self._workers:
                busy.timed_out = True
                self._bury(busy)
        if not events:
            self._sink.beat()

    def _attend(self, busy: _Busy, event: int) -> None:
        try:
            if event & select.POLLOUT:
                busy.worker.push()
                self._watch(busy)
            messages = busy.worker.messages() if event & ~select.POLLOUT else []
            for message in messages:
                self._take(busy, message)
        except (*UNDECODABLE, Broken):
            self._bury(busy)

    def _take(self, busy: _Busy, message: Message) -> None:
        match message:
            case Started(check):
                busy.check = check
            case Outcomes(rows):
                for index, encoded in rows:
                    if index in busy.pending:
                        self._sink.deliver(index, encoded)
                        del busy.pending[index]
                        self._spoke.add(self._work.inputs[index].key.check)
                        self._failures.pop(self._work.inputs[index].key.check, None)
            case Failed(indices, kind, detail):
                mine = [index for index in indices if index in busy.pending]
                for index in mine:
                    del busy.pending[index]
                self._blame(mine, kind, detail)
            case Spent(check, seconds):
                self._sink.spent(check, seconds)
            case Finished():
                unanswered, busy.pending = tuple(busy.pending), {}
                self._idle.append(busy)
                self._blame(unanswered, "engine-failed", "it gave no answer")

    # --- failures ----------------------------------------------------------------------------------------------------

    def _bury(self, busy: _Busy) -> None:
        """A worker is dead or overdue: its current check's inputs are suspect, the others go back into the queue."""
        pending = tuple(busy.pending)
        status = self._dismiss(busy)
        kind, detail = ("timeout", "") if busy.timed_out else _cause(status)
        suspects = [index for index in pending if not busy.check or self._work.inputs[index].key.check == busy.check]
        suspects = suspects or list(pending)
        others = [index for index in pending if index not in set(suspects)]
        if others:
            self._queue.append(batch_of(self._work, others))
        self._blame(suspects, kind, detail)

    def _blame(self, indices: Sequence[int], kind: str, detail: str) -> None:
        if not indices:
            return
        check = self._work.inputs[indices[0]].key.check
        if kind == "engine-missing":
            self._given_up[check] = kind, detail
        if len(indices) > 1 and kind != "engine-missing":
            self._queue.extend(split(self._work, indices))
            return
        for index in indices:
            self._sink.give_up(index, failure(self._work.inputs[index].key.check, kind, detail))
        weight = _TIMEOUT_WEIGHT if kind == "timeout" else 1
        self._failures[check] = self._failures.get(check, 0) + weight
        if self._failures[check] >= self._work.limits.give_up_after:
            self._given_up.setdefault(check, (kind, f"it failed {self._work.limits.give_up_after} times in a row and was given up"))

    def _dismiss(self, busy: _Busy) -> int:
        number = busy.worker.fileno()
        self._poll.unregister(number)
        del self._workers[number]
        if busy in self._idle:
            self._idle.remove(busy)
        return busy.worker.end()

    def _stop_the_rest(self, kind: str, detail: str) -> None:
        left = [index for busy in self._workers.values() for index in busy.pending]
        left += [index for batch in self._queue for index in batch.indices]
        self._queue.clear()
        for index in left:
            self._sink.give_up(index, failure(self._work.inputs[index].key.check, kind, detail))


def _cause(status: int) -> tuple[str, str]:
    """What a wait status says."""
    if not os.WIFSIGNALED(status):
        return "engine-failed", f"its process ended with status {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL:
        return "memory", "its process was killed, most likely by the system for want of memory"
    if number in (signal.SIGALRM, signal.SIGXCPU):
        return "timeout", ""
    return "engine-failed", f"its process was ended by {signal.Signals(number).name}"
