"""Known-good components are a view derived from valid endorsements: with expiry, adoption, "use instead", waiver and dry run, at size.

Real endorsements through the server's own handlers on both databases; a million rows of components and ten thousand endorsements for the
figures. CPU milliseconds are held to the bounds, because the machine may have other work; PostgreSQL's own are not in them, but the wall is
printed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance.harness import prove

LIST_MS, BULK_MS = 300.0, 100.0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_an_endorsement_vouches_for_is_approved_and_gone_when_it_is_withdrawn(database: str) -> None:
    said = prove("-k", database, "-p", "no:randomly", "tests/endorsing/test_endorsed_components.py")
    assert "1 passed" in said, f"NOT PROVED: {said[-500:]}"


def test_expiry_advisory_age_origin_adoption_instead_waiver_and_dry_run() -> None:
    said = prove("-p", "no:randomly", "tests/approved", "tests/endorsement/test_known_components.py")
    assert "failed" not in said, f"NOT PROVED: {said[-500:]}"
    assert "skipped" not in said, f"NOT PROVED: {said[-500:]}"


def test_a_rule_over_components_warns_before_it_stops() -> None:
    said = prove("-k", "components", "-p", "no:randomly", "tests/verdict/test_organisation_rules.py")
    assert "4 passed" in said, f"NOT PROVED: {said[-500:]}"


def test_a_million_components_are_listed_and_a_thousand_are_asked_for_in_time(fleet_url: str, tmp_path: Path) -> None:
    from benchmarks import bench_approved as bench  # noqa: PLC0415 - it needs the server's libraries

    found = bench.measured(fleet_url, tmp_path / "home", 10_000, 20)
    print(found)
    for what, taken in found.items():
        if isinstance(taken, dict):
            assert taken["cpu_p95"] < (BULK_MS if what == "1,000 package URLs" else LIST_MS), (what, taken)
