"""Promotions: only what verifies now for the environment, by two people where it asks for them, each a line of the log."""

from __future__ import annotations

import json

from tests.server.deployed.house import BAD, BETTER, DAY, GOOD, House, endorse


def test_only_what_is_approved_for_the_environment_is_promoted(house: House) -> None:
    refused = house.promote(BAD, status=409)
    assert refused["type"].endswith("/not-approved")
    assert "nothing is endorsed that has the digest" in refused["detail"]
    elsewhere = "sha256:" + "d" * 64
    endorse(house.service, elsewhere, environments=("staging",))
    assert "production" in house.promote(elsewhere, status=409)["title"]
    assert "never by a tag" in house.promote("shop:latest", status=400)["advice"]
    done = house.promote(GOOD, reason="it passed")
    assert (done["state"], done["asked_by"], done["endorsement"][:7]) == ("promoted", "ana", "sha256:")
    (line,) = [json.loads(text) for kind, text in house.logged() if kind == "promote"]
    assert (line["subjects"], line["actor"], line["endorsement"]) == ([GOOD], "ana", done["endorsement"])
    assert "promotion.made" in house.trailed()


def test_two_people_where_the_environment_asks_for_them(house: House) -> None:
    house.promote(GOOD)
    number = house.ask("ana", "GET", "/environments")["items"][0]["id"]
    house.ask("sec", "PUT", f"/environments/{number}/terms", {"people": 1})
    asked = house.promote(BETTER)
    assert (asked["state"], asked["people"]) == ("waiting", 1)
    assert house.wanted()["digest"] == GOOD
    place = f"/deployments/promotions/{asked['id']}"
    assert "you asked for it" in house.ask("ana", "POST", f"{place}/agree", {}, status=409)["detail"]
    house.ask("dora", "POST", f"{place}/agree", {}, status=403)
    house.ask("max", "POST", f"{place}/agree", {}, status=404)
    done = house.ask("ben", "POST", f"{place}/agree", {"reason": "seen"})
    assert (done["state"], [each["login"] for each in done["votes"]]) == ("promoted", ["ben"])
    assert house.wanted()["digest"] == BETTER
    assert "is promoted" in house.ask("sec", "POST", f"{place}/agree", {}, status=409)["detail"]
    assert [kind for kind, _ in house.told()] == ["promotion.answered", "promotion.asked", "promotion.answered"]


def test_it_is_verified_again_when_the_last_one_agrees(house: House) -> None:
    house.promote(GOOD)
    number = house.ask("ana", "GET", "/environments")["items"][0]["id"]
    house.ask("sec", "PUT", f"/environments/{number}/terms", {"people": 2})
    asked = house.promote(BETTER)
    place = f"/deployments/promotions/{asked['id']}"
    house.ask("ben", "POST", f"{place}/agree", {})
    assert "answered already" in house.ask("ben", "POST", f"{place}/agree", {}, status=409)["detail"]
    house.revoke(BETTER)
    ended = house.ask("sec", "POST", f"{place}/agree", {})
    assert (ended["state"], house.wanted()["digest"]) == ("lapsed", GOOD)
    assert "not approved any more" in ended["answer"]


def test_one_who_declines_ends_it_and_another_one_lets_it_lapse(house: House) -> None:
    house.promote(GOOD)
    number = house.ask("ana", "GET", "/environments")["items"][0]["id"]
    house.ask("sec", "PUT", f"/environments/{number}/terms", {"people": 1})
    first = house.promote(BETTER)
    second = house.promote(GOOD, who="ben")
    states = {each["id"]: each["state"] for each in house.ask("ana", "GET", "/deployments/promotions")["items"]}
    assert (states[first["id"]], states[second["id"]]) == ("lapsed", "waiting")
    done = house.ask("ana", "POST", f"/deployments/promotions/{second['id']}/decline", {"reason": "not on a Friday"})
    assert (done["state"], done["answer"]) == ("declined", "not on a Friday")
    waiting = house.ask("ana", "GET", "/deployments/promotions?state=waiting")["items"]
    assert waiting == []


def test_a_wish_that_grew_old_is_not_wanted_any_more(house: House) -> None:
    house.promote(GOOD)
    house.clock.ahead += 40 * DAY
    assert (house.wanted()["do"], house.wanted()["approved"]) == ("nothing", False)
