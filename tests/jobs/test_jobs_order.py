"""Whatever is put, given out and ended in whatever order: what comes out is what a list in memory says."""

from __future__ import annotations

import time

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from msgspec import Struct

from assaymark.jobs.job import Claim, Job, JobId, WorkerId, WorkQueue
from assaymark.model.assessment import SECOND, Instant
from assaymark.store.database import Database

HOUR = 3600 * SECOND


class Put(Struct, frozen=True):
    priority: int
    lock: str
    key: str
    is_due: bool


PUT = st.builds(Put, st.sampled_from((11, 40, 50, 90)), st.sampled_from(("", "a", "b")), st.sampled_from(("", "", "k", "m")), st.booleans())
STEPS = st.lists(st.one_of(PUT, st.just("claim"), st.just("finish"), st.just("give back"), st.just("cancel")), max_size=25)


class Model:
    """The contract in a dozen lines."""

    def __init__(self) -> None:
        self.waiting: dict[JobId, Put] = {}
        self.running: dict[JobId, Put] = {}

    def takes(self, put: Put) -> bool:
        return not put.key or put.key not in {each.key for each in self.waiting.values()}

    def next(self) -> JobId | None:
        locked = {put.lock for put in self.running.values()} - {""}
        free = [(-put.priority, job) for job, put in self.waiting.items() if put.is_due and put.lock not in locked]
        return min(free)[1] if free else None

    def gives_back(self, job: JobId) -> None:
        put = self.running.pop(job)
        if self.takes(put):
            self.waiting[job] = put


class Machine:
    def __init__(self, database: Database, queue: WorkQueue) -> None:
        self.database, self.queue, self.model = database, queue, Model()
        self.worker: WorkerId = queue.enter()
        self.claims: list[Claim] = []

    def put(self, step: Put) -> None:
        due = None if step.is_due else Instant(time.time_ns() // 1000 + HOUR)
        with self.database.write() as connection:
            made = self.queue.put(connection, Job("look", {}, key=step.key, lock=step.lock, priority=step.priority, due_at=due))
        assert (made is not None) == self.model.takes(step)
        if made is not None:
            self.model.waiting[made] = step

    def claim(self) -> None:
        expected = self.model.next()
        claim = self.queue.claim(self.worker)
        assert (None if claim is None else claim.id) == expected
        if claim is not None:
            self.model.running[claim.id] = self.model.waiting.pop(claim.id)
            self.claims.append(claim)

    def end(self, step: str) -> None:
        if self.claims:
            claim = self.claims.pop(0)
            if step == "finish":
                assert self.queue.finish(claim)
                del self.model.running[claim.id]
            else:
                assert self.queue.give_back(claim)
                self.model.gives_back(claim.id)

    def cancel(self) -> None:
        with self.database.write() as connection:
            done = self.queue.cancel(connection, "k")
        hit = [job for job, put in self.model.waiting.items() if put.key == "k"]
        assert done == bool(hit or [job for job, put in self.model.running.items() if put.key == "k"])
        for job in hit:
            del self.model.waiting[job]
        for claim in [each for each in self.claims if self.model.running[each.id].key == "k"]:
            assert self.queue.stop(claim)
            del self.model.running[claim.id]
            self.claims.remove(claim)

    def close(self) -> None:
        """Nothing is left for the next example."""
        with self.database.write() as connection:
            for job in [*self.model.waiting, *self.model.running]:
                self.queue.cancel_job(connection, job)
        self.queue.leave(self.worker)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_what_comes_out_is_what_a_list_in_memory_says(database: Database, queue: WorkQueue, steps: list[Put | str]) -> None:
    machine = Machine(database, queue)
    try:
        for step in steps:
            match step:
                case Put():
                    machine.put(step)
                case "claim":
                    machine.claim()
                case "cancel":
                    machine.cancel()
                case _:
                    machine.end(step)
    finally:
        machine.close()
