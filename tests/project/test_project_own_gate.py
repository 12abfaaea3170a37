"""Our own gate on our own repository: nothing that stops a change is open in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import assaymark

ROOT = Path(__file__).parents[2]


def test_nothing_that_stops_a_change_is_open_in_this_repository(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone of the repository")
    package = str(Path(assaymark.__file__).resolve().parents[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAYMARK_", "GIT_"))}
    ran = subprocess.run(
        [sys.executable, "-c", "from assaymark.cli.main import main; main()", "check", "HEAD", "--all", "--format", "json"],
        cwd=ROOT,
        env=kept
        | {"ASSAYMARK_CACHE": str(tmp_path), "ASSAYMARK_KEY": "for this test only", "ASSAYMARK_DAEMON": "off", "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in {0, 1, 5}, ran.stderr[-2000:]
    stopping = [row["finding"] for row in json.loads(ran.stdout)["verdict"]["findings"] if row.get("gates")]
    told = [(f["place"]["path"], f["place"].get("line"), f["witnesses"][0]["rule"]) for f in stopping]
    # Advisories are a copy of the world outside, which no test has.
    assert [row for row in told if row[2] != "dependencies/unchecked"] == []
