"""What the soaks share: workers that are killed and started again, databases that go away and come back."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from tests.conftest import Cluster, _bring_up, _programs

from assaymark.store.database import Database


class Size(Struct, frozen=True):
    """How long a soak is; by ``SOAK_SECONDS`` and ``SOAK_PUSHES`` (`acceptance/issue4/test_durability.py`: 600 and 500)."""

    seconds: float
    pushes: int


def size(seconds: float, pushes: int) -> Size:
    return Size(float(os.environ.get("SOAK_SECONDS", seconds)), int(os.environ.get("SOAK_PUSHES", pushes)))


class Fleet:
    """Two workers, which are started again when they die, as a supervisor does."""

    def __init__(self, words: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self._words, self._log, self._env = list(words), log, env
        self.kills: Counter[str] = Counter()
        self._workers = [self._start() for _ in range(2)]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._env, start_new_session=True)

    def strike(self, chance: random.Random) -> None:
        """Kill a worker, its runner, or both, where it is now."""
        worker = self._workers[chance.randrange(2)]
        victim = chance.choice(["worker", "worker", "runner", "both", "nursery"])
        nursery = _children(worker.pid)
        runners = [child for each in nursery for child in _children(each)]
        victims = {"worker": [worker.pid], "runner": runners, "both": [worker.pid, *runners], "nursery": nursery}[victim]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[victim] += 1
        self.mend()

    def mend(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker.poll() is not None:
                _close(worker)
                self._workers[place] = self._start()

    def close(self) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(30)
            _close(worker)


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _close(worker: subprocess.Popen[bytes]) -> None:
    if worker.stdin is not None:
        with suppress(OSError):
            worker.stdin.close()


@contextmanager
def shaky_database(kind: str, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a database of its own, with the present schema, and how it goes away and comes back."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'assaymark.db'}"
        _bring_up(url)

        def locked() -> None:
            """There is no server to restart: somebody holds the file for longer than anybody is used to."""
            database = Database(url)
            with database.write():
                time.sleep(3)
            database.close()

        yield url, locked
        return
    programs = _programs()
    if programs is None:
        pytest.skip("NOT PROVED: PostgreSQL is not installed; do this: sudo apt-get install postgresql")
    cluster = Cluster(Path(f"/tmp/assaymark-pg-soak-{uuid.uuid4().hex[:8]}"), programs)
    cluster.start()
    cluster.prepare()

    def restarted() -> None:
        cluster.stop()
        time.sleep(1)
        cluster.rise()

    yield cluster.url(cluster.make()), restarted
    cluster.stop()
    shutil.rmtree(cluster.folder, ignore_errors=True)


def until_taken(push: Callable[[], None]) -> None:
    """A forge sends a delivery again that was not answered."""
    for _ in range(300):
        try:
            push()
        except DBAPIError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("a push was never taken")


def storm(size: Size, push: Callable[[int], None], fleet: Fleet, outage: Callable[[], None]) -> None:
    """Send the pushes evenly over the time while workers are killed at random, and the database goes away in the middle."""
    chance = random.Random(4)
    begin = time.monotonic()
    away = threading.Timer(size.seconds / 2, outage)
    away.start()
    next_strike = begin + 1.5
    for number in range(size.pushes):
        until_taken(lambda number=number: push(number))  # type: ignore[misc]
        while (now := time.monotonic()) < begin + size.seconds * (number + 1) / size.pushes:
            if now > next_strike:
                fleet.strike(chance)
                next_strike = now + chance.uniform(0.5, 1.5) * max(1.5, size.seconds / 100)
            time.sleep(0.02)
    away.join()


def settle(is_over: Callable[[], bool], fleet: Fleet, seconds: float) -> None:
    """Until all has ended, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not is_over():
        fleet.mend()
        time.sleep(0.2)
