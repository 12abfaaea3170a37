"""Every pattern rule finds its true samples and leaves its false ones alone; its data, words and advice are whole."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from assaymark.checks.application.patterns.judge import judge
from assaymark.checks.application.patterns.rules import Pack
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.rules import catalogue

FOLDER = Path(__file__).with_name("samples")
LANGUAGES = sorted(file.stem for file in FOLDER.glob("*.toml"))
PACKS: dict[str, Pack] = {name: import_module(f"assaymark.checks.application.patterns.{name}.pack").PACK for name in LANGUAGES}
SAMPLES: dict[str, dict[str, Any]] = {name: tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")) for name in LANGUAGES}


def rules_of(language: str, text: str, dialect: str) -> set[str]:
    content = text.encode()
    outcome = judge(PACKS[language], Input(sha256(content), Dialect(dialect), (Part("", content),)))
    assert isinstance(outcome, Checked), (text, outcome)
    return {sighting.rule.partition("/")[2] for sighting in outcome.sightings}


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(language, rule, text, id=f"{language}-{rule}-{number}")
        for language, rows in SAMPLES.items()
        for rule, row in rows.items()
        for number, text in enumerate(row[kind], 1)
    ]


@pytest.mark.parametrize(("language", "rule", "text"), cases("true"))
def test_a_rule_finds_its_true_sample(language: str, rule: str, text: str) -> None:
    for dialect in PACKS[language].grammars:
        if dialect == SAMPLES[language][rule].get("dialect", next(iter(PACKS[language].grammars))):
            assert rule in rules_of(language, text, dialect)


@pytest.mark.parametrize(("language", "rule", "text"), cases("false"))
def test_a_rule_leaves_its_false_sample_alone(language: str, rule: str, text: str) -> None:
    assert rule not in rules_of(language, text, SAMPLES[language][rule].get("dialect", next(iter(PACKS[language].grammars))))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_samples_and_data_and_nothing_is_left_over(language: str) -> None:
    rules = {rule.id: rule for rule in PACKS[language].rules}
    assert len(rules) == len(PACKS[language].rules) >= 15
    assert SAMPLES[language].keys() == rules.keys()
    assert [rule for rule, row in SAMPLES[language].items() if len(row["true"]) < 2 or len(row["false"]) < 2] == []
    rows = {name.partition("/")[2] for name in catalogue().rules if name.startswith(f"{language}/")}
    assert rows == rules.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_sentences(language: str) -> None:
    for rule in PACKS[language].rules:
        assert re.fullmatch(r"[A-Z].{10,140}\.", rule.message), rule.id
        assert re.fullmatch(r"[A-Z].{10,160}\.", rule.advice), rule.id
        assert rule.words, rule.id
