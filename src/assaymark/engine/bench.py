"""Where checks meet content, in whichever process that happens.

Guarantees that each content is read once per batch and that no exception of a check or a reader gets past this module.
Limits nothing and retries nothing: that is done by whoever watches this process from outside (`pool`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from assaymark.engine import outcome as outcomes
from assaymark.engine.executor import Sink, Work, failure
from assaymark.engine.plan import InputRef
from assaymark.errors import EngineMissing
from assaymark.model.check import Check, Input, Part, Unchecked
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId
from assaymark.model.subject import Content, Reader

_PROBLEMS = {"too-large": "size", "missing": "missing", "changed": "changed"}


class Report(Protocol):
    """What a bench says while it works."""

    def started(self, check: CheckId) -> None:
        """From now on this check is to blame if the process dies."""
        ...

    def outcome(self, index: int, encoded: bytes) -> None: ...

    def failed(self, indices: Sequence[int], kind: str, detail: str) -> None:
        """These inputs got no outcome; one of them is the cause."""
        ...

    def spent(self, check: CheckId, seconds: float) -> None: ...


class Bench:
    """The checks of some work and readers of its subjects."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._readers: dict[int, Reader] = {}

    def perform(self, indices: Sequence[int], report: Report) -> None:
        """Run every check of these inputs."""
        try:
            contents = self._read(indices)
        except Exception as error:  # noqa: BLE001 - the sandbox: a broken repository must not end the run
            self.close()
            report.failed(indices, "unreadable", type(error).__name__)
            return
        by_check: dict[CheckId, list[int]] = {}
        for index in indices:
            by_check.setdefault(self._work.inputs[index].key.check, []).append(index)
        for check, mine in by_check.items():
            self._perform_check(self._work.checks[check], mine, contents, report)

    def close(self) -> None:
        """Let go of the readers; they are opened again when needed."""
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            try:
                reader.close()
            except Exception as error:  # noqa: BLE001 - the sandbox: what was read is read, a failing end changes no answer
                _say(reader, error)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, indices: Sequence[int]) -> dict[Digest, Content]:
        wanted: dict[int, dict[Digest, None]] = {}
        for index in indices:
            ref = self._work.inputs[index]
            if _known_bytes(ref) <= self._work.limits.max_unit_bytes:
                wanted.setdefault(ref.source, {}).update((member.digest, None) for member in ref.members)
        found: dict[Digest, Content] = dict(self._work.contents)
        for source, digests in wanted.items():
            self._read_from(source, [digest for digest in digests if digest not in found], found)
            lost = [digest for digest in digests if digest not in found or found[digest].problem in {"missing", "changed"}]
            for other in range(len(self._work.sources)):
                # Head's working tree may have moved on while base's repository still holds the content, and the other way round.
                if lost and other != source and self._work.sources[other] is not self._work.sources[source]:
                    self._read_from(other, lost, found)
        return found

    def _read_from(self, source: int, digests: list[Digest], found: dict[Digest, Content]) -> None:
        if not digests:
            return
        reader = self._readers.get(source)
        if reader is None:
            reader = self._readers[source] = self._work.sources[source].open()
        asked = set(digests)
        for content in reader.read(digests, limit=self._work.limits.max_bytes):
            known = found.get(content.digest)
            if content.digest in asked and (known is None or known.data is None):
                found[content.digest] = content

    # --- running -----------------------------------------------------------------------------------------------------

    def _perform_check(self, check: Check, indices: list[int], contents: dict[Digest, Content], report: Report) -> None:
        report.started(check.id)
        rounds: list[dict[Digest, tuple[int, Input]]] = []
        for index in indices:
            made = self._input(index, contents)
            if isinstance(made, Unchecked):
                report.outcome(index, outcomes.encode(made))
                continue
            # `run` names its answers by digest alone, so one digest in two dialects goes into two calls.
            turn = next((turn for turn in rounds if made.digest not in turn), None)
            if turn is None:
                turn = {}
                rounds.append(turn)
            turn[made.digest] = index, made
        for turn in rounds:
            before = time.perf_counter()
            self._perform_round(check, turn, report)
            report.spent(check.id, time.perf_counter() - before)

    def _input(self, index: int, contents: dict[Digest, Content]) -> Input | Unchecked:
        ref, limits = self._work.inputs[index], self._work.limits
        if _known_bytes(ref) > limits.max_unit_bytes:
            return failure(ref.key.check, "size")
        parts: list[Part] = []
        total = 0
        for member in ref.members:
            content = contents.get(member.digest)
            if content is None or content.data is None:
                problem = content.problem if content else "missing"
                return failure(ref.key.check, _PROBLEMS.get(problem, "unreadable"), member.name)
            total += len(content.data)
            if len(content.data) > limits.max_bytes or total > limits.max_unit_bytes:
                return failure(ref.key.check, "size", member.name)
            parts.append(Part(member.name, content.data))
        return Input(ref.key.digest, ref.key.dialect, tuple(parts))

    def _perform_round(self, check: Check, turn: dict[Digest, tuple[int, Input]], report: Report) -> None:
        left = dict(turn)
        try:
            for digest, encoded in _answers(check, [given for _, given in turn.values()]):
                entry = left.pop(digest, None)
                if entry is not None:
                    report.outcome(entry[0], encoded)
        except EngineMissing as error:
            report.failed([index for index, _ in left.values()], "engine-missing", error.what)
        except MemoryError:
            report.failed([index for index, _ in left.values()], "memory", "")
        except Exception as error:  # noqa: BLE001 - the sandbox: a check may raise whatever it likes
            report.failed([index for index, _ in left.values()], "engine-failed", type(error).__name__)
        else:
            for index, _ in left.values():
                report.outcome(index, outcomes.encode(failure(check.id, "engine-failed", "it gave no answer")))


