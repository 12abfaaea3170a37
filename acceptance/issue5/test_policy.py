"""Policies of the organisation: what a simulation says is what then happens, on both databases, and 500 verdicts take seconds.

Real commits, real checks, the server's own handlers: merge requests are judged, a policy is simulated over them, takes effect, and the same
merge requests are judged again. The law beneath (whatever findings, floors and rules) is tried with drawn examples.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from acceptance.harness import PACKAGE, ROOT, prove

CPU_SECONDS = 10.0
"""For 500 verdicts of some 85 findings each: CPU, because the machine may have other work."""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_policy_gives_for_real_what_it_gave_in_the_simulation(database: str) -> None:
    said = prove("-k", f"gives_for_real and {database}", "-p", "no:randomly", "tests/assess/test_policies.py")
    assert "4 passed" in said, f"NOT PROVED: {said[-500:]}"


def test_whatever_was_judged_is_judged_the_same_again() -> None:
    said = prove("-k", "what_is_kept_of_a_judgement", "-p", "no:randomly", "tests/verdict/test_organisation_rules.py")
    assert "1 passed" in said, f"NOT PROVED: {said[-500:]}"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_cannot_be_simulated_is_said(database: str) -> None:
    said = prove("-k", f"(not_guessed or counted_as_unknown) and {database}", "-p", "no:randomly", "tests/assess/test_policies.py")
    assert "2 passed" in said, f"NOT PROVED: {said[-500:]}"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_weaker_takes_effect_without_an_exception_and_a_second_person(database: str) -> None:
    said = prove("-k", f"(weaker or exception or retired) and {database}", "-p", "no:randomly", "tests/server/test_policies_api.py")
    assert "3 passed" in said, f"NOT PROVED: {said[-500:]}"


def test_five_hundred_verdicts_are_judged_again_in_seconds() -> None:
    program = (
        "import json, tempfile; from pathlib import Path; from benchmarks import bench_policy_simulation as bench\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    found = bench.measured(f'sqlite:///{folder}/p.db', Path(folder), 500, 400)\n"
        "print(json.dumps(found))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600, cwd=ROOT,
        env={"PYTHONPATH": f"{PACKAGE}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )  # fmt: skip
    assert ran.returncode == 0, f"NOT PROVED: {ran.stderr[-800:]}"
    found = json.loads(ran.stdout.splitlines()[-1])
    print(f"500 verdicts of {found['findings_each']} findings: {found['seconds']} s, {found['cpu_seconds']} s CPU")
    assert found["judged"] == 500
    assert found["stopped"] > 0
    assert found["cpu_seconds"] < CPU_SECONDS
