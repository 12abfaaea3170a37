"""Pages of environments and the loud part of the first page: what runs, by which approval, and what its forms do."""

from __future__ import annotations

from tests.server.deployed.house import BAD, BETTER, DAY, GOOD, House, hours
from tests.server.deployed.test_drifts_told import SHELL

from assaymark.endorsement.approval import stamp
from assaymark.model.assessment import SECOND, Instant


def test_a_page_says_what_runs_since_when_by_which_approval_and_what_it_went_through(house: House) -> None:
    assert "No deployer has told anything yet" in house.page("ana", "GET", "/environments")
    house.promote(GOOD)
    house.tell(house.deployer.replace(GOOD))
    house.tell(house.deployer.replace(GOOD))
    assert "as approved" in house.page("ana", "GET", "/environments")
    text = house.page("ana", "GET", "/environments/1")
    for words in ("approved", GOOD[:19], "2, deployed by dora", "By which approval", "what runs is what is wanted", "retired", "line "):
        assert words in text
    assert "Nothing that runs here is known to differ" in text
    assert "Not approved, and running" not in text
    pair = house.page("ana", "GET", "/environments/pairs/1")
    assert "Generations, the newest first" in pair
    house.page("max", "GET", "/environments/1", 404)
    house.page("max", "GET", "/environments/pairs/1", 404)


def test_an_approval_that_ends_soon_is_said_before_it_ends(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    ends = house.wanted()["running"]["expires_at"]
    far = house.page("ana", "GET", "/environments/1")
    assert "approved</span> until " in far
    assert "have it judged again" not in far
    house.clock.ahead += ends - house.clock() - 3 * DAY
    assert "have it judged again, or deploy what is newer" in house.page("ana", "GET", "/environments/1")


def test_what_runs_without_an_approval_is_loud_on_both_pages(house: House) -> None:
    assert "They run" not in house.page("dora", "GET", "/")
    house.tell(house.deployer.force(BAD, Instant(house.clock() + DAY), "<script>alert(1)</script>"))
    for who in ("dora", "sec"):
        text = house.page(who, "GET", "/")
        assert "It runs without an approval" in text
        assert "the glass was broken" in text
    assert "deployed by dora (you)" in house.page("dora", "GET", "/")
    raw = house.client.get("/", headers={"Authorization": "Bearer dora"}).text
    assert "<script>alert(1)" not in raw
    assert "the glass was broken" in house.page("ana", "GET", "/environments/1")
    assert "It runs without an approval" not in house.page("max", "GET", "/")
    figures = house.ask("sec", "GET", "/figures")["figures"]["deployed"]
    assert (figures["live"], figures["forced"], figures["forced_in_window"]) == (1, 1, 1)
    assert "Break-glass orders in 90 days" in house.page("sec", "GET", "/posture")
    assert house.ask("max", "GET", "/figures")["figures"]["deployed"] is None


def test_a_revocation_is_loud_for_whoever_deployed_it(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.revoke(GOOD)
    assert "Not approved, and running" in house.page("dora", "GET", "/environments/1"), "the page asks anew"
    house.work("look-at-deployments")
    assert "deployed by dora (you)" in house.page("dora", "GET", "/")


def test_forms_do_what_the_api_does(house: House) -> None:
    assert "nothing is endorsed" in house.page("ana", "POST", "/environments", 409, environment="production", component="shop", digest=BAD)
    assert house.page("ana", "POST", "/environments", 303, environment="production", component="shop", digest=GOOD) == "/environments"
    here = house.here()
    house.page("ana", "POST", f"{here}/terms", 403, people="1", ignore_days="5", unapproved="alert")
    assert house.page("sec", "POST", f"{here}/terms", 303, people="1", ignore_days="5", unapproved="stop") == here
    house.page("sec", "POST", f"{here}/terms", 400, people="99", ignore_days="5", unapproved="stop")
    house.page("ana", "POST", here, 303, do="promote", component="shop", digest=BETTER, reason="it is better")
    assert "Waits for me to agree" in house.page("ben", "GET", "/")
    assert "Waits for me to agree" not in house.page("ana", "GET", "/")
    assert "ana wants" in house.page("ben", "GET", here)
    house.page("ben", "POST", here, 400, do="decline", promotion=house.waiting())
    house.page("ben", "POST", here, 303, do="agree", promotion=house.waiting())
    assert house.wanted()["digest"] == BETTER
    house.page("ana", "POST", here, 400, do="nonsense")
    house.page("dora", "POST", here, 403, do="promote", component="shop", digest=GOOD)


def test_a_drift_is_looked_away_from_by_a_form_and_accepted_by_none(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL)
    here = "/environments/1"
    text = house.page("ana", "GET", here)
    assert "Nobody accepts a drift" in text
    assert "/bin/sh" in text
    assert "uid 0" in text
    assert "Drifted" in house.page("ana", "GET", "/")
    house.page("ana", "POST", here, 400, do="ignore", drift="1", until="", reason="x")
    house.page("ana", "POST", here, 303, do="ignore", drift="1", until=hours(2, house).removesuffix("Z"), reason="we look at it")
    assert "ana looks away" in house.page("ben", "GET", here)
    house.page("ben", "POST", here, 303, do="look", drift="1")
    assert "looks away" not in house.page("ben", "GET", here)


def test_figures_of_a_past_day_stay_what_they_were(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL)
    then = Instant(house.clock() + 2 * SECOND)  # a moment is asked for in whole seconds
    house.clock.ahead += DAY
    house.tell(house.deployer.replace(BETTER))
    now = house.ask("ad", "GET", "/figures")["figures"]["deployed"]
    assert (now["live"], now["drifts"], now["found_in_window"]) == (1, 0, 1)
    assert abs(now["mean_seconds_to_resolve"] - 86_400) < 60
    past = house.ask("ad", "GET", f"/figures?as_of={stamp(then)}")["figures"]["deployed"]
    assert (past["live"], past["drifts"], past["critical_drifts"]) == (1, 1, 1)
