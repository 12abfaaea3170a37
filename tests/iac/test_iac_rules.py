"""Each rule finds what it is for, and leaves alone what is right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.iac.conftest import Seen

from assaymark.checks.infrastructure.iac.rules import ADVICE, book
from assaymark.checks.infrastructure.iac.table import table
from assaymark.model.rules import catalogue

FOLDER = Path(__file__).parent / "samples"
TABLES: dict[str, Any] = tomllib.loads((FOLDER / "tables.toml").read_text("utf-8"))
CODE: dict[str, Any] = tomllib.loads((FOLDER / "code.toml").read_text("utf-8"))
VOCABULARY = {name.partition("/")[2]: info for name, info in catalogue().rules.items() if name.startswith("terraform/")}


def of_table(name: str, body: str) -> str:
    return f'resource "{table()[name].resources[0]}" "sample" {{\n{body}\n}}\n'


BAD = [(name, of_table(name, row["bad"])) for name, row in TABLES.items()] + [(n, text) for n, row in CODE.items() for text in row["bad"]]
GOOD = [(name, of_table(name, body)) for name, row in TABLES.items() for body in row["good"]] + [
    (name, text) for name, row in CODE.items() for text in row["good"]
]


def ids(samples: list[tuple[str, str]]) -> list[str]:
    return [f"{name}-{number}" for number, (name, _) in enumerate(samples)]


def test_there_are_at_least_the_rules_that_were_promised() -> None:
    assert len(table()) + len(ADVICE) >= 120


def test_every_rule_has_samples_a_row_in_the_vocabulary_and_words_for_the_fix() -> None:
    assert set(TABLES) == set(table())
    assert set(CODE) == set(ADVICE)
    assert set(VOCABULARY) == set(book())
    assert all(row.advice.endswith(".") for row in book().values())


@pytest.mark.parametrize(("rule", "text"), BAD, ids=ids(BAD))
def test_rule_finds_it(seen: Seen, rule: str, text: str) -> None:
    found = [each for each in seen(text) if each.rule == f"terraform/{rule}"]
    assert found, text
    assert all(each.fix and each.fix.advice and each.message and each.span for each in found)


@pytest.mark.parametrize(("rule", "text"), GOOD, ids=ids(GOOD))
def test_rule_leaves_it_alone(seen: Seen, rule: str, text: str) -> None:
    assert [each.message for each in seen(text) if each.rule == f"terraform/{rule}"] == []


@pytest.mark.parametrize("rule", [name for name, row in table().items() if row.fix])
def test_what_is_offered_as_replacement_makes_it_right(seen: Seen, rule: str) -> None:
    text = of_table(rule, TABLES[rule]["bad"])
    lines = text.split("\n")
    fixed = [each for each in seen(text) if each.rule == f"terraform/{rule}" and each.fix and each.fix.replacement]
    for each in fixed:
        assert each.span
        assert each.fix
        line = lines[each.span.start_line - 1]
        assert each.span.start_line == each.span.end_line
        lines[each.span.start_line - 1] = line[: each.span.start_column - 1] + str(each.fix.replacement) + line[each.span.end_column - 1 :]
    if fixed:
        assert [each.rule for each in seen("\n".join(lines)) if each.rule == f"terraform/{rule}"] == []


@pytest.mark.parametrize("kind", sorted({kind for row in table().values() for kind in row.resources}))
def test_a_resource_of_which_nothing_is_known_breaks_no_rule_about_what_is_written(seen: Seen, kind: str) -> None:
    """Every attribute is a variable without value: only what is not written at all may be told."""
    paths = {
        path.split(".")[0]
        for row in table().values()
        if kind in row.resources
        for expectation in (row.expect, *row.when)
        for path in ([expectation.path] if isinstance(expectation.path, str) else expectation.path)
    } | {row.each.split(".")[0] for row in table().values() if kind in row.resources and row.each}
    text = f'resource "{kind}" "r" {{\n' + "\n".join(f"  {path} = var.unknown" for path in sorted(paths)) + "\n}\n"
    of_tables = {f"terraform/{name}" for name, row in table().items() if row.expect.present is not False}
    assert [each.message for each in seen(text) if each.rule in of_tables] == []


@pytest.mark.parametrize("attribute", ["raw_key", "kms_key_self_link"])
def test_a_key_that_must_not_be_there_is_not_repeated_in_the_message(seen: Seen, attribute: str) -> None:
    key = "c2VjcmV0" + "IGtleQ"
    text = f'resource "google_compute_disk" "d" {{\n  disk_encryption_key {{\n    {attribute} = "{key}"\n  }}\n}}\n'
    assert [each for each in seen(text) if key in each.message + str(each.site) + str(each.notes)] == []


def test_the_ids_of_other_tools_have_their_forms() -> None:
    forms = re.compile(
        r"CKV2?_[A-Z]+_\d+|SNYK-CC-[A-Z]+-\d+|AVD-[A-Z]+-\d{4}|[a-z]+(-[a-z0-9]+)+|[0-9a-z]{8,9}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{12}"
    )
    assert [alias for info in VOCABULARY.values() for alias in info.aliases if not forms.fullmatch(alias)] == []
