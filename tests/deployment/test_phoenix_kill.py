"""SIGKILL at each point of a deploy, in a process of its own; then another process resumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.deployment.phoenix_sample import scratch

ROOT = Path(__file__).parents[2]
ON_THE_WAY = {"wanted", "verified", "launched", "healthy", "shifting", "shifted", "soaked"}


def killed(folder: Path, *words: str) -> list[dict[str, Any]]:
    """One answer per point."""
    command = [sys.executable, "-m", "tests.deployment.deployer_process", str(folder), *words]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "least", "states"),
    [
        (("routes", "-", "1"), 25, ON_THE_WAY - {"shifting"}),
        (("routes", "1", "2"), 45, ON_THE_WAY),
        (("routes", "1", "2", "sick"), 20, {"wanted", "verified", "launched", "aborting"}),
        (("rolls", "1", "2", "sick", "twice"), 30, {"wanted", "verified", "launched", "aborting"}),
    ],
)
def test_a_deployer_killed_anywhere_is_resumed_with_one_live_generation(words: tuple[str, ...], least: int, states: set[str]) -> None:
    with scratch() as folder:
        rows = killed(folder, *words)
    judge(rows, words, least, states)


def judge(rows: list[dict[str, Any]], words: tuple[str, ...], least: int, states: set[str]) -> None:
    """One generation is live and serves after each kill, and kills were everywhere."""
    assert [row for row in rows if row["wrong"]] == []
    assert all(row["killed"] for row in rows[:-1])
    assert len(rows) >= least
    assert {row["state"] for row in rows} - {"none"} == states
    before, wished = words[1:3]
    for row in rows:
        begun = row["generations"] == (2 if before != "-" else 1)
        assert row["live"] == (before.strip("-") if "sick" in words or not begun else wished)
        if before != "-":
            assert len(row["served"]) in {1, 2}
