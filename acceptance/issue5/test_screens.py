"""The pages that people live in: every one under 300 ms at p95 over a fleet, and a walk of three readers through them in a real browser.

A twentieth of 1,000,000 findings with the same budgets, unless ``SCALE_FULL=1``. What was waited for a core is no server time, see
`benchmarks/bench_server_lists.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from benchmarks import bench_server_lists as lists
from benchmarks.generate_fleet import NOW, Plan, generate

from assaymark.model.assessment import Instant
from assaymark.store import figure_days

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("SCALE_FULL", "") not in ("", "0")
PLAN = Plan() if FULL else Plan(findings=50_000, subjects=500)
ROUNDS = 20 if FULL else 8


def test_every_page_keeps_its_budget(fleet_url: str, tmp_path: Path) -> None:
    service = lists.service_over(fleet_url, tmp_path / "server")
    try:
        generate(service.database, PLAN)
        service = msgspec.structs.replace(service, now=lambda: Instant(NOW))
        left = 1
        while left:  # as the schedule does it each day
            with service.database.write() as link:
                left = figure_days.sum_up(link, NOW)
        found = lists.measured(service, ROUNDS, of=lists.pages)
    finally:
        service.database.close()
    assert lists.misses_of(found) == []


def test_three_readers_walk_through_the_pages_in_a_browser() -> None:
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        pytest.skip("NOT PROVED: Chromium is not installed; do this: sudo apt-get install chromium")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests/pages/test_pages_walk.py"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
