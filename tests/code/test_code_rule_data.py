from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from assaymark.checks.application.code.ruff_engine import locate
from assaymark.checks.application.code.ruff_run import advice
from assaymark.model.finding import RuleId
from assaymark.model.rules import catalogue

LEFT_TO_SECRETS = {"S105", "S106", "S107"}


@pytest.fixture(scope="module", name="installed")
def _installed() -> dict[str, str]:
    """Code -> status of every rule of the S group that the installed ruff knows."""
    ran = subprocess.run([locate().program, "rule", "--all", "--output-format", "json"], capture_output=True, check=True)
    rows = [row for row in json.loads(ran.stdout) if row["linter"] == "flake8-bandit"]
    return {row["code"]: next(iter(row["status"])) for row in rows}


def test_every_rule_of_the_installed_ruff_has_a_class_of_ours(installed: dict[str, str]) -> None:
    ours = {rule.removeprefix("ruff/") for rule in catalogue().rules if rule.startswith("ruff/")}
    assert ours == set(installed)


def test_every_rule_that_can_fire_has_samples_and_advice(installed: dict[str, str]) -> None:
    samples = tomllib.loads((Path(__file__).parent / "code_samples.toml").read_text("utf-8"))
    live = {code for code, status in installed.items() if status == "Stable"} - LEFT_TO_SECRETS
    assert set(samples) == live
    assert set(advice()) == live


def test_ruff_and_bandit_agree_on_every_rule_they_share() -> None:
    rules = catalogue().rules
    for rule, info in rules.items():
        if rule.startswith("ruff/"):
            twin = rules[RuleId(f"bandit/B{rule[6:]}")]
            assert (twin.rule_class, twin.severity, twin.confidence) == (info.rule_class, info.severity, info.confidence)
            assert {f"B{rule[6:]}", *twin.aliases} == set(info.aliases)


def test_every_rule_of_the_installed_bandit_has_a_class_of_ours() -> None:
    loader = pytest.importorskip("bandit.core.extension_loader").MANAGER
    ids = {plugin.plugin._test_id for plugin in loader.plugins}
    ids |= {row["id"] for rows in loader.blacklist.values() for row in rows}
    assert len(ids) > 60
    assert {f"bandit/{id_}" for id_ in ids} <= set(catalogue().rules)


def test_semgrep_ids_are_ids_and_ours_are_all_mapped() -> None:
    ids = [rule.removeprefix("semgrep/") for rule in catalogue().rules if rule.startswith("semgrep/")]
    assert len(ids) > 500
    assert all(re.fullmatch(r"[\w.@-]+", id_) for id_ in ids)
    manifest = Path(__file__).parents[2] / "src/assaymark/checks/application/code/manifests/semgrep.toml"
    own = re.findall(r"- id: (\S+)", tomllib.loads(manifest.read_text("utf-8"))["files"]["rules.yml"])
    assert len(own) == 5
    assert set(own) <= set(ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ruff/S602", "semgrep/python.lang.security.audit.subprocess-shell-true.subprocess-shell-true"),
        ("ruff/S501", "semgrep/python.requests.security.disabled-cert-validation.disabled-cert-validation"),
        ("ruff/S324", "semgrep/python.lang.security.insecure-hash-algorithms-md5.insecure-hash-algorithm-md5"),
        ("ruff/S301", "semgrep/python.lang.security.deserialization.pickle.avoid-pickle"),
        ("ruff/S307", "semgrep/python.lang.security.audit.eval-detected.eval-detected"),
    ],
)
def test_well_known_rules_of_several_tools_share_a_class(one: str, other: str) -> None:
    assert RuleId(other) in catalogue().rules
    assert catalogue().class_of(RuleId(one)) == catalogue().class_of(RuleId(other))
