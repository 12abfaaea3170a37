"""What every driver keeps, in the order in which an upgrade asks it: a way from nothing over two generations back to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from assaymark.deployment.drivers.driver import Driver, Health, Instance, Launch, Pair, Share


def kept(driver: Driver, launch: Callable[[int], Launch], pair: Pair, *, again: Callable[[], Driver]) -> None:
    """The laws of the door; `again` opens the driver anew, as after a kill."""
    assert list(driver.list(pair)) == []
    assert list(driver.serving(pair)) == []
    first = driver.launch(launch(1))
    _launched(first, launch(1))
    assert _by_id(driver.list(pair)) == _by_id(again().launch(launch(1))), "launching what is there changes nothing"
    assert list(again().serving(pair)) == [], "nobody gets traffic by being launched"
    _healthy(driver, pair, [each.id for each in first])
    driver.shift(pair, [Share(1, 100)])
    assert list(again().serving(pair)) == [Share(1, 100)]
    second = again().launch(launch(2))
    _launched(second, launch(2))
    assert not {each.id for each in first} & {each.id for each in second}
    assert len(driver.list(pair)) == len(first) + len(second)
    _healthy(driver, pair, [each.id for each in second])
    if driver.capabilities().divides:
        driver.shift(pair, [Share(1, 90), Share(2, 10)])
        assert set(again().serving(pair)) == {Share(1, 90), Share(2, 10)}
    driver.shift(pair, [Share(2, 100)])
    _observed(driver, pair)
    for each in first:
        assert driver.drain(pair, each.id, 2.0)
        driver.burn(pair, each.id)
        again().burn(pair, each.id)
    assert sorted(each.id for each in driver.list(pair)) == sorted(each.id for each in second)
    assert list(again().serving(pair)) == [Share(2, 100)]
    for each in second:
        driver.burn(pair, each.id)
    assert list(again().list(pair)) == []


def _by_id(found: Sequence[Instance]) -> list[Instance]:
    return sorted(found, key=lambda each: each.id)


def _launched(found: Sequence[Instance], asked: Launch) -> None:
    assert len(found) == asked.count
    for each in found:
        assert (each.generation, each.digest, each.configuration) == (asked.generation, asked.digest, asked.configuration.digest)
        assert each.born > 0


def _observed(driver: Driver, pair: Pair) -> None:
    for each in driver.list(pair):
        seen = driver.observe(pair, each.id)
        assert seen.id == each.id
        assert (seen.digest, seen.configuration, seen.born) == (each.digest, each.configuration, each.born)
        assert (seen.changes, seen.processes, seen.mounts) == ((), (), ())


def _healthy(driver: Driver, pair: Pair, names: Sequence[str], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    said: dict[str, Health] = {}
    while time.monotonic() < ends:
        said = {name: driver.probe(pair, name) for name in names}
        if all(each.ok for each in said.values()):
            return
        time.sleep(0.05)
    raise AssertionError(said)
