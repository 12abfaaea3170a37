"""The budgets of time, measured by the benchmark programs with small settings; CPU and least wall time, for neighbours are noisy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from benchmarks import bench_first_answer, bench_first_scan, bench_hook, bench_startup
from benchmarks.measure import bench_folder
from benchmarks.peers import PEERS

CLIENT_BUDGET = 20.0
PROGRAM_BUDGET = 250.0
"""Million instructions above an interpreter that does nothing."""


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    cases: dict[str, Any] = bench_hook.run(9, peers=False)["cases"]
    return cases


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    return bench_first_answer.run(10_000, 5)


def test_the_hook_adds_under_25_ms_with_a_warm_daemon(hook: dict[str, Any]) -> None:
    assert hook[bench_hook.WARM]["added_wall_ms_least"] < 25, hook[bench_hook.WARM]


def test_the_hook_adds_under_150_ms_without_a_daemon(hook: dict[str, Any]) -> None:
    assert hook[bench_hook.ALONE]["added_wall_ms_least"] < 150, hook[bench_hook.ALONE]


@pytest.mark.parametrize(("case", "most"), [("warm", 300), ("cold", 1000)])
def test_the_first_answer_for_three_files_of_ten_thousand(answers: dict[str, Any], case: str, most: int) -> None:
    assert answers["answers"][case]["wall_ms_least"] < most, answers["answers"]


@pytest.mark.parametrize("words", ["--staged", "--all"])
def test_nothing_is_read_again_on_a_second_run(answers: dict[str, Any], words: str) -> None:
    row = answers["asked_twice"][words]
    assert row["inputs"] > 0
    assert row["read_again"] == 0, row


def test_the_first_full_scan_is_faster_than_the_sum_of_the_peers_and_engines_agree_with_their_own(tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    (tmp_path / "project").mkdir()
    folder = bench_first_scan.unpacked(bench_first_scan.fetched(bench_first_scan.DEFAULT, tmp_path / "download"), tmp_path / "project")
    with bench_folder() as home:
        figures = bench_first_scan.run(folder, home, PEERS, 1)
    if len(figures["peers"]) < 4:
        pytest.skip(f"NOT PROVED: only {', '.join(figures['peers']) or 'no peer'} installed; set ASSAYMARK_PEERS")
    assert figures["ours"]["cpu_s"] < figures["sum_of_peers"]["cpu_s"]
    for name in bench_first_scan.OWN_ENGINE:
        if name in figures["peers"]:
            compared = figures["peers"][name]["compared"]
            assert not compared["only_peer"], (name, compared)
            assert not compared["only_ours"], (name, compared)


def test_starting_keeps_to_its_budget_of_instructions() -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("NOT PROVED: valgrind is not installed")
    counts = bench_startup.run()["million_instructions"]
    assert counts["hook client, no socket there"] - counts["nothing (-I -S)"] < CLIENT_BUDGET, counts
    assert counts["hook with an empty change"] - counts["nothing (-I)"] < PROGRAM_BUDGET, counts
