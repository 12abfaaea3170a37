"""Lock files against advisories: what hits, what cannot be said, and how it is repaired."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dependencies.advisory_samples import CRITICAL, compiled, record, said, settings, until

from assaymark.checks.application.dependencies.check import make
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.matcher import match
from assaymark.checks.application.dependencies.matching.records import Exploited
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.errors import EngineMissing
from assaymark.model.check import Dialect, Input, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, ComponentSite, Sighting, UncheckedSite
from assaymark.model.severity import Confidence, Severity


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def notes(sighting: Sighting) -> dict[str, str]:
    return dict(sighting.notes)


def advice(sighting: Sighting) -> str:
    assert sighting.fix is not None
    return sighting.fix.advice


def rules(sightings: tuple[Sighting, ...]) -> list[str]:
    return [sighting.rule.partition("/")[2] for sighting in sightings]


# --- what hits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "hit"),
    [("0.9", True), ("1.9.9", True), ("2.0rc1", True), ("2.0", False), ("2.0.0", False), ("3.0", True), ("3.1.0", True), ("3.1.1", False)],
)
def test_a_version_is_hit_by_its_place_in_the_ecosystems_order(index: Path, version: str, hit: bool) -> None:
    compiled(index, [record("GHSA-1", "Lantern", *until("2"), {"introduced": "3"}, {"last_affected": "3.1"})])
    assert bool(said(index, "requirements", f"lantern=={version}\n")) is hit


def test_true_samples_of_every_rule_are_found_and_false_ones_are_not(index: Path) -> None:
    notice = record("RUSTSEC-1", "old", {"introduced": "0"})
    notice["affected"][0]["database_specific"] = {"informational": "unmaintained"}
    compiled(index, [record("GHSA-1", "holed", *until("2")), record("MAL-2026-1", "evil", {"introduced": "0"}), notice])
    assert rules(said(index, "requirements", "evil==1\nholed==1\nold==1\n")) == [
        "malicious-package",
        "known-vulnerability",
        "informational-notice",
    ]
    assert said(index, "requirements", "evil-twin==1\nholed==2\nolder==1\n") == ()


def test_names_are_compared_as_the_ecosystem_does(index: Path) -> None:
    compiled(index, [record("GHSA-1", "Zope.Interface", *until("2")), record("GHSA-2", "Case", *until("2"), ecosystem="npm")])
    assert len(said(index, "requirements", "zope_interface==1\n")) == 1
    lock = '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/case": {"version": "1.0.0"}}}'
    assert said(index, "package-lock", lock) == ()


def test_several_ids_of_one_vulnerability_are_one_finding(index: Path) -> None:
    ghsa = record("GHSA-1", "lantern", *until("2.0"), aliases=["CVE-2026-7"], severity=[{"type": "CVSS_V3", "score": CRITICAL}])
    pysec = record("PYSEC-2026-3", "lantern", *until("2.1"), aliases=["CVE-2026-7", "GHSA-1"])
    compiled(index, [ghsa, pysec])
    (one,) = said(index, "requirements", "lantern==1.0\n")
    assert one.site == ComponentSite("pkg:pypi/lantern", "CVE-2026-7", "1.0")
    assert notes(one)["also known as"] == "GHSA-1, PYSEC-2026-3"
    assert one.severity is Severity.CRITICAL
    assert notes(one)["severity"] == f"CVSS 3.1 base score 9.8 {CRITICAL}"


def test_withdrawn_records_hit_nothing_and_join_nothing(index: Path) -> None:
    gone = record("GHSA-1", "lantern", *until("2"), withdrawn="2026-02-01T00:00:00Z", aliases=["CVE-2026-1", "CVE-2026-2"])
    compiled(
        index,
        [
            gone,
            record("PYSEC-1", "lantern", *until("2"), aliases=["CVE-2026-1"]),
            record("PYSEC-2", "lantern", *until("2"), aliases=["CVE-2026-2"]),
        ],
    )
    assert len(said(index, "requirements", "lantern==1\n")) == 2


def test_two_versions_of_one_package_in_one_file_are_one_finding(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lamp", *until("3.0.0"), ecosystem="npm")])
    packages = {
        "": {},
        "node_modules/lamp": {"version": "1.0.0"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/a/node_modules/lamp": {"version": "2.0.0"},
    }
    (one,) = said(index, "package-lock", json.dumps({"lockfileVersion": 3, "packages": packages}))
    assert notes(one)["version"] == "1.0.0, 2.0.0"


def test_a_version_without_an_order_is_compared_by_its_text_and_said_to_be(index: Path) -> None:
    compiled(index, [record("GHSA-1", "pytz", *until("2005"), versions=["2004d-r1.x"])])
    hit, gap = said(index, "requirements", "pytz==2004d-r1.x\n")
    assert isinstance(hit.site, ComponentSite)
    assert "no order" in notes(hit)["matched"]
    assert isinstance(gap.site, UncheckedSite)
    (alone,) = said(index, "requirements", "pytz==other-legacy\n")
    assert isinstance(alone.site, UncheckedSite)
    assert said(index, "requirements", "unknown==other-legacy\n") == ()  # nobody speaks of it, whatever its order


@pytest.mark.parametrize("events", [({"introduced": "0"}, {"fixed": "next-release"}), ()])
def test_a_range_without_an_order_is_a_gap_for_what_it_does_not_list(index: Path, events: tuple[dict[str, str], ...]) -> None:
    listed = {"versions": ["1.0"]} if events else {}
    compiled(index, [record("GHSA-1", "lantern", *events, **cast("dict[str, Any]", listed))])
    (gap,) = said(index, "requirements", "lantern==1.1\n")
    assert isinstance(gap.site, UncheckedSite)
    assert "GHSA-1" in gap.message
    if events:
        (hit,) = said(index, "requirements", "lantern==1.0.0\n")  # listed under another spelling
        assert isinstance(hit.site, ComponentSite)


def test_an_unpinned_requirement_and_a_commit_are_gaps_beside_what_was_found(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("2"))])
    commit = "a" * 40
    found = said(index, "requirements", f"lantern==1\nflask>=2\nbell @ git+https://example.org/bell@{commit}\n")
    assert [sighting.site.reason_class for sighting in found if isinstance(sighting.site, UncheckedSite)] == ["unpinned", "unmatched"]
    assert sum(isinstance(sighting.site, ComponentSite) for sighting in found) == 1


def test_what_cannot_be_read_is_unchecked_with_its_reason(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("2"))])
    check = make(settings(index))
    content = b'{"packages": '
    ((_, outcome),) = check.run([Input(sha256(content), Dialect("package-lock"), (Part("", content),))])
    assert isinstance(outcome, Unchecked)
    assert outcome.reason_class == "syntax"


def test_an_ecosystem_without_advisories_here_is_a_gap_of_the_whole_file(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("2"))])
    (gap,) = said(index, "package-lock", json.dumps(TREE))
    assert gap.site == UncheckedSite(CheckId("dependencies"), "blob", "engine-missing")
    assert "--ecosystem 'npm'" in gap.message


def test_a_distribution_is_compared_with_its_own_release_alone(index: Path) -> None:
    compiled(index, [record("DSA-1", "openssl", *until("3.0.2"), ecosystem="Debian:12")])
    opened = Index(str(index))
    package = Package("libssl3", "3.0.1-1", Ecosystem.DEBIAN, upstream="openssl")
    assert [hit.advisory for hit in match(PackageSet((package,), release="12"), opened).hits] == ["DSA-1"]
    for release in ("11", ""):
        found = match(PackageSet((package,), release=release), opened)
        assert (found.hits, len(found.gaps)) == ((), 1)


def test_advisories_about_a_source_package_mean_its_version(index: Path) -> None:
    compiled(index, [record("DSA-1", "gcc", *until("12.2"), ecosystem="Debian:12")])
    opened = Index(str(index))
    package = Package("libgcc", "1:9", Ecosystem.DEBIAN, upstream="gcc", upstream_version="12.1")
    assert [hit.advisory for hit in match(PackageSet((package,), release="12"), opened).hits] == ["DSA-1"]
    later = Package("libgcc", "1:9", Ecosystem.DEBIAN, upstream="gcc", upstream_version="12.2")
    assert match(PackageSet((later,), release="12"), opened).hits == ()


def test_what_is_installed_is_compared_like_what_is_locked(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("2"))])
    found = said(index, "dist-info", "Metadata-Version: 2.1\nName: lantern\nVersion: 1.0\n\n")
    assert len(found) == 1
    assert make(settings(index)).select("a/lantern-1.0.dist-info/METADATA") == "dist-info"


# --- how urgent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exploited", "severity"),
    [
        (None, Severity.LOW),
        (Exploited("2026-02-03", "2026-03-01"), Severity.HIGH),
        (Exploited("2026-02-03", ransomware=True), Severity.CRITICAL),
    ],
)
def test_known_exploitation_raises_and_epss_does_not(index: Path, exploited: Exploited | None, severity: Severity) -> None:
    low = record("GHSA-1", "lantern", *until("2"), aliases=["CVE-2026-1"], database_specific={"severity": "LOW"})
    compiled(index, [low], {"CVE-2026-1": exploited} if exploited else {}, {"CVE-2026-1": (0.91234, 0.999)})
    (one,) = said(index, "requirements", "lantern==1\n")
    assert one.severity is severity
    assert notes(one)["EPSS"] == "0.912 (percentile 0.999)"
    assert notes(one)["severity"] == "rated low by its database"
    assert ("known to be exploited" in notes(one)) is (exploited is not None)


def test_need_for_development_lowers_confidence_and_not_severity(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lamp", *until("2.0.0"), ecosystem="npm", database_specific={"severity": "HIGH"})])
    lock = {
        "lockfileVersion": 3,
        "packages": {"": {"devDependencies": {"lamp": "1"}}, "node_modules/lamp": {"version": "1.0.0", "dev": True}},
    }
    (one,) = said(index, "package-lock", json.dumps(lock))
    assert (one.severity, one.confidence) == (Severity.HIGH, Confidence.MEDIUM)
    assert notes(one)["scope"] == "needed for development only"


def test_vulnerable_parts_of_a_go_module_are_named(index: Path) -> None:
    imports = {"imports": [{"path": "example.org/m/inner", "symbols": ["Parse", "Read"]}]}
    compiled(index, [record("GO-2026-1", "example.org/m", *until("1.2.0"), ecosystem="Go", ecosystem_specific=imports)])
    (one,) = said(index, "go-mod", "module x\n\ngo 1.22\n\nrequire example.org/m v1.1.0\n")
    assert notes(one)["vulnerable parts"] == "example.org/m/inner#Parse, example.org/m/inner#Read"
    assert "`go get example.org/m@v1.2.0 && go mod tidy`" in advice(one)


# --- the way in and the way out --------------------------------------------------------------------------------------

TREE = {
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"shop": "1"}},
        "node_modules/shop": {"version": "1.0.0", "dependencies": {"shelf": "1"}},
        "node_modules/shelf": {"version": "1.0.0", "dependencies": {"lamp": "1"}},
        "node_modules/lamp": {"version": "1.0.0"},
    },
}


def test_the_way_in_and_the_direct_dependency_to_raise_are_told(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lamp", *until("1.0.2"), ecosystem="npm")])
    (one,) = said(index, "package-lock", json.dumps(TREE))
    assert notes(one)["brought in by"] == "shop > shelf > lamp"
    assert "`npm update lamp`" in advice(one)
    assert advice(one).endswith("It comes with shop: if that holds it back, raise shop.")


def test_the_upgrade_clears_every_advisory_of_the_package(index: Path) -> None:
    first = record("GHSA-1", "lantern", *until("1.2"))
    second = record("GHSA-2", "lantern", *until("1.5", introduced="1.1"))
    later = record("GHSA-3", "lantern", *until("1.7", introduced="1.5"))  # does not hit 1.0, but the first candidates
    compiled(index, [first, second, later])
    (one,) = said(index, "requirements", "lantern==1.0\n")
    assert notes(one)["fixed in"] == "1.2"
    assert "Raise lantern to 1.7, the smallest version that has no known vulnerability" in advice(one)


def test_what_was_never_repaired_does_not_hide_the_upgrade_for_the_rest(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("1.2")), record("GHSA-2", "lantern", {"introduced": "0"})])
    repaired, open_ = said(index, "requirements", "lantern==1.0\n")
    assert "Raise lantern to 1.2, the smallest version that clears all of its advisories that were repaired" in advice(repaired)
    assert advice(open_).startswith("No repaired version of lantern is published")


def test_nobody_is_told_to_go_down(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", {"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"})])
    (one,) = said(index, "requirements", "lantern==2.1\n")
    assert advice(one).startswith("No repaired version")


def test_a_malicious_package_is_removed_not_raised(index: Path) -> None:
    compiled(index, [record("MAL-2026-1", "evil", {"introduced": "0"}, versions=["1.0"])])
    (one,) = said(index, "requirements", "evil==1.0\n")
    assert one.severity is Severity.CRITICAL
    assert advice(one).startswith("Remove evil now")


def test_a_package_with_thousands_of_advisories_is_judged_in_seconds(index: Path) -> None:
    rows = [record(f"CVE-2026-{number}", "linux", *until(f"6.{number % 200}"), ecosystem="PyPI") for number in range(2_000)]
    compiled(index, [*rows, record("CVE-2025-1", "linux", {"introduced": "0"})])
    start = time.process_time()
    found = said(index, "requirements", "linux==6.1\n")
    assert time.process_time() - start < 10
    assert len(found) > 1_900
    assert "Raise linux to 6.199" in advice(found[5])


# --- the index -------------------------------------------------------------------------------------------------------


def test_without_an_index_the_check_cannot_run_and_says_how_to_get_one(index: Path) -> None:
    with pytest.raises(EngineMissing, match="assay advisories update"):
        make(settings(index)).knowledge()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(200)])
def test_a_damaged_index_is_an_error_and_no_clean_answer(index: Path, content: bytes) -> None:
    index.write_bytes(content)
    with pytest.raises(EngineMissing, match="assay advisories update"):
        make(settings(index)).knowledge()


def test_a_folder_of_any_name_will_do(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20d" / "index.db"
    assert make(settings(path)).id == "dependencies"
    assert compiled(path, [record("GHSA-1", "lantern", *until("2"))]).snapshot == make(settings(path)).knowledge()


def test_knowledge_is_the_snapshot_and_an_index_replaced_meanwhile_is_noticed(index: Path) -> None:
    first = compiled(index, [record("GHSA-1", "lantern", *until("2"))])
    check = make(settings(index))
    assert check.knowledge() == first.snapshot
    compiled(index, [record("GHSA-1", "lantern", *until("3"))])
    content = b"lantern==2.5\n"
    ((_, outcome),) = check.run([Input(sha256(content), Dialect("requirements"), (Part("", content),))])
    assert isinstance(outcome, Unchecked)
    assert outcome.reason_class == "changed"
