"""What each pair should run: promoted digests that verify now, what is pinned, and what to do about what was revoked."""

from __future__ import annotations

import time

import msgspec
import pytest
from tests.server.deployed.house import BAD, BETTER, DAY, GOOD, House, endorse

from assaymark.deployment.phoenix.generation import KEEPER, State, Why
from assaymark.endorsement.verify import Refusal, Refused
from assaymark.model.assessment import Instant
from assaymark.server.work.standing import Standing
from assaymark.server.work.wanting import Case, Do, decide
from assaymark.store.environments import Unapproved
from assaymark.store.generations import GenerationRow
from assaymark.store.promotions import PromotionRow
from assaymark.store.promotions import State as Asked

OK, NO = Standing(ok=True), Standing(ok=False, refused=(Refused(Refusal.EXPIRED, "its time is over"),))
REVOKED = Standing(ok=False, refused=(Refused(Refusal.REVOKED, "it was taken back"),))
NOW = Instant(1_000)
LIVE = GenerationRow(
    id=1, pair=1, number=3, state=State.LIVE, digest=GOOD, image="", why="deploy", actor="dora", endorsement="", breakglass="", reason="",
    pinned=False, began_at=Instant(10), live_at=Instant(20), ended_at=None, forced_at=None, until=None, doubt="", doubted_at=None,
)  # fmt: skip
SAME = PromotionRow(
    id=1, pair=1, environment=1, environment_name="production", component="shop", team=None, digest=GOOD, image="", reason="", pins=False,
    releases=False, asked_by="ana", person=None, asked_at=Instant(30), people=0, state=Asked.PROMOTED, ended_at=Instant(30), answer="",
    endorsement="", log_number=1, votes=(),
)  # fmt: skip
OTHER = msgspec.structs.replace(SAME, digest=BETTER)
LETS_GO = msgspec.structs.replace(OTHER, releases=True)
PINNED = msgspec.structs.replace(LIVE, pinned=True)
FORCED = msgspec.structs.replace(LIVE, breakglass="sha256:9", until=Instant(2_000))
OVER = msgspec.structs.replace(LIVE, breakglass="sha256:9", until=Instant(1_000))
OLD_WISH = msgspec.structs.replace(LETS_GO, ended_at=Instant(5))


@pytest.mark.parametrize(
    ("live", "stands", "wish", "wish_stands", "expected"),
    [
        (None, NO, None, NO, Do.NOTHING),
        (None, NO, SAME, OK, Do.DEPLOY),
        (None, NO, SAME, NO, Do.NOTHING),
        (LIVE, OK, None, NO, Do.KEEP),
        (LIVE, OK, SAME, OK, Do.KEEP),
        (LIVE, OK, OTHER, OK, Do.DEPLOY),
        (LIVE, OK, OTHER, NO, Do.KEEP),
        (LIVE, NO, OTHER, OK, Do.REPLACE),
        (LIVE, NO, OTHER, NO, Do.ALERT),
        (LIVE, NO, SAME, NO, Do.ALERT),
        (LIVE, REVOKED, None, NO, Do.ALERT),
        (PINNED, OK, OTHER, OK, Do.KEEP),
        (PINNED, OK, LETS_GO, OK, Do.DEPLOY),
        (PINNED, OK, OLD_WISH, OK, Do.KEEP),
        (PINNED, REVOKED, OTHER, OK, Do.REPLACE),
        (FORCED, NO, None, NO, Do.KEEP),
        (FORCED, NO, OTHER, OK, Do.DEPLOY),
        (OVER, NO, OTHER, OK, Do.REPLACE),
        (OVER, NO, None, NO, Do.ALERT),
    ],
)
def test_what_is_to_be_done(
    live: GenerationRow | None, stands: Standing, wish: PromotionRow | None, wish_stands: Standing, expected: Do
) -> None:
    case = Case(live, stands, wish, wish_stands, Unapproved.ALERT, NOW)
    assert decide(case)[0] is expected


