from __future__ import annotations

from pathlib import Path

from assaymark.model import rules
from assaymark.model.finding import RuleClassId, RuleId


def test_every_file_of_rules_is_a_tool_that_is_read() -> None:
    folder = Path(rules.__file__).parent / "rule_data"
    assert sorted(file.stem for file in folder.glob("*.toml") if file.stem != "classes") == list(rules.TOOLS)


def test_every_rule_of_every_tool_belongs_to_a_known_family() -> None:
    known = rules.catalogue()
    assert len(known.rules) > 500
    assert {info.rule_class for info in known.rules.values()} <= known.classes.keys()


def test_a_rule_is_described_without_reading_the_other_tools() -> None:
    fresh = rules.Shipped()
    assert fresh.class_of(RuleId("ruff/S602")) == "command-injection"
    assert fresh._tools.keys() == {"ruff"}


def test_an_unmapped_rule_is_its_own_family_and_its_name_is_its_title() -> None:
    fresh = rules.Shipped()
    assert fresh.describe(RuleId("foreign/thing")).rule_class == RuleClassId("foreign/thing")
    assert fresh.describe(RuleId("../classes/x")).title == "../classes/x"
