"""Acceptance, security: schemathesis on our own OpenAPI finds no 5xx; authorisation matrix for every route and role; CSRF,
session fixation, SSRF, path traversal, stored XSS, bombs in imports, ReDoS in search; our own checks on our own repository.

The tests are those of `tests/`, on SQLite and on PostgreSQL; here they run long: ``ASSAYMARK_FUZZ`` examples of every operation.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assaymark.server.app import operations

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("ASSAYMARK_FUZZ", "300"))


def _run(*tests: str, hours: float = 2, **more: str) -> str:
    """What pytest said; fails when a test failed, was skipped, or was not there."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "--disable-socket", "--allow-unix-socket", "-rs", *tests]
    ran = subprocess.run(words, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, check=False, timeout=hours * 3600)
    said = ran.stdout[-4000:]
    if "SKIPPED" in ran.stdout:
        pytest.skip(f"NOT PROVED: {said}")
    assert ran.returncode == 0, said + ran.stderr[-2000:]
    return ran.stdout


def _passed(said: str) -> int:
    found = re.findall(r"(\d+) passed", said)
    return int(found[-1]) if found else 0


def test_schemathesis_on_our_own_description_finds_no_5xx() -> None:
    said = _run("tests/server/api/test_api_fuzz.py", "--timeout=3600", hours=10, ASSAYMARK_FUZZ=str(EXAMPLES))
    assert _passed(said) == 2 * len(operations())  # on SQLite and on PostgreSQL
    print(f"{len(operations())} operations, {EXAMPLES} requests of each as callers of six kinds: no 5xx, every answer as described")


def test_every_route_does_what_it_does_for_those_who_may_and_for_nobody_else() -> None:
    said = _run("tests/server/test_server_matrix.py", "--timeout=3600", ASSAYMARK_FUZZ=str(EXAMPLES))  # everybody on both databases
    assert _passed(said) > len(operations())


@pytest.mark.parametrize(
    "attack",
    [
        "tests/server/api/test_api_security.py",
        "tests/server/api/test_api_guard.py",
        "tests/server/api/test_api_layer.py",
        "tests/server/people/test_people_sessions.py",
        "tests/server/people/test_people_guessing.py",
        "tests/server/test_outgoing.py",
    ],
)
def test_attacks(attack: str) -> None:
    assert _passed(_run(attack)) > 0


def test_our_own_gate_on_our_own_repository() -> None:
    assert _passed(_run("tests/project/test_project_own_gate.py")) == 1
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.search(r"- uses: \$/\s*$|- uses: \./\s*$", workflow, re.MULTILINE), "CI does not run our own action on our own change"
