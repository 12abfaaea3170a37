"""Drifts: told once, seen again, ended by a newer generation or by vanishing, looked away from for a time, and never accepted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from tests.server.deployed.house import BETTER, DAY, GOOD, PAIR, House, hours

from assaymark.deployment.drift.drifted import Action, Cause, Drift, Weight
from assaymark.deployment.drivers.driver import instance_id
from assaymark.deployment.phoenix.generation import State

HERE = instance_id(PAIR, 1, 1)
SHELL = Drift(HERE, "/bin/sh", "content", "sha256:1", "sha256:2", Weight.CRITICAL, Action.REPLACE, cause=Cause(pid=7, uid=0, program="vi"))
ADDED = Drift(HERE, "/tmp/x", "added", "", "file", Weight.LOW, Action.ALERT)


def _open(house: House) -> list[Any]:
    found: list[Any] = house.ask("ana", "GET", "/deployments/drifts?resolved=false")["items"]
    return found


def test_a_drift_is_new_once_and_one_telling_is_one_line_and_one_happening(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    assert house.drift(SHELL, ADDED) == {"fresh": 2, "vanished": 0, "open": 2}
    assert house.drift(SHELL, ADDED) == {"fresh": 0, "vanished": 0, "open": 2}
    (line,) = [json.loads(text) for kind, text in house.logged() if kind == "drift"]
    assert (line["subjects"], line["details"]["drifts"]) == ([GOOD], "2")
    assert "content of /bin/sh" in line["details"]["drift 1"]
    (told,) = [title for kind, title in house.told() if kind == "drift.found"]
    assert "content of /bin/sh" in told
    assert "by vi and 1 more" in told
    added, shell = _open(house)
    assert (added["weight"], shell["weight"], shell["times"], shell["cause"]["pid"]) == ("low", "critical", 2, 7)
    assert shell["first_at"] < shell["last_at"]


def test_another_value_is_another_difference_and_what_is_not_told_again_has_vanished(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL, ADDED)
    changed = msgspec.structs.replace(SHELL, observed="sha256:3")
    assert house.drift(changed) == {"fresh": 1, "vanished": 2, "open": 1}
    assert house.drift(looked=[]) == {"fresh": 0, "vanished": 0, "open": 1}, "a watcher that looked at nothing as a whole"
    assert house.drift(looked=["another"]) == {"fresh": 0, "vanished": 0, "open": 1}
    assert house.drift(looked=[HERE]) == {"fresh": 0, "vanished": 1, "open": 0}
    old = Drift(HERE, "age", "age", "30 days", "31 days", Weight.MEDIUM, Action.REPLACE)
    house.drift(old)
    assert house.drift(msgspec.structs.replace(old, observed="32 days"))["fresh"] == 0, "it grows by itself"


def test_a_newer_generation_ends_it_and_nothing_of_what_is_gone_is_taken(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL)
    house.tell(house.deployer.replace(BETTER))
    assert _open(house) == []
    (ended,) = house.ask("ana", "GET", "/deployments/drifts?resolved=true")["items"]
    assert (ended["resolution"], ended["resolved_by"]) == ("superseded", 2) or ended["resolution"] == "vanished"
    assert "does not run" in house.drift(SHELL, generation=1, status=409)["detail"]
    house.tell([house.deployer.step(State.STOPPING), house.deployer.step(State.STOPPED)])
    assert "nothing of production/shop is live" in house.drift(SHELL, status=409)["detail"]


def test_nobody_accepts_a_drift_and_looking_away_ends_however_often_it_is_said(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL)
    (row,) = _open(house)
    place = f"/deployments/drifts/{row['id']}/ignore"
    house.ask("dora", "POST", place, {"until": hours(1, house), "reason": "a test"}, status=403)
    house.ask("ana", "POST", place, {"until": hours(1, house), "reason": ""}, status=400)
    assert "the end is not between" in house.ask("ana", "POST", place, {"until": hours(8 * 24, house), "reason": "x"}, status=400)["detail"]
    assert "the end is not between" in house.ask("ana", "POST", place, {"until": hours(-1, house), "reason": "x"}, status=400)["detail"]
    house.ask("ana", "POST", place, {"until": "next week", "reason": "x"}, status=400)
    house.ask("ana", "POST", place, {"until": hours(6 * 24, house), "reason": "we look at it"})
    (away,) = house.wanted()["looked_away"]
    assert (away["where"], away["what"], away["reason"], away["by"]) == (HERE, "/bin/sh", "we look at it", "ana")
    house.clock.ahead += 5 * DAY
    house.ask("ana", "POST", place, {"until": hours(3 * 24, house), "reason": "again"}, status=400)
    house.ask("ana", "POST", place, {"until": hours(1.5 * 24, house), "reason": "to the end of what may be"})
    house.clock.ahead += 2 * DAY
    assert house.wanted()["looked_away"] == [], "it counts again"
    house.ask("ana", "POST", place, {"until": hours(1, house), "reason": "once more"}, status=400)
    assert len(_open(house)) == 1
    assert house.trailed().count("drift.ignored") == 2


def test_looking_again_ends_it_before_its_time(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL)
    (row,) = _open(house)
    place = f"/deployments/drifts/{row['id']}/ignore"
    house.ask("ana", "POST", place, {"until": hours(1, house), "reason": "a test"})
    house.ask("ana", "DELETE", place)
    assert house.wanted()["looked_away"] == []
    house.ask("ana", "DELETE", place, status=409)


def test_a_drift_of_a_pair_that_nobody_told_of_or_of_another_team(house: House) -> None:
    house.drift(SHELL, status=404)
    house.tell(house.deployer.replace(GOOD))
    house.drift(SHELL, who="max", status=404)
    house.drift(SHELL)
    (row,) = _open(house)
    house.ask("max", "GET", f"/deployments/drifts/{row['id']}", status=404)
