from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.engine.conftest import Toy
from tests.engine.test_engine_run import assay, found, reason

from assaymark.engine.executor import Sink, Work
from assaymark.engine.limits import Limits
from assaymark.engine.pool import ForkPool
from assaymark.engine.run import Means
from assaymark.model.check import Unchecked
from assaymark.model.finding import CheckId
from assaymark.testing.memory import MemoryFacts

pytestmark = pytest.mark.timeout(60)

ORDERS = st.sampled_from([b"", b"", b"", b"bad", b"bad", b"SYNTAX", b"BINARY", b"RAISE", b"EXIT", b"SILENT", b"TWICE", b"STRANGE"])


@given(st.lists(ORDERS, min_size=1, max_size=12), st.randoms(use_true_random=False), st.integers(1, 3), st.integers(1, 6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_outcomes_depend_on_content_alone(orders: list[bytes], chance: random.Random, workers: int, batch: int) -> None:
    files = {f"{number:02}.py": b"%d " % number + order for number, order in enumerate(orders)}
    expected = {path: _expected(data) for path, data in files.items()}
    limits = Limits(
        workers=workers, batch_inputs=batch, tiny_inputs=chance.choice([1, 64]), tiny_bytes=chance.choice([1, 1 << 20]), give_up_after=1000
    )
    memory = MemoryFacts()
    for _ in range(2):
        seen = assay(files, Toy(), means=Means(limits=limits, memory=memory, executor=_Shuffled(chance)))
        assert {path: reason(outcome) or found(outcome) for path, outcome in seen.items()} == expected


def _expected(data: bytes) -> object:
    if any(word in data for word in (b"RAISE", b"EXIT", b"SILENT")):
        return "engine-failed"
    return "syntax" if b"SYNTAX" in data else int(b"bad" in data)


class _Shuffled:
    """The local executor over the same work in another order, repeating itself."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def execute(self, work: Work, sink: Sink) -> None:
        order = list(range(len(work.inputs)))
        self._chance.shuffle(order)

        class Again:
            def deliver(self, index: int, encoded: bytes) -> None:
                sink.deliver(order[index], encoded)
                sink.deliver(order[index], encoded)

            def give_up(self, index: int, unchecked: Unchecked) -> None:
                sink.give_up(order[index], unchecked)

            def spent(self, check: CheckId, seconds: float) -> None:
                sink.spent(check, seconds)

            def beat(self) -> None:
                sink.beat()

        ForkPool().execute(replace(work, inputs=tuple(work.inputs[index] for index in order)), Again())
