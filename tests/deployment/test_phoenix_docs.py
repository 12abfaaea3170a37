"""The page of terms names what there is, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.drivers.opening import DRIVERS
from assaymark.deployment.phoenix import terms

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "deploy-terms.md").read_text("utf-8")
PAIR = "[deploy.<environment>.<component>"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "The file": terms.Document,
    "`[believe]`": terms.Believe,
    "`[server]`": terms.ServerTerms,
    f"`{PAIR}]`": terms.Terms,
    f"`{PAIR}.configuration]`": terms.ConfigurationTerms,
    f"`{PAIR}.drift]`": terms.DriftTerms,
    f"`{PAIR}.breakglass]`": terms.Breakglass,
}


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", SECTIONS)
def test_each_setting_has_a_row_and_each_row_a_setting(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(name), re.MULTILINE)
    assert sorted(rows) == sorted(SECTIONS[name].__struct_fields__)


def test_the_defaults_are_those_of_the_code() -> None:
    plain = {field.name: field.default for field in msgspec.structs.fields(terms.Terms) if isinstance(field.default, int | float | str)}
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| `?([\w.]+)`? \|$", section(f"`{PAIR}]`"), re.MULTILINE))
    told = {name: rows[name] for name in plain if name in rows and name not in {"image", "resource", "platform", "driver"}}
    assert told == {name: str(plain[name]) for name in told}
    assert len(told) >= 18


def test_the_example_is_one(tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    found = terms.parsed(text.encode(), tmp_path).of(Pair("production", "web"))
    assert (found.driver, found.canary, found.breakglass.most_hours) == ("podman", (10, 50), 24)


def test_the_drivers_are_those_there_are() -> None:
    row = re.search(r"^\| `driver` \| (.*?) \|", PAGE, re.MULTILINE)
    assert row is not None
    assert re.findall(r"`([\w-]+)`", row[1]) == list(DRIVERS)
