from __future__ import annotations

from collections.abc import Callable

import pytest

from assaymark.checks.application.code import ruff
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting

Look = Callable[..., Outcome]


def an_input(content: bytes, dialect: str = "python") -> Input:
    return Input(sha256(content), Dialect(dialect), (Part("", content),))


@pytest.fixture(scope="session", name="settings_of_code")
def _settings() -> CheckSettings:
    return CheckSettings(cache_dir="", installation_key=Secret(b"k"))


@pytest.fixture(scope="session", name="check")
def _check(settings_of_code: CheckSettings) -> ruff.Ruff:
    return ruff.make(settings_of_code)


@pytest.fixture(scope="session", name="look")
def _look(check: ruff.Ruff) -> Look:
    def look(content: bytes | str, dialect: str = "python") -> Outcome:
        raw = content.encode() if isinstance(content, str) else content
        ((_, outcome),) = check.run([an_input(raw, dialect)])
        return outcome

    return look


@pytest.fixture(scope="session", name="sightings")
def _sightings(look: Look) -> Callable[..., tuple[Sighting, ...]]:
    def sightings(content: bytes | str, dialect: str = "python") -> tuple[Sighting, ...]:
        outcome = look(content, dialect)
        assert isinstance(outcome, Checked), outcome
        return outcome.sightings

    return sightings
