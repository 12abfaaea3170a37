"""Deliver 2 of issue 4: everything that sets an assessment off, with signatures checked, fast, none lost, none doubled.

Each line runs the project's own tests on SQLite and on PostgreSQL with more than a test has time for, and prints what was measured.
"""

from __future__ import annotations

import os
import re

import pytest
from acceptance.harness import prove

MANY = {"TRIGGERS_DELIVERIES": os.environ.get("TRIGGERS_DELIVERIES", "1000")}
FAST_MS = 100.0
"""At p95: forges give up after ten seconds and show what is slow."""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_delivery_is_answered_fast(database: str) -> None:
    said = prove("-k", f"fast and {database}", "-p", "no:randomly", "tests/server/test_triggers_whole.py", **MANY)
    found = re.search(r"webhook on \w+: .* p95 ([\d.]+) ms.*", said)
    assert found, f"NOT PROVED: {said[-500:]}"
    print(found[0])
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    if float(found[1]) >= FAST_MS and busy > 1.5:
        pytest.skip(f"NOT PROVED: {found[0]}, on a machine with {busy:.1f} processes waiting for each core; run it on a quiet one")
    assert float(found[1]) < FAST_MS


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_crowd_of_deliveries_loses_and_doubles_none(database: str) -> None:
    said = prove("-k", f"crowd and {database}", "-p", "no:randomly", "tests/server/test_triggers_whole.py", **MANY)
    assert "1 passed" in said, f"NOT PROVED: {said[-500:]}"


@pytest.mark.parametrize(
    ("line", "tests"),
    [
        ("every forge and event, good and bad signature", "tests/triggers/test_deliveries.py"),
        ("deliveries over HTTP: once each, bounded, at their own host", "tests/server/test_webhooks.py"),
        ("superseding, renames, races, teams", "tests/server/test_intake.py"),
        ("groups are discovered, refs that moved without a webhook are seen", "tests/server/test_discover_and_poll.py"),
        ("pushes to a plain git host", "tests/triggers/test_notify.py"),
        ("calls, deployments, connections", "tests/server/api/test_api_triggers.py"),
    ],
)
def test_triggers(line: str, tests: str) -> None:
    said = prove("-p", "no:randomly", tests)
    print(f"{line}: {said.strip().splitlines()[-1]}")
    assert " passed" in said
    assert "skipped" not in said, f"NOT PROVED: {said[-500:]}"
