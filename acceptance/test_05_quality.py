"""Each rule's true samples are found and its false samples are not; how many findings a thousand lines of public code give is printed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from acceptance.harness import ROOT, Shell, prove, weaknesses
from acceptance.test_02_public_projects import javascript, python

RULE_TESTS = ("tests/code", "tests/secrets", "tests/pipelines")


def test_every_check_has_samples_and_they_hold() -> None:
    missing = [folder for folder in RULE_TESTS if not list((ROOT / folder).glob("test_*.py"))]
    assert not missing, f"no rule tests in {missing}"
    said = prove(*RULE_TESTS, "-m", "not soak")
    assert " passed" in said


@pytest.mark.parametrize("name", ["flask", "requests", "express"])
def test_public_code_is_not_flooded(shell: Shell, tmp_path: Path, name: str) -> None:
    """A bound against floods, not a measure of truth: benchmarks/README.md holds the hand check."""
    (tmp_path / "given").mkdir()
    project = (javascript if name == "express" else python)(name, tmp_path / "given")
    report = shell.check(str(project), "--all", folder=tmp_path)
    found = weaknesses(report)
    gating = [row for row in report["verdict"]["findings"] if row.get("gates")]
    rules = Counter(finding["witnesses"][0]["rule"] for finding in found)
    lines = count_lines(project, tmp_path / "unpacked")
    print(f"\n{name}: {len(found)} findings in {lines} lines = {1000 * len(found) / lines:.1f} per thousand, {len(gating)} gate; {rules}")
    assert 1000 * len(gating) / lines < 2, f"{len(gating)} of {lines} lines would stop a change"


def count_lines(archive: Path, folder: Path) -> int:
    from benchmarks.bench_first_scan import unpacked  # noqa: PLC0415 - the programs find their folder when they are imported

    folder.mkdir()
    files = [path for path in unpacked(archive, folder).rglob("*") if path.is_file()]
    return sum(path.read_bytes().count(b"\n") for path in files)
