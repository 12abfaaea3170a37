"""Toy checks that behave, misbehave and count."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from assaymark.engine.limits import Limits
from assaymark.errors import EngineMissing
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, CodeSite, Layer, RuleId, Sighting
from assaymark.model.severity import Severity


class Toy:
    """Sees the word ``bad``; obeys orders written into the content."""

    layer = Layer.APPLICATION
    version = "1"

    def __init__(self, name: str = "toy", unit: UnitKind = UnitKind.BLOB, suffix: str = "", dialect: str = "") -> None:
        self.id = CheckId(name)
        self.unit = unit
        self.suffix = suffix
        self.dialect = dialect
        self.missing = ""
        self.starts_processes = False

    def knowledge(self) -> str:
        if self.missing == "knowledge":
            raise EngineMissing("toy-tool")
        return "k"

    def select(self, path: str) -> Dialect | None:
        if not path.endswith(self.suffix):
            return None
        return Dialect(self.dialect or path.rpartition(".")[2] or "text")

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        if self.missing == "run":
            raise EngineMissing("toy-tool")
        for given in inputs:
            yield from self.answers(given)

    def answers(self, given: Input) -> Iterator[tuple[Digest, Outcome]]:
        text = b"".join(part.content for part in given.parts)
        misbehave(text)
        if b"SILENT" in text:
            return
        if b"STRANGE" in text:
            yield Digest("sha256:" + "0" * 64), Checked()
        outcome = judge(given)
        yield given.digest, outcome
        if b"TWICE" in text:
            yield given.digest, Unchecked("syntax", "another word on the same input")


def misbehave(text: bytes) -> None:
    if b"RAISE" in text:
        raise RuntimeError("the text of the error quotes hunter2")
    if b"EXIT" in text:
        os._exit(3)
    if b"SEGV" in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"KILL" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"HANG" in text:
        time.sleep(600)
    if b"SPIN" in text:
        while True:
            pass
    if b"EAT" in text:
        bytearray(1 << 40)


def judge(given: Input) -> Outcome:
    """What `Toy` says of content, as a pure function for tests to compare with."""
    text = b"".join(part.content for part in given.parts)
    if b"SYNTAX" in text:
        return Unchecked("syntax", "does not parse")
    if b"BINARY" in text:
        return Checked(skipped="binary")
    sightings = tuple(
        Sighting(
            rule=RuleId("toy/bad"),
            site=CodeSite(scope=(given.dialect,), statement=f"bad in {len(part.content)}"),
            severity=Severity.HIGH,
            message="bad",
            member=part.name,
        )
        for part in given.parts
        if b"bad" in part.content
    )
    return Checked(sightings)


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def hurried() -> Limits:
    """Limits for inputs that hang."""
    return Limits(batch_seconds=0.4, first_use_seconds=0.0, seconds_per_input=0.01, seconds_per_mebibyte=1.0, workers=2)


@pytest.fixture
def make_toy() -> type[Toy]:
    return Toy


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """No test of the engine may leave a child or an open file."""
    before, family = _open_files(), _children()
    yield
    assert _children() <= family  # what another room keeps for the whole run, such as a browser, is there before and after
    after = _open_files()
    assert after <= before


def _children() -> set[str]:
    """Of all threads of this process, ended ones that nobody awaited too."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
