"""Deadline, cancellation and progress of one attempt."""

from __future__ import annotations

import time
from typing import Any

import pytest

from assaymark.model.finding import CheckId
from assaymark.server.work import watch as watching
from assaymark.server.work.watch import Watch
from assaymark.store import progress


def seen(shop: Any, number: int) -> Any:
    with shop.service.database.read() as link:
        return progress.read(link, number)  # type: ignore[arg-type]


def test_a_fast_answer_writes_no_progress(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.fine))
    watch = Watch(shop.service, shop.attempt(), 60, number)
    watch.advance(CheckId("secrets"), 1, 2)
    assert seen(shop, number) is None


def test_a_long_one_says_how_far_it_is_and_forgets_that_when_it_ends(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.0)
    number = shop.push(shop.origin.commit(a=shop.fine))
    watch = Watch(shop.service, shop.attempt(), 60, number)
    assert not watch.should_stop()
    found = seen(shop, number)
    assert (found.phase, found.done, found.total) == ("fetching", 0, 0)
    watch.checking()
    watch.advance(CheckId("secrets"), 1, 2)
    watch.advance(CheckId("ruff"), 3, 5)
    found = seen(shop, number)
    assert (found.phase, found.done, found.total) == ("checking", 4, 7)
    shop.assess(number)
    assert seen(shop, number) is None


def test_progress_is_written_sparsely(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = shop.push(shop.origin.commit(a=shop.fine))
    written: list[int] = []
    monkeypatch.setattr("assaymark.store.progress.write", lambda *_: written.append(1))
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.2)
    watch = Watch(shop.service, shop.attempt(), 60, number)
    ends = time.monotonic() + 0.7
    while time.monotonic() < ends:
        watch.advance(CheckId("secrets"), 1, 2)
    assert 1 <= len(written) <= 4


def test_the_deadline_and_a_cancellation_stop(shop: Any) -> None:
    late = Watch(shop.service, shop.attempt(), 0)
    assert late.should_stop()
    assert late.overdue
    assert not late.cancelled
    stopped = Watch(shop.service, shop.attempt(stops=True), 60)
    assert stopped.should_stop()
    assert stopped.cancelled


def test_an_attempt_that_is_overdue_is_tried_again_and_ends_unproven_at_last(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assaymark.server.work.assess.SECONDS", 0.0)
    number = shop.push(shop.origin.commit(a=shop.bad))
    with pytest.raises(Exception, match=r"too long|stopped|somebody else"):
        shop.assess(number)
    row = shop.assess(number, shop.attempt(5, is_last=True))
    assert row.state == "unproven"
    assert row.summary
