"""How long it takes to replace what runs by another generation, and what that costs whoever asks meanwhile.

    python benchmarks/bench_replacement.py [--swaps N] [--clients N] [--dry]

Real containers of podman behind the built-in edge and behind HAProxy, swapped in turn, so that a noisy neighbour meets both. Clients ask
all the time, half of them on kept connections. A replacement is: launch the new container, probe until it answers, shift everything, drain
the old one, burn it; what the terms let the state machine wait for (probes in a row, soak) is not in it. `straight` is the
same load on one container without an edge. Clients, containers and edges share the machine's cores: ratios count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from benchmarks import measure
from tests.deployment import podmans
from tests.deployment.edges import free_address
from tests.deployment.load import Load
from tests.deployment.podmans import Image

from assaymark.deployment.drivers.driver import Configuration, Launch, Share, instance_id
from assaymark.deployment.drivers.podman.driver import PodmanDriver

GIVEN = Configuration("sha256:" + "0" * 64)
STEPS = ("launch", "healthy", "shift", "drain", "burn", "whole")


class Lane:
    """One edge with its pair."""

    def __init__(self, edge: str, folder: Path) -> None:
        self.edge, self.pair, self.listen = edge, podmans.new_pair(), free_address()
        self.generation = 0
        self.taken: dict[str, list[float]] = {step: [] for step in STEPS}
        self.context = podmans.driver(self.pair, folder / edge, self.listen, edge=edge, pull="never")

    def rise(self, driver: PodmanDriver, image: Image) -> None:
        """The next generation, and none before it."""
        clock = _Laps(self.taken if self.generation else {step: [] for step in STEPS})
        old, self.generation = self.generation, self.generation + 1
        new = driver.launch(Launch(self.pair, self.generation, image.reference, image.digest, 1, GIVEN))[0]
        clock.lap("launch")
        while not driver.probe(self.pair, new.id).ok:
            time.sleep(0.005)
        clock.lap("healthy")
        driver.shift(self.pair, [Share(self.generation, 100)])
        clock.lap("shift")
        if old:
            assert driver.drain(self.pair, instance_id(self.pair, old, 1), 10)
            clock.lap("drain")
            driver.burn(self.pair, instance_id(self.pair, old, 1))
            clock.lap("burn")
        clock.end()


class _Laps:
    def __init__(self, taken: dict[str, list[float]]) -> None:
        self._taken = taken
        self._began = self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self._taken[step].append((now - self._last) * 1000)
        self._last = now

    def end(self) -> None:
        self._taken["whole"].append((time.perf_counter() - self._began) * 1000)


def loaded(load: Load, seconds: float) -> dict[str, Any]:
    return {
        "requests": load.requests,
        "failed": len(load.failed),
        "per_second": round(load.requests / seconds),
        "p50_ms": round(load.percentile(0.5), 1),
        "p99_ms": round(load.percentile(0.99), 1),
    }


def swapped(lane: Lane, driver: PodmanDriver, images: tuple[Image, Image], clients: int) -> tuple[Load, float]:
    """One swap under load."""
    began = time.perf_counter()
    with Load(lane.listen, keeping=clients // 2, anew=clients - clients // 2) as load:
        word = images[(lane.generation - 1) % 2].word
        load.wait_for(word, 20)
        lane.rise(driver, images[lane.generation % 2])
        load.wait_for(images[(lane.generation - 1) % 2].word, 20)
    return load, time.perf_counter() - began


def measured(folder: Path, swaps: int, clients: int) -> dict[str, Any]:
    images = podmans.image("one"), podmans.image("two")
    lanes = [Lane(edge, folder) for edge in ("builtin", "haproxy")]
    totals: dict[str, list[tuple[Load, float]]] = {lane.edge: [] for lane in lanes}
    found: dict[str, Any] = {}
    with lanes[0].context as one, lanes[1].context as other:
        drivers = {"builtin": one, "haproxy": other}
        for lane in lanes:
            lane.rise(drivers[lane.edge], images[0])
        for _ in range(swaps):
            for lane in lanes:
                totals[lane.edge].append(swapped(lane, drivers[lane.edge], images, clients))
        for lane in lanes:
            found[lane.edge] = {f"{step}_ms": _middle(values) for step, values in lane.taken.items()} | _joined(totals[lane.edge])
            print(f"  {lane.edge:8} {found[lane.edge]}", flush=True)
        found["straight"] = _straight(lanes[0], one, clients)
        print(f"  straight {found['straight']}", flush=True)
    for each in images:
        each.remove()
    return found


def _straight(lane: Lane, driver: PodmanDriver, clients: int) -> dict[str, Any]:
    address = driver.list(lane.pair)[0].address
    began = time.perf_counter()
    with Load(address, keeping=clients // 2, anew=clients - clients // 2) as load:
        time.sleep(5)
    return loaded(load, time.perf_counter() - began)


def _middle(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "most": round(max(values), 1)}


def _joined(parts: list[tuple[Load, float]]) -> dict[str, Any]:
    whole = Load("127.0.0.1:1")
    for load, _ in parts:
        whole.answers.update(load.answers)
        whole.failed += load.failed
        whole.taken += load.taken
    return loaded(whole, sum(seconds for _, seconds in parts))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--swaps", type=int, default=8)
    words.add_argument("--clients", type=int, default=4)
    words.add_argument("--dry", action="store_true", help="write no result")
    given = words.parse_args()
    facts = measure.announce("replacement")
    try:
        podmans.needed()
    except pytest.skip.Exception as error:
        print(f"  {error}")
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        found = measured(Path(folder), given.swaps, given.clients)
    found |= {"swaps": given.swaps, "clients": given.clients, "load_average": round(os.getloadavg()[0], 1)}
    if not given.dry:
        measure.write("replacement", facts, found)


if __name__ == "__main__":
    main()
