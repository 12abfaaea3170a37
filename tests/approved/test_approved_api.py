"""Known-good components through the API: derived from endorsements, withdrawn with them, waived, tried before they are enforced."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from tests.approved.conftest import BLUE, RED, Client, Place, packages

from assaymark.endorsement.components import DAY
from assaymark.model.assessment import Instant


def states(ask: Client, who: str = "admin", **query: str) -> dict[str, str]:
    rows = ask(who, "GET", "/approved", params=query)["items"]
    return {f"{row['name'].rpartition('/')[2]}@{row['version']}": row["state"] for row in rows}


def check(ask: Client, *purls: str, who: str = "ana", **more: Any) -> dict[str, dict[str, Any]]:
    asked = ask(who, "POST", "/approved/check", json={"components": [{"purl": each} for each in purls], **more})
    return {row["purl"]: row for row in asked["components"]}


def test_what_endorsed_subjects_hold_is_approved_until_the_endorsement_ends_or_is_withdrawn(place: Place, ask: Client) -> None:
    shop = place.subject()
    first = place.endorse(shop, packages("flask==3.0.0", "old==1"))
    place.endorse(shop, packages("old==2"), days=(-30, -1))
    assert states(ask) == {"flask@3.0.0": "approved", "old@1": "approved", "old@2": "expired"}
    before = place.now
    place.withdraw(first)
    assert states(ask) == {"flask@3.0.0": "withdrawn", "old@1": "withdrawn", "old@2": "expired"}
    as_of = dt.datetime.fromtimestamp(before / 1e6, dt.UTC).isoformat()
    assert states(ask, as_of=as_of)["flask@3.0.0"] == "approved", "the past stays as it was"
    assert states(ask, state="withdrawn") == {"flask@3.0.0": "withdrawn", "old@1": "withdrawn"}
    assert not states(ask, state="approved")
    assert states(ask, kind="package", name="FLA") == {"flask@3.0.0": "withdrawn"}
    assert states(ask, name="pkg:pypi/old") == {"old@1": "withdrawn", "old@2": "expired"}


def test_what_a_key_signed_that_nobody_is_trusted_with_vouches_for_nothing(place: Place, ask: Client) -> None:
    place.endorse(place.subject(), packages("flask==3.0.0"), key="SHA256:somebody-else")
    assert states(ask) == {"flask@3.0.0": "not-endorsed"}


def test_a_newer_endorsement_holds_what_an_older_one_lost(place: Place, ask: Client) -> None:
    shop = place.subject()
    old, new = place.endorse(shop, packages("flask==3.0.0"), (-9, 3)), place.endorse(shop, packages("flask==3.0.0"), (-2, 30))
    (row,) = ask("admin", "GET", "/approved")["items"]
    assert (row["state"], row["endorsement"]) == ("approved", new)
    place.withdraw(new)
    (row,) = ask("admin", "GET", "/approved")["items"]
    assert (row["state"], row["endorsement"], row["ends_soon"]) == ("approved", old, True)


def test_many_are_asked_at_once_and_what_may_not_be_used_comes_with_what_may(place: Place, ask: Client) -> None:
    shop = place.subject()
    place.endorse(shop, packages("flask==3.0.0", "flask==3.0.3", "flask==3.1.0"))
    place.endorse(shop, packages("flask==2.0.0"), days=(-30, -1))
    found = check(ask, "pkg:pypi/Flask@3.0.0", "pkg:pypi/flask@3.0.1", "pkg:pypi/flask@2.0.0", "pkg:pypi/flask@9", "pkg:npm/flask@3.0.0",
                  "pkg:pypi/none@1", "nonsense:flask", "pkg:pypi/flask", "pkg:cargo/flask@3.0.0")  # fmt: skip
    assert [row["state"] for row in found.values()] == ["approved", "not-endorsed", "expired", *["not-endorsed"] * 6]
    assert [row["instead"] for row in found.values()] == ["", "3.0.3", "3.0.0", "3.1.0", "", "", "", "", ""]
    assert [bool(row["problem"]) for row in found.values()] == [False] * 6 + [True, True, False]
    ask("ana", "POST", "/approved/check", 400, json={"components": []})
    ask("ana", "POST", "/approved/check", 400, json={"components": [{"purl": "pkg:npm/a@1"}] * 1001})
    ask("ana", "POST", "/approved/check", 404, json={"components": [{"purl": "pkg:npm/a@1"}], "subject": place.subject(RED)})


def test_an_advisory_takes_the_approval_away_and_the_repaired_version_is_taken_instead(place: Place, ask: Client) -> None:
    place.endorse(place.subject(), packages("lantern==1.0", "lantern==1.5"))
    assert set(states(ask).values()) == {"approved"}
    place.advise("lantern", fixed="1.5")
    (bad, good) = ask("admin", "GET", "/approved")["items"]
    assert (bad["version"], bad["state"], bad["instead"]) == ("1.0", "has-advisory", "1.5")
    assert [each["severity"] for each in bad["advisories"]] == ["critical"]
    assert (good["state"], good["advisories"]) == ("approved", [])
    ask("admin", "PUT", "/approved/rules", json={"blocks_at": None})
    assert set(states(ask).values()) == {"approved"}


def test_a_release_that_is_too_young_or_from_elsewhere_is_not_approved(place: Place, ask: Client) -> None:
    place.endorse(place.subject(), packages("flask==3.0.0"))
    ask("ana", "PUT", "/approved/rules", 403, json={"min_age_days": 3})
    ask("admin", "PUT", "/approved/rules", 400, json={"origins": ["everything"]})
    ask("admin", "PUT", "/approved/rules", json={"min_age_days": 3})
    assert states(ask) == {"flask@3.0.0": "too-young"}
    came = dt.datetime.fromtimestamp(place.now / 1e6 - 4 * 86_400, dt.UTC).isoformat()
    asked = {"components": [{"purl": "pkg:pypi/flask@3.0.0", "released": came}]}
    assert ask("ana", "POST", "/approved/check", json=asked)["approved"] is True, "a proxy knows when it came out"
    ask("admin", "PUT", "/approved/rules", json={"origins": ["pkg:npm/*"]})
    assert states(ask) == {"flask@3.0.0": "wrong-origin"}


def test_who_uses_a_component_is_told_of_ones_own_teams(place: Place, ask: Client) -> None:
    mine, theirs = place.subject(), place.subject(RED)
    place.hold(mine, packages("flask==3.0.0", "flask==1.0"))
    place.hold(theirs, packages("flask==3.0.0", "flask==9.0"), RED)
    place.endorse(mine, packages("flask==3.0.0", "flask==1.0"))
    (number,) = (row["id"] for row in ask("admin", "GET", "/approved")["items"] if row["version"] == "3.0.0")
    whole, part = (ask(who, "GET", f"/approved/{number}") for who in ("admin", "red"))
    assert whole["summary"]["adoption"] == {"subjects": 2, "teams": 2, "at_least": False}
    assert (whole["oldest_in_use"], whole["newest_in_use"]) == ("1.0", "9.0")
    assert [row["subject"] for row in whole["users"]] == [mine, theirs]
    assert len(whole["endorsements"]) == 1
    assert part["summary"]["adoption"] == {"subjects": 1, "teams": 1, "at_least": False}
    assert ([row["subject"] for row in part["users"]], part["endorsements"]) == ([theirs], [])
    first = ask("admin", "GET", f"/approved/{number}/users", params={"limit": 1})
    assert [row["subject"] for row in first["items"]] == [mine]
    assert [row["subject"] for row in ask("admin", "GET", f"/approved/{number}/users", params={"after": first["next"]})["items"]] == [
        theirs
    ]
    ask("admin", "GET", "/approved/999999", 404)


def test_pages_go_on_where_the_last_one_ended(place: Place, ask: Client) -> None:
    place.endorse(place.subject(), packages(*(f"p{number:02}==1" for number in range(7))))
    seen: list[str] = []
    after: dict[str, str] = {}
    for state in ({}, {"state": "approved"}):
        seen, after = [], {}
        while True:
            page = ask("admin", "GET", "/approved", params={"limit": 3, **after, **state})
            seen += [row["name"] for row in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == [f"pkg:pypi/p{number:02}" for number in range(7)]


def test_a_waiver_is_asked_for_by_several_and_agreed_to_once_for_all(place: Place, ask: Client) -> None:
    shop, other = place.subject(), place.subject()
    until = (dt.datetime.fromtimestamp(place.now / 1e6, dt.UTC).date() + dt.timedelta(days=20)).isoformat()
    body: dict[str, Any] = {
        "purl": "pkg:pypi/flask@3.0.0",
        "rule": "not-endorsed",
        "reason": "needed for the release",
        "until": until,
        "team": BLUE,
    }
    first, second = (ask(who, "POST", "/approved/waivers", 201, json=body)["id"] for who in ("ana", "bo"))
    ask("ana", "POST", "/approved/waivers", 409, json=body)
    ask("red", "POST", "/approved/waivers", 404, json=body)
    ask("ana", "POST", "/approved/waivers", 400, json={**body, "rule": "approved"})
    ask("ana", "POST", "/approved/waivers", 400, json={**body, "purl": "flask"})
    ask("ana", "POST", f"/approved/waivers/{first}/answer", 403, json={"grant": True, "reason": "mine"})
    assert check(ask, body["purl"], subject=shop)[body["purl"]]["state"] == "not-endorsed"
    done = ask("admin", "POST", f"/approved/waivers/{second}/answer", json={"grant": True, "reason": "for this release"})
    assert done["requests"] == [first, second]
    for subject in (shop, other):
        found = check(ask, body["purl"], "pkg:pypi/flask@3.0.1", subject=subject)
        assert [row["state"] for row in found.values()] == ["waived", "not-endorsed"]
    assert check(ask, body["purl"])[body["purl"]]["state"] == "not-endorsed", "it is of one team"
    ask("admin", "POST", f"/approved/waivers/{first}/answer", 409, json={"grant": False, "reason": "no"})
    (row,) = ask("admin", "GET", "/decisions")["items"]
    assert (row["owner"], row["approved_by"], row["scope"]["rule"]) == ("ana", "admin", "approved-components/not-endorsed")
    ask("admin", "POST", f"/decisions/{row['id']}/withdraw", json={"reason": "it is over"})
    assert check(ask, body["purl"], subject=shop)[body["purl"]]["state"] == "not-endorsed"


def test_a_waiver_of_one_rule_leaves_the_others_in_the_way(place: Place, ask: Client) -> None:
    shop = place.subject()
    ask("admin", "PUT", "/approved/rules", json={"min_age_days": 3})
    until = (dt.datetime.fromtimestamp(place.now / 1e6, dt.UTC).date() + dt.timedelta(days=20)).isoformat()
    for rule, state in (("not-endorsed", "not-endorsed"), ("too-young", "waived")):
        body = {"purl": "pkg:pypi/new@1", "rule": rule, "reason": "needed now", "until": until, "subject": shop}
        number = ask("ana", "POST", "/approved/waivers", 201, json=body)["id"]
        ask("admin", "POST", f"/approved/waivers/{number}/answer", json={"grant": True, "reason": "for now"})
        assert check(ask, "pkg:pypi/new@1", subject=shop)["pkg:pypi/new@1"]["state"] == state


def test_what_would_be_refused_is_told_before_anybody_enforces_it(place: Place, ask: Client) -> None:
    mine, theirs = place.subject(), place.subject(RED)
    good, bad = packages("flask==3.0.0"), packages("flask==3.0.0", "evil==1", "flask==2.0")
    place.endorse(mine, good)
    at = Instant(place.now - DAY)
    place.hold(mine, good, at=at)
    place.hold(theirs, packages("other==1"), RED, at=at)
    assert ask("admin", "GET", "/approved/dry-run")["changes"] == 0, "a beginning is no change"
    place.hold(mine, bad)
    place.hold(theirs, good, RED)
    found = ask("admin", "GET", "/approved/dry-run")
    assert {row["name"]: (row["components"], row["refused"], row["by_state"]) for row in found["teams"]} == {
        "blue": (3, 2, {"not-endorsed": 2}), "red": (1, 0, {}),
    }  # fmt: skip
    assert [(each["url"], each["instead"]) for each in found["teams"][0]["first"]] == [("pkg:pypi/evil", ""), ("pkg:pypi/flask", "3.0.0")]
    assert (found["changes"], found["stopped"]) == (2, 1)
    assert [each["version"] for each in found["first"][0]["components"]] == ["1", "2.0"]
    narrowed = ask("red", "GET", "/approved/dry-run")
    assert ([row["name"] for row in narrowed["teams"]], narrowed["changes"], narrowed["stopped"]) == (["red"], 1, 0)
    ask("admin", "GET", "/approved/dry-run?changes=0", 400)


@pytest.mark.parametrize("after", ["x", "W10", "WyJhIiwiYiIsInp6IiwxXQ"])
def test_a_place_that_no_page_gave_is_refused(place: Place, ask: Client, after: str) -> None:
    assert place.now
    ask("admin", "GET", f"/approved?after={after}", 400)
