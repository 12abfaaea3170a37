"""Identity, ratchet and VEX for components: what is new is new, and nothing gets worse unseen."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dependencies.advisory_samples import TODAY, assayed, compiled, record, until

from assaymark.errors import PolicyInvalid
from assaymark.model.verdict import Outcome, ReasonKind, State, Verdict
from assaymark.verdict.vex import parse_vex, split_purl
from assaymark.views.openvex import render_openvex

HOLED = "lantern==1.0\n"
WAIVER = '[[waiver]]\nrule = "known-vulnerable-component"\nreason = "{}"\nowner = "bo"\nuntil = 2027-01-01\n'
BOTH = "lantern==1.0\nbell==1.0\n"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index.db"
    compiled(path, [record("GHSA-1", "lantern", *until("2.0"), aliases=["CVE-2026-1"]), record("GHSA-2", "bell", *until("3.0"))])
    return path


def new(verdict: Verdict) -> list[str]:
    return [judged.finding.core.parts[0] for judged in verdict.findings if judged.state is State.NEW]


def kinds(verdict: Verdict) -> list[ReasonKind]:
    return [reason.kind for reason in verdict.reasons]


def test_one_more_vulnerable_package_is_one_new_finding(index: Path) -> None:
    verdict = assayed(index, {"requirements.txt": HOLED}, {"requirements.txt": BOTH})
    assert (verdict.outcome, new(verdict)) == (Outcome.FAIL, ["pkg:pypi/bell"])


def test_moving_reordering_and_raising_within_the_range_is_nothing_new(index: Path) -> None:
    base = {"requirements.txt": BOTH}
    for head in (
        {"api/requirements.txt": BOTH},
        {"requirements.txt": "# pins\n\nbell==1.0\nlantern==1.0\n"},
        {"requirements.txt": "lantern==1.9\nbell==2.0\n"},
    ):
        verdict = assayed(index, base, head)
        assert (verdict.outcome, new(verdict)) == (Outcome.PASS, [])


def test_a_copy_of_a_lock_file_is_a_copy_of_its_findings(index: Path) -> None:
    verdict = assayed(index, {"requirements.txt": HOLED}, {"requirements.txt": HOLED, "job/requirements.txt": HOLED})
    assert new(verdict) == ["pkg:pypi/lantern"]


def test_a_raise_that_clears_is_fixed(index: Path) -> None:
    verdict = assayed(index, {"requirements.txt": HOLED}, {"requirements.txt": "lantern==2.0\n"})
    assert [judged.state for judged in verdict.findings] == [State.FIXED]


def test_a_raise_into_another_vulnerability_is_new_although_one_is_fixed(index: Path) -> None:
    compiled(index, [record("GHSA-1", "lantern", *until("2.0")), record("GHSA-9", "lantern", *until("3.0", introduced="2.0"))])
    verdict = assayed(index, {"requirements.txt": HOLED}, {"requirements.txt": "lantern==2.1\n"})
    assert verdict.outcome is Outcome.FAIL
    assert {judged.state for judged in verdict.findings} == {State.NEW, State.FIXED}


def test_without_advisories_a_changed_lock_file_is_unproven_and_says_what_to_do(index: Path) -> None:
    index.unlink()
    verdict = assayed(index, {"requirements.txt": HOLED}, {"requirements.txt": BOTH})
    assert verdict.outcome is Outcome.UNPROVEN
    assert "assay advisories update" in verdict.reasons[0].text
    assert assayed(index, {"requirements.txt": HOLED, "a": "1"}, {"requirements.txt": HOLED, "a": "2"}).outcome is Outcome.PASS


# --- entries that could not be checked -------------------------------------------------------------------------------


def test_an_entry_that_base_holds_as_well_does_not_stop_again_and_a_further_one_does(index: Path) -> None:
    base = {"requirements.txt": "flask>=1\nlantern==2.0\n"}
    assert assayed(index, base, {"requirements.txt": "flask>=1\nlantern==2.1\n"}).outcome is Outcome.PASS
    more = assayed(index, base, {"requirements.txt": "flask>=1\nlantern==2.1\ndjango\n"})
    assert more.outcome is Outcome.UNPROVEN
    assert [judged.state for judged in more.findings] == [State.NEW, State.KNOWN]
    copied = assayed(index, base, {**base, "job/requirements.txt": "flask>=1\n"})
    assert copied.outcome is Outcome.UNPROVEN


def test_many_unpinned_entries_are_one_reason(index: Path) -> None:
    verdict = assayed(index, {}, {"requirements.txt": "".join(f"name{number}>=1\n" for number in range(40))})
    assert kinds(verdict) == [ReasonKind.UNPROVEN]
    assert "39 more" in verdict.reasons[0].text


def test_a_whole_file_that_stays_unreadable_is_still_unproven(index: Path) -> None:
    broken = {"package-lock.json": "{"}
    assert assayed(index, broken, {"package-lock.json": "{ "}).outcome is Outcome.UNPROVEN


# --- OpenVEX ---------------------------------------------------------------------------------------------------------


def document(*, at: str = "2026-11-01T00:00:00Z", product: str = "pkg:pypi/lantern@1.0", **row: object) -> str:
    statement: dict[str, object] = {
        "vulnerability": {"name": "GHSA-1"},
        "products": [{"@id": "pkg:oci/shop", "subcomponents": [{"@id": product}]}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        **row,
    }
    statement = {name: value for name, value in statement.items() if value is not None}
    whole = {"@context": "https://openvex.dev/ns/v0.2.0", "author": "ana@example.org", "timestamp": at, "statements": [statement]}
    return json.dumps(whole)


def with_vex(text: str, lock: str = HOLED, policy: str = "") -> Mapping[str, str]:
    return {"requirements.txt": lock, "vex.json": text, "assay.toml": policy + '[checks]\nvex = ["vex.json"]\n'}


def test_a_statement_lets_its_finding_through_and_is_shown_when_it_is_added(index: Path) -> None:
    verdict = assayed(index, {}, with_vex(document()))
    assert verdict.outcome is Outcome.PASS
    assert kinds(verdict) == [ReasonKind.EXCEPTION]
    (judged,) = verdict.findings
    assert judged.waiver is not None
    assert (judged.waiver.source, judged.waiver.owner) == ("vex", "ana@example.org")
    assert kinds(assayed(index, with_vex(document()), with_vex(document(), HOLED + "\n"))) == []


@pytest.mark.parametrize(
    "text",
    [
        document(product="pkg:pypi/bell@1.0"),
        document(product="pkg:pypi/lantern@1.1"),
        document(product="pkg:npm/lantern@1.0"),
        document(vulnerability={"name": "CVE-2026-2"}),
        document(status="under_investigation"),
        document(status="affected", action_statement="wait"),
        document(at="2026-03-01T00:00:00Z"),
        document(at="2026-12-24T00:00:00Z"),
        document(products=[{"@id": "pkg:oci/shop"}]),
    ],
    ids=["package", "version", "ecosystem", "vulnerability", "investigation", "affected", "too old", "to come", "no component"],
)
def test_what_a_statement_does_not_say_it_does_not_let_through(index: Path, text: str) -> None:
    assert assayed(index, {}, with_vex(text)).outcome is Outcome.FAIL


@pytest.mark.parametrize("name", ["CVE-2026-1", "GHSA-1"])
@pytest.mark.parametrize("product", ["pkg:pypi/lantern", "pkg:pypi/lantern@1.0?os=any#part"])
def test_any_id_and_any_form_of_the_package_url_will_do(index: Path, name: str, product: str) -> None:
    assert assayed(index, {}, with_vex(document(vulnerability={"name": name}, product=product))).outcome is Outcome.PASS


def test_the_newest_statement_counts(index: Path) -> None:
    both = json.loads(document())
    both["statements"].append(
        {**both["statements"][0], "status": "affected", "action_statement": "raise it", "timestamp": "2026-11-20T00:00:00Z"}
    )
    assert assayed(index, {}, with_vex(json.dumps(both))).outcome is Outcome.FAIL


def test_where_an_approver_is_asked_for_a_document_is_not_honoured(index: Path) -> None:
    verdict = assayed(index, {}, with_vex(document(), policy='[policy]\nlevel = "regulated"\n'))
    assert verdict.outcome is Outcome.FAIL
    assert any("approver" in notice for notice in verdict.notices)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"@context": "https://example.org", "statements": []}',
        document(justification=None),
        document(at=""),
        document(vulnerability={}),
    ],
)
def test_what_is_no_openvex_is_an_error_and_no_empty_list(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse_vex(text.encode(), "vex.json")


def test_package_urls_are_split_behind_the_name() -> None:
    assert split_purl("pkg:npm/%40scope/lamp@1.0.0?x=y") == ("pkg:npm/@scope/lamp", "1.0.0")
    assert split_purl("pkg:npm/@scope/lamp") == ("pkg:npm/@scope/lamp", "")


def test_what_we_write_we_read_again_and_it_says_what_was_decided(index: Path) -> None:
    waiver = WAIVER.format("vulnerable_code_not_in_execute_path: only read")
    verdict = assayed(index, {}, {"requirements.txt": HOLED, "assay.toml": waiver})
    text = render_openvex(verdict, "ana@example.org", "2026-11-27T00:00:00Z")
    (one,) = parse_vex(text.encode(), "written")
    assert (one.status, one.said, one.at) == ("not_affected", "vulnerable_code_not_in_execute_path only read", TODAY)
    assert one.products == (("pkg:pypi/lantern", "1.0"),)
    assert assayed(index, {}, with_vex(text)).outcome is Outcome.PASS
    again = json.loads(render_openvex(assayed(index, {}, with_vex(text)), "ana@example.org", "2026-11-27T00:00:00Z"))
    assert again["statements"] == json.loads(text)["statements"]


def test_a_waiver_without_a_justification_says_affected_and_the_undecided_is_under_investigation(index: Path) -> None:
    waiver = WAIVER.format("next week")
    accepted = json.loads(
        render_openvex(assayed(index, {}, {"requirements.txt": HOLED, "assay.toml": waiver}), "a", "2026-11-27T00:00:00Z")
    )
    assert accepted["statements"][0]["status"] == "affected"
    assert accepted["statements"][0]["action_statement"] == "Accepted until 2027-01-01 by bo: next week"
    undecided = json.loads(render_openvex(assayed(index, {}, {"requirements.txt": HOLED}), "a", "2026-11-27T00:00:00Z"))
    assert undecided["statements"][0]["status"] == "under_investigation"


def test_an_ended_waiver_day_is_not_stretched_by_vex(index: Path) -> None:
    late = TODAY + dt.timedelta(days=400)
    assert assayed(index, {}, with_vex(document()), late).outcome is Outcome.FAIL
