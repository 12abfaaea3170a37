"""Ask the memory, find out the rest, remember it.

Guarantees
* every input of the plan has an outcome afterwards; what could not be found out is `Unchecked` with its reason;
* facts are written while the run goes on, so a kill or Ctrl-C loses little, and only outcomes that follow from the content are written;
* outcomes are the same with and without memory, whatever the number of workers and the order.

Does not know paths' meaning, policy or verdicts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from assaymark.engine import outcome as outcomes
from assaymark.engine.bench import InProcess, read_ahead
from assaymark.engine.executor import Executor, Work, failure
from assaymark.engine.facts import Memory
from assaymark.engine.limits import Limits
from assaymark.engine.plan import InputKey, InputRef, Plan
from assaymark.engine.prepare import prepare
from assaymark.engine.progress import NullProgress, Progress
from assaymark.errors import EngineMissing
from assaymark.model.check import Check, Checked, Outcome, Unchecked
from assaymark.model.finding import CheckId
from assaymark.model.subject import ReaderSpec
from assaymark.model.verdict import CheckRun

_FLUSH_FACTS = 4096
"""Keys are random, so a batch touches about as many pages as it has rows, until it has thousands: half the cost per fact of 512."""
_FLUSH_SECONDS = 0.5


class Means(Struct, frozen=True):
    """With what a plan is run; every part may be left out."""

    memory: Memory | None = None
    limits: Limits = Limits()
    progress: Progress = NullProgress()
    cancelled: Callable[[], bool] | None = None
    executor: Executor | None = None
    """None takes the local one that `limits.isolate` asks for."""


class Results(Struct, frozen=True):
    """What was found out."""

    outcomes: Mapping[InputKey, Outcome]
    """For every input of the plan."""
    runs: tuple[CheckRun, ...]
    """One per check, in the order given."""
    notices: tuple[str, ...] = ()
    was_cancelled: bool = False


def run(plan: Plan, checks: Sequence[Check], sources: Sequence[ReaderSpec], means: Means | None = None) -> Results:
    """Find out about every input of the plan; `sources` are base's and head's readers.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after the workers are gone and what is finished is remembered.
    """
    means = means or Means()
    known = [_Knowing(check) for check in checks]
    gather = _Gather(plan, known, means)
    try:
        left = gather.recall()
        if left:
            work = Work(
                inputs=tuple(left),
                checks={check.id: check for check in checks},
                sources=sources,
                limits=means.limits,
                cancelled=means.cancelled,
            )
            gather.begin(work)
            if means.limits.isolate:
                named = {ref.key.check for ref in left}
                prepare([check for check in checks if check.id in named], means.progress)
                work = replace(work, contents=read_ahead(work))
            executor = means.executor or _local(means.limits)
            executor.execute(work, gather)
    finally:
        gather.flush()
        means.progress.close()
    return gather.results()


def _local(limits: Limits) -> Executor:
    from assaymark.engine.pool import ForkPool  # noqa: PLC0415 - a hook brings its own executor

    return ForkPool() if limits.isolate else InProcess()


class _Knowing:
    """A check with its knowledge, or with the reason why it cannot run."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.knowledge = ""
        self.gap: Unchecked | None = None
        try:
            self.knowledge = check.knowledge()
        except EngineMissing as error:
            self.gap = failure(check.id, "engine-missing", error.what)
        except Exception as error:  # noqa: BLE001 - the sandbox: a check that cannot say what it knows cannot run, the others can
            self.gap = failure(check.id, "engine-failed", type(error).__name__)
        self.key = outcomes.fact_key(check.id, check.version, self.knowledge)
        self.inputs = self.hits = self.done = 0
        self.seconds = 0.0


