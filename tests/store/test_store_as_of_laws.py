"""Whatever happens: what a list says of a past instant it says for ever, and it says what a naive list of events says."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.recording_samples import add_subject, gap, seen, tell, verdict

from assaymark.model.assessment import Instant
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, WaiverRef
from assaymark.store import findings, subjects
from assaymark.store.database import Database
from assaymark.store.findings import Filter, Part

PATHS = ("a.py", "d/b.py", "d/c.py")
sighting = st.builds(
    lambda name, path, severity, waived, line: seen(
        name, path, line=line, severity=severity, waiver=WaiverRef("policy", "known") if waived else None
    ),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from(PATHS),
    st.sampled_from([Severity.LOW, Severity.CRITICAL]),
    st.booleans(),
    st.integers(1, 3),
)
step = st.tuples(st.integers(0, 1), st.lists(sighting, max_size=4), st.sampled_from([None, None, None, "a.py", "d"]))
_names = itertools.count()


class Naive:
    """Sets of (finding, path), one after the other, kept for ever."""

    def __init__(self) -> None:
        self.now: dict[int, list[tuple[str, str]]] = {0: [], 1: []}
        self.then: list[tuple[int, list[tuple[str, str]]]] = []

    def tell(self, at: int, of: int, found: list[Judged], blind: str | None) -> None:
        shown: list[tuple[str, str]] = [(judged.finding.fingerprint, judged.finding.place.path) for judged in found]
        if blind is not None:  # what stood below it goes on standing, beside what is seen
            left = list(shown)
            for old in self.now[of]:
                if old in left:
                    left.remove(old)
                elif old[1] == blind or old[1].startswith(f"{blind}/"):
                    shown.append(old)
        self.now[of] = shown
        self.then.append((at, sorted(self.now[0] + self.now[1])))

    def at(self, instant: int) -> list[tuple[str, str]]:
        return next((state for at, state in reversed(self.then) if at <= instant), [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(step, min_size=1, max_size=6))
def test_the_past_is_what_it_was(database: Database, steps: list[tuple[int, list[Judged], str | None]]) -> None:
    mark = next(_names)
    numbers = [add_subject(database, f"{mark}-{n}") for n in (0, 1)]
    model = Naive()
    told: dict[int, bytes] = {}

    def said(at: int) -> tuple[bytes, list[tuple[str, str]]]:
        rows: list[findings.FindingRow] = []
        with database.read() as link:
            for number in numbers:
                rows += findings.page(link, None, Filter(subject=number, at=Instant(at)), Part(limit=200))[0]
            counts = [subjects.posture_of(link, number, Instant(at)) for number in numbers]
        found = sorted((row.fingerprint, row.path) for row in rows if row.kind != "unchecked")
        return msgspec.json.encode([rows, counts]), found

    for index, (of, found, blind) in enumerate(steps):
        at = 10 * (index + 1)
        tell(database, numbers[of], verdict(*found, *([gap(blind)] if blind else [])), at)
        model.tell(at, of, found, blind)
        for earlier in range(5, at + 1, 5):
            text, standing = said(earlier)
            assert standing == model.at(earlier)
            assert told.setdefault(earlier, text) == text


@pytest.mark.parametrize("count", [3])
def test_the_model_itself_notices_a_difference(count: int) -> None:
    model = Naive()
    for n in range(count):
        model.tell(10 * n, 0, [seen(f"x{n}")], None)
    assert model.at(15) != model.at(25)
