"""The phoenix over Kubernetes and Auto Scaling groups: carried to the end, taken back, and resumed after a kill (all kills: acceptance)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deployment.cluster_phoenix import (
    ROLLING,
    Kubernetes,
    Machines,
    Platform,
    at_rest,
    calls_of_an_upgrade,
    killed_and_resumed,
    place,
)
from tests.deployment.phoenix_sample import ONE, PAIR, TWO, scratch

from assaymark.deployment.drift.drifted import Action
from assaymark.deployment.phoenix import keep, run
from assaymark.deployment.phoenix.generation import State

PLATFORMS: dict[str, Callable[[], Platform]] = {
    "a Deployment that rolls": Kubernetes, "two that take turns": lambda: Kubernetes(turns=True), "Instance Refresh": Machines,
}  # fmt: skip


@pytest.fixture(params=PLATFORMS)
def made(request: pytest.FixtureRequest) -> Callable[[], Platform]:
    return PLATFORMS[request.param]


def test_an_upgrade_is_carried_to_its_end(made: Callable[[], Platform], tmp_path: Path) -> None:
    platform = made()
    calls_of_an_upgrade(tmp_path, platform)
    assert at_rest(tmp_path, platform) == []
    assert platform.running() == {TWO}


def test_what_does_not_answer_is_taken_back(made: Callable[[], Platform], tmp_path: Path) -> None:
    platform = made()
    calls_of_an_upgrade(tmp_path, platform, broken=True)
    assert at_rest(tmp_path, platform) == []
    assert platform.running() == {ONE}


@pytest.mark.parametrize("broken", [False, True])
def test_a_killed_upgrade_is_resumed(made: Callable[[], Platform], broken: bool) -> None:
    with scratch() as folder:
        before, after = calls_of_an_upgrade(folder, made(), broken=broken)
    for part in (5, 35, 60, 90):
        at = before + 1 + (after - before) * part // 100
        with scratch() as folder:
            assert killed_and_resumed(folder, made(), at, broken=broken) == [], f"killed at call {at} of {before + 1} to {after}"


def test_what_was_taken_back_is_not_launched(made: Callable[[], Platform], tmp_path: Path) -> None:
    from assaymark.deployment.phoenix.permit import Standing  # noqa: PLC0415

    platform = made()
    there = place(tmp_path, platform)
    there.deploy(ONE)
    there.permit.back[TWO] = Standing.REVOKED
    assert there.deploy(TWO).state is State.ABORTED
    assert platform.running() == {ONE}


def test_what_is_burnt_stays_away_and_another_may_rise(made: Callable[[], Platform], tmp_path: Path) -> None:
    platform = made()
    there = place(tmp_path, platform)
    there.deploy(ONE)
    with there.journal() as journal:
        gone = run.stop(journal, there.driver, ROLLING, there.clock, run.Farewell("dora", "it closes"))
    assert gone.state is State.STOPPED
    there.resume()
    assert list(there.driver.list(PAIR)) == []
    assert platform.running() == set()
    assert there.deploy(TWO).state is State.LIVE
    assert platform.running() == {TWO}


def test_what_is_as_it_was_launched_has_no_drift(made: Callable[[], Platform], tmp_path: Path) -> None:
    platform = made()
    there = place(tmp_path, platform)
    there.deploy(ONE)
    with there.journal() as journal:
        found = keep.looked(journal.ledger, there.driver, ROLLING, there.clock.now())
    assert [each for each in found.drifts if each.kind != "age"] == []


def test_an_image_that_was_exchanged_in_a_pod_asks_for_a_replacement(tmp_path: Path) -> None:
    platform = Kubernetes()
    there = place(tmp_path, platform)
    there.deploy(ONE)
    platform.api.pods()[0]["spec"]["containers"][0]["image"] = f"registry.example/evil@{TWO}"
    platform.api.settle(2)
    with there.journal() as journal:
        found = keep.looked(journal.ledger, there.driver, ROLLING, there.clock.now())
    told = {(each.kind, each.what): (each.observed, each.action) for each in found.drifts}
    assert told["digest", "digest"] == (TWO, Action.REPLACE)
    assert ("changed", "pod/containers/web/image") in told
