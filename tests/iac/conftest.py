"""A Terraform unit from texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from assaymark.checks.infrastructure.iac import terraform
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part
from assaymark.model.digest import digest_of
from assaymark.model.finding import ConfigurationSite, Sighting

Judge = Callable[[str | Mapping[str, str | bytes]], Outcome]
Seen = Callable[[str | Mapping[str, str | bytes]], list[Sighting]]


def judged(files: str | Mapping[str, str | bytes]) -> Outcome:
    texts = {"main.tf": files} if isinstance(files, str) else files
    parts = tuple(Part(name, text.encode() if isinstance(text, str) else text) for name, text in sorted(texts.items()))
    check = terraform.make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
    digest = digest_of([(part.name, part.content.hex()) for part in parts])
    ((_, outcome),) = check.run([Input(digest, Dialect("terraform"), parts)])
    return outcome


@pytest.fixture(scope="session")
def judge() -> Judge:
    return judged


@pytest.fixture(scope="session")
def seen() -> Seen:
    def look(files: str | Mapping[str, str | bytes]) -> list[Sighting]:
        outcome = judged(files)
        assert isinstance(outcome, Checked), outcome
        return list(outcome.sightings)

    return look


def named(sightings: list[Sighting]) -> list[tuple[str, str]]:
    """(rule without the check's name, resource) of each."""
    found = []
    for each in sightings:
        assert isinstance(each.site, ConfigurationSite)
        found.append((each.rule.partition("/")[2], each.site.resource))
    return sorted(found)