@pytest.mark.parametrize(("stands", "expected"), [(REVOKED, Do.STOP), (NO, Do.ALERT)])
def test_an_environment_that_says_so_stops_what_was_revoked_but_not_what_grew_old(stands: Standing, expected: Do) -> None:
    assert decide(Case(LIVE, stands, None, NO, Unapproved.STOP, NOW))[0] is expected
    assert decide(Case(LIVE, stands, OTHER, OK, Unapproved.STOP, NOW))[0] is Do.REPLACE, "what can be replaced is not stopped"


def test_a_revocation_shows_with_the_next_question_and_is_told_to_whoever_deployed_it(house: House) -> None:
    house.promote(GOOD)
    assert house.wanted()["do"] == "deploy"
    house.tell(house.deployer.replace(GOOD))
    house.promote(BETTER)
    house.tell(house.deployer.replace(BETTER))
    assert (house.wanted()["do"], house.wanted()["running"]["approved"]) == ("keep", True)
    began = time.monotonic()
    house.revoke(BETTER)
    found = house.wanted()
    assert time.monotonic() - began < 2
    assert (found["do"], found["approved"], found["running"]["approved"]) == ("alert", False, False)
    assert found["running"]["refused"][0]["reason"] == "revoked"
    house.work("look-at-deployments")
    (told,) = [title for kind, title in house.told() if kind == "deployment.unapproved"]
    assert "deployed by dora" in told
    house.look()
    assert len([kind for kind, _ in house.told() if kind == "deployment.unapproved"]) == 1, "told once"
    (environment,) = house.ask("ana", "GET", "/environments")["items"]
    assert environment["counts"] == {"pairs": 1, "live": 1, "unapproved": 1, "forced": 0, "drifts": 0}
    house.promote(GOOD, reason="back to what was good", pins=True)
    found = house.wanted()
    assert (found["do"], found["digest"], found["pins"]) == ("replace", GOOD, True)
    house.tell(house.deployer.replace(GOOD, why=Why.ROLLBACK))
    assert house.wanted()["running"]["pinned"] is True
    endorse(house.service, BAD)
    house.promote(BAD)
    assert (house.wanted()["do"], house.wanted()["releases"]) == ("keep", False), "a rollback stays until somebody lets go of it"
    house.promote(BAD, releases=True)
    assert house.wanted()["do"] == "deploy"


def test_what_a_person_burnt_comes_back_by_no_wish_of_before(house: House) -> None:
    house.promote(GOOD)
    house.tell(house.deployer.replace(GOOD))
    house.tell(house.deployer.burn("dora"))
    found = house.wanted()
    assert (found["do"], found["why"]) == ("nothing", "dora burnt what ran after that was wanted; promote it again, or deploy it")
    house.clock.ahead += DAY
    house.promote(GOOD)
    assert house.wanted()["do"] == "deploy"


def test_what_the_keeper_stopped_is_deployed_again_when_something_that_may_run_is_wanted(house: House) -> None:
    house.promote(GOOD)
    house.tell(house.deployer.replace(GOOD))
    house.tell(house.deployer.burn(KEEPER))
    assert house.wanted()["do"] == "deploy"


def test_an_environment_says_what_to_do_about_what_was_revoked(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    number = house.ask("ana", "GET", "/environments")["items"][0]["id"]
    house.ask("ana", "PUT", f"/environments/{number}/terms", {"unapproved": "stop"}, status=403)
    house.ask("sec", "PUT", f"/environments/{number}/terms", {"unapproved": "stop"})
    house.revoke(GOOD)
    assert house.wanted()["do"] == "stop"
    assert "environment.changed" in house.trailed()


def test_what_grows_old_is_not_approved_any_more(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.clock.ahead += 40 * DAY
    found = house.wanted()
    assert (found["do"], found["running"]["refused"][0]["reason"]) == ("alert", "expired")


def test_what_is_told_to_be_verified_and_is_not_is_told_at_once(house: House) -> None:
    house.tell(house.deployer.replace(BAD))
    assert [kind for kind, _ in house.told()].count("deployment.unapproved") == 1, "the deployer's word is not believed"
    assert house.wanted()["do"] == "alert"
