"""A pair, its terms, clocks and permits to try the phoenix on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from assaymark.deployment.drivers.driver import Driver, Pair
from assaymark.deployment.phoenix import run
from assaymark.deployment.phoenix.generation import Generation, Why
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.permit import Permitted, Standing
from assaymark.deployment.phoenix.run import Wish
from assaymark.deployment.phoenix.terms import Terms
from assaymark.model.assessment import SECOND, Instant

PAIR = Pair("production", "shop/web")
TERMS = Terms(
    "folder", "registry.example/shop/web", count=2, probe_seconds=5, probe_every=1, probe_successes=2, soak_seconds=3, drain_seconds=1,
    canary=(10, 50), canary_seconds=2,
)  # fmt: skip
BEGINNING = Instant(1_795_867_200 * SECOND)


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


ONE, TWO, THREE, FOUR = (digest(each) for each in "1234")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: each step of a journal is synchronised with its disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Hours:
    """A clock that goes when somebody sleeps."""

    def __init__(self, at: Instant = BEGINNING) -> None:
        self.at = at

    def now(self) -> Instant:
        self.at = Instant(self.at + 1)
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at = Instant(self.at + int(seconds * SECOND))

    def pass_hours(self, hours: float) -> None:
        self.sleep(hours * 3600)


class Register:
    """A permit: everything is approved but what was taken back."""

    def __init__(self) -> None:
        self.back: dict[str, Standing] = {}
        self.asked: list[str] = []

    def __call__(self, digest: str, pair: Pair, now: Instant, /) -> Permitted:
        self.asked.append(digest)
        if digest in self.back:
            return Permitted(ok=False, reasons=(f"{self.back[digest]}: it was taken back",), standing=self.back[digest])
        return Permitted(ok=True, endorsement="sha256:" + "e" * 64, expires=Instant(now + 3600 * SECOND), standing=Standing.APPROVED)


class Place:
    """State folder, driver, clock and permit of the pair, together."""

    def __init__(self, folder: Path, driver: Driver, terms: Terms = TERMS) -> None:
        self.state, self.driver, self.terms = folder / "state", driver, terms
        self.clock, self.permit = Hours(), Register()

    def journal(self) -> Journal:
        return Journal(self.state, PAIR).open()

    def deploy(self, digest: str, *, why: Why = Why.DEPLOY, pinned: bool = False, **terms: object) -> Generation:
        wish = Wish(digest, f"{self.terms.image}@{digest}", "ada", why, pinned)
        with self.journal() as journal:
            return run.upgrade(journal, self.driver, wish, replace(self.terms, **terms), self.permit, self.clock)

    def resume(self) -> Generation | None:
        with self.journal() as journal:
            return run.resume(journal, self.driver, self.terms, self.permit, self.clock)
