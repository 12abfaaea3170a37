"""Drives the whole flow on texts in memory: the subject is a dictionary, everything else is real."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from assaymark.checks.plugins import load
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.engine.limits import Limits
from assaymark.engine.run import Means, run
from assaymark.flow import Context, Request, assay
from assaymark.model.check import Check
from assaymark.model.verdict import Verdict
from assaymark.testing.memory import MemoryComparison, MemoryFacts, MemorySubject
from assaymark.verdict.policy import Policy

Files = Mapping[str, str | bytes]
Assay = Callable[[Files, Files], Verdict]
ONLY_CODE = frozenset({"ruff"})


class Corpus(dict[str, str]):
    """Texts whose repr does not fill a screen when an example fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} modules>"


def encoded(files: Files) -> dict[str, bytes]:
    return {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}


@pytest.fixture(scope="session")
def make_assay(tmp_path_factory: pytest.TempPathFactory) -> Callable[[frozenset[str]], Assay]:
    """An assay with some of the built-in checks; facts are shared by all calls, as they are in real life."""
    cache = tmp_path_factory.mktemp("cache")

    def make(names: frozenset[str]) -> Assay:
        memory = MemoryFacts()

        def make_checks(policy: Policy, settings: CheckSettings) -> list[Check]:
            return [load(BUILT_IN[name])(settings) for name in sorted(names)]

        context = Context(
            today=dt.date(2026, 11, 23),
            cache_dir=str(cache),
            key=Secret(b"a key for tests only"),
            make_checks=make_checks,
            run=lambda planned, checks, sources, _policy: run(planned, checks, sources, Means(memory=memory, limits=Limits(isolate=False))),
            clock=time.monotonic,
            settle=lambda: None,
        )
        return lambda base, head: assay(Request(MemoryComparison(MemorySubject(encoded(base)), MemorySubject(encoded(head)))), context)

    return make


@pytest.fixture(scope="session")
def assay_code(make_assay: Callable[[frozenset[str]], Assay]) -> Assay:
    return make_assay(ONLY_CODE)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Python that we did not write: modules of the standard library in which ruff's security rules see something."""
    folder = Path(dt.__file__).parent
    names = [
        "cgitb",
        "ftplib",
        "imaplib",
        "mailcap",
        "nntplib",
        "pdb",
        "pydoc",
        "shelve",
        "smtplib",
        "tarfile",
        "tempfile",
        "uuid",
        "webbrowser",
    ]
    texts = Corpus({f"lib/{name}.py": (folder / f"{name}.py").read_text("utf-8") for name in names if (folder / f"{name}.py").exists()})
    assert len(texts) >= 8
    return texts