class _Gather:
    """The sink of a run."""

    def __init__(self, plan: Plan, known: Sequence[_Knowing], means: Means) -> None:
        self._plan = plan
        self._known = {each.check.id: each for each in known}
        self._memory = means.memory
        self._progress = means.progress
        self._outcomes: dict[InputKey, Outcome] = {}
        self._inputs: Sequence[InputRef] = ()
        self._facts: list[tuple[bytes, bytes]] = []
        self._flushed = time.monotonic()

    def recall(self) -> list[InputRef]:
        """Take what is known; returns what is not."""
        asked: dict[bytes, InputRef] = {}
        for ref in self._plan.inputs:
            knowing = self._known[ref.key.check]
            knowing.inputs += 1
            if knowing.gap is not None:
                self._outcomes[ref.key] = knowing.gap
            else:
                asked[knowing.key(ref.key.dialect, ref.key.digest)] = ref
        found = self._memory.get(list(asked)) if self._memory is not None and asked else {}
        for key, outcome in found.items():
            ref = asked.pop(key)
            self._outcomes[ref.key] = outcome
            self._known[ref.key.check].hits += 1
        for knowing in self._known.values():
            knowing.done = knowing.hits
        return list(asked.values())

    def begin(self, work: Work) -> None:
        self._inputs = work.inputs

    # --- executor.Sink -----------------------------------------------------------------------------------------------

    def deliver(self, index: int, encoded: bytes) -> None:
        outcome = outcomes.decode(encoded)
        key = self._take(index, outcome)
        if key is not None and outcomes.is_fact(outcome):
            self._facts.append((self._known[key.check].key(key.dialect, key.digest), encoded))
            if len(self._facts) >= _FLUSH_FACTS or time.monotonic() - self._flushed > _FLUSH_SECONDS:
                self.flush()

    def give_up(self, index: int, unchecked: Unchecked) -> None:
        self._take(index, unchecked)

    def spent(self, check: CheckId, seconds: float) -> None:
        self._known[check].seconds += seconds

    def beat(self) -> None:
        if self._facts and time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()
        for check, knowing in self._known.items():
            if knowing.done < knowing.inputs and knowing.gap is None:
                self._progress.advance(check, knowing.done, knowing.inputs)

    def _take(self, index: int, outcome: Outcome) -> InputKey | None:
        """The first word on an input counts, so an executor that says two things cannot make the answer depend on order."""
        key = self._inputs[index].key
        if key in self._outcomes:
            return None
        self._outcomes[key] = outcome
        knowing = self._known[key.check]
        knowing.done += 1
        self._progress.advance(key.check, knowing.done, knowing.inputs)
        return key

    # --- the end -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write down what has come."""
        facts, self._facts = self._facts, []
        self._flushed = time.monotonic()
        if self._memory is not None and facts:
            self._memory.put(facts)

    def results(self) -> Results:
        missing = [ref.key for ref in self._plan.inputs if ref.key not in self._outcomes]
        for key in missing:
            self._outcomes[key] = failure(key.check, "cancelled")
        return Results(
            outcomes=self._outcomes,
            runs=self._runs(),
            notices=tuple(self._memory.notices()) if self._memory is not None else (),
            was_cancelled=bool(missing),
        )

    def _runs(self) -> tuple[CheckRun, ...]:
        unchecked: Counter[CheckId] = Counter()
        skipped: dict[CheckId, Counter[str]] = {}
        for key, outcome in self._outcomes.items():
            if not isinstance(outcome, Checked):
                unchecked[key.check] += 1
                continue
            if outcome.skipped:
                skipped.setdefault(key.check, Counter())[outcome.skipped] += 1
            if outcome.undecided:
                skipped.setdefault(key.check, Counter())["undecided"] += outcome.undecided
        return tuple(
            CheckRun(
                check=check,
                layer=knowing.check.layer,
                version=knowing.check.version,
                knowledge=knowing.knowledge,
                inputs=knowing.inputs,
                hits=knowing.hits,
                seconds=knowing.seconds,
                unchecked=unchecked[check],
                skipped=tuple(sorted(skipped.get(check, Counter()).items())),
            )
            for check, knowing in self._known.items()
        )
