"""What a policy that became stricter puts in doubt: by the lattice of policies, in every setting, and nothing where it asks for no more."""

from __future__ import annotations

import pytest
from tests.assess.test_policies import Office
from tests.endorsing.conftest import Endorsing

from assaymark.model.digest import Digest
from assaymark.server.work import doubting
from assaymark.store import doubts

FLOOR = "kind: Policy\nmetadata: {name: floor, version: VERSION}\n"


class Once:
    number, is_last = 1, True

    def should_stop(self) -> bool:
        return False


def floor(version: str, said: str) -> str:
    return FLOOR.replace("VERSION", version) + f"floor: {{{said}}}\n"


def doubted(shop: Endorsing) -> list[str]:
    """Why, the newest first."""
    doubting.doubt_endorsed(shop.service, {"after": 0}, Once())
    with shop.service.database.read() as link:
        return [row.reason for row in doubts.page(link, None, shop.service.now(), before=None, limit=10)]


def test_each_setting_that_rose_is_named_and_a_policy_that_asks_for_no_more_is_not(lite: Endorsing) -> None:
    office = Office(lite)
    office.activate(office.propose(floor("1.0.0", "level: production")))
    lite.endorsed_one(lite.passes())
    assert doubted(lite) == [], "it was judged by this very policy"
    office.activate(office.propose(floor("2.0.0", "level: production, min_confidence: low, max_waiver_days: 30")))
    (why,) = doubted(lite)
    assert why == "floor 2.0.0 asks for more than it was judged by: min_confidence is low, it was medium, max_waiver_days is 30, it was 180"
    assert doubted(lite) == [why], "once for a version"


def test_a_check_that_may_not_be_off_any_more_is_named(lite: Endorsing) -> None:
    own = b'[policy]\nlevel = "production"\n[checks]\ndisable = ["ruff"]\n'
    lite.origin.path.joinpath("assay.toml").write_bytes(own)
    lite.endorsed_one(lite.passes())
    office = Office(lite)
    office.activate(office.propose(floor("1.0.0", "level: production, checks: [secrets]")))
    assert doubted(lite) == []
    office.activate(office.propose(floor("2.0.0", "level: production, checks: [secrets, ruff]")))
    assert doubted(lite) == ["floor 2.0.0 asks for more than it was judged by: check ruff may not be off, it was"]


@pytest.mark.parametrize(("action", "why"), [("warn", []), ("stop", ["rule no-left can stop, it was not asked"])])
def test_a_rule_that_can_stop_and_was_not_asked_puts_in_doubt(lite: Endorsing, action: str, why: list[str]) -> None:
    lite.endorsed_one(lite.passes())
    office = Office(lite)
    rule = f"  - id: no-left\n    when: finding.severity == 'low'\n    action: {action}\n    message: no\n    advice: repair it\n"
    office.activate(office.propose(FLOOR.replace("VERSION", "1.0.0") + "rules:\n" + rule))
    assert [each.partition(": ")[2] for each in doubted(lite)] == why


def test_what_is_kept_no_more_is_not_marked(lite: Endorsing) -> None:
    number = lite.passes()
    lite.endorsed_one(number)
    lite.service.blobs.remove(Digest(lite.verdict(number).grounds))
    office = Office(lite)
    office.activate(office.propose(floor("1.0.0", "level: regulated")))
    assert doubted(lite) == []