def _known_bytes(ref: InputRef) -> int:
    """What the listing says of the size, so that a unit which is too large is not read to find that out."""
    return sum(max(member.size, 0) for member in ref.members)


def _answers(check: Check, inputs: list[Input]) -> Iterator[tuple[Digest, bytes]]:
    for digest, outcome in check.run(inputs):
        yield digest, outcomes.encode(outcome)


def read_ahead(work: Work) -> Mapping[Digest, Content]:
    """The contents of work that is small, read once for all workers; empty when it is not small, or reading is not quick here.

    What is missing or too large is left to the workers, who look further and say why.
    """
    limits = work.limits
    members = {member.digest: ref.source for ref in work.inputs for member in ref.members}
    if len(members) > limits.tiny_inputs or not all(getattr(spec, "is_quick", False) for spec in work.sources):
        return {}
    found: dict[Digest, Content] = {}
    try:
        for source in sorted(set(members.values())):
            reader = work.sources[source].open()
            try:
                asked = [digest for digest, its in members.items() if its == source]
                found.update((got.digest, got) for got in reader.read(asked, limit=limits.tiny_bytes) if got.data is not None)
            finally:
                reader.close()
    except Exception:  # noqa: BLE001 - the sandbox: the workers will find out what is wrong, and say it
        return {}
    return found


class InProcess:
    """The executor that isolates nothing: a failing batch is tried again one by one, a hanging one hangs."""

    def execute(self, work: Work, sink: Sink) -> None:
        bench = Bench(work)
        report = _Direct(work, sink)
        try:
            for start in range(0, len(work.inputs), work.limits.batch_inputs):
                if work.cancelled is not None and work.cancelled():
                    return
                bench.perform(range(start, min(start + work.limits.batch_inputs, len(work.inputs))), report)
                again, report.again = report.again, []
                for index in again:
                    bench.perform([index], report)
        finally:
            bench.close()


class _Direct:
    def __init__(self, work: Work, sink: Sink) -> None:
        self._work = work
        self._sink = sink
        self.again: list[int] = []

    def started(self, check: CheckId) -> None:  # noqa: ARG002 - the port's signature; nobody is blamed where nothing is isolated
        self._sink.beat()

    def outcome(self, index: int, encoded: bytes) -> None:
        self._sink.deliver(index, encoded)

    def failed(self, indices: Sequence[int], kind: str, detail: str) -> None:
        if len(indices) > 1 and kind != "engine-missing":
            self.again.extend(indices)
            return
        for index in indices:
            self._sink.give_up(index, failure(self._work.inputs[index].key.check, kind, detail))

    def spent(self, check: CheckId, seconds: float) -> None:
        self._sink.spent(check, seconds)


def _say(reader: Reader, error: Exception) -> None:
    """By name alone: what an error of a reader says may hold what it read."""
    import logging  # noqa: PLC0415 - a hook whose readers end well does without

    logging.getLogger("assaymark.engine").warning("%s was not closed: %s", type(reader).__name__, type(error).__name__)
