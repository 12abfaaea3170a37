"""What deployers tell of their steps: in order, once, logged; and what follows from it."""

from __future__ import annotations

import json

import msgspec
import sqlalchemy as sa
from tests.server.deployed.house import BAD, BETTER, DAY, GOOD, PAIR, Deployer, House

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix.generation import State, Step, told
from assaymark.model.assessment import Instant
from assaymark.store import environments, generations, log, tables


def test_steps_are_told_in_order_and_again_and_each_is_a_line_of_the_log(house: House) -> None:
    first = house.deployer.replace(GOOD)
    assert house.tell(first[:3]) == {"steps": 3, "fresh": 3}
    assert house.tell(first[:3]) == {"steps": 3, "fresh": 0}, "the same again changes nothing"
    assert house.tell(first[1:]) == {"steps": 7, "fresh": 4}, "what is known may stand before what is new"
    lines = [json.loads(line) for kind, line in house.logged() if kind == "deploy"]
    assert [line["details"]["state"] for line in lines] == [step.state.value for step in first]
    assert {line["actor"] for line in lines} == {"dep"}, "who told it, as the server knows him"
    assert {line["details"]["by"] for line in lines} == {"dora"}, "who asked for it, as the deployer says"
    assert {line["subjects"][0] for line in lines} == {GOOD}
    number = house.ask("ana", "GET", "/deployments/pairs")["items"][0]["id"]
    steps = house.ask("ana", "GET", f"/deployments/pairs/{number}/steps")["items"]
    assert [each["number"] for each in steps] == [7, 6, 5, 4, 3, 2, 1]
    assert all(each["log_number"] is not None for each in steps)


def test_a_second_deployer_is_refused_with_what_is_known_and_what_to_do(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    other = Deployer(house.clock)
    refused = house.tell(other.replace(BETTER), status=409)
    assert refused["type"].endswith("/steps-contradict")
    assert "step 1 of production/shop is known as generation 1 wanted sha256:aaaa" in refused["detail"]
    assert "one deployer keeps a pair" in refused["advice"]
    house.deployer.steps += 2
    gap = house.tell([house.deployer.step(State.LIVE)], status=409)
    assert gap["type"].endswith("/steps-missing")
    assert gap["advice"] == "tell them from 8 on"


def test_what_does_not_follow_is_refused_and_nothing_of_the_telling_is_taken(house: House) -> None:
    steps = house.deployer.rise(GOOD)
    wrong = msgspec.structs.replace(steps[2], state=State.LIVE, born=())
    refused = house.tell([*steps[:2], wrong], status=409)
    assert refused["type"].endswith("/step-does-not-follow")
    assert "cannot become live" in refused["detail"]
    assert house.tell(steps[:5]) == {"steps": 5, "fresh": 5}
    house.deployer.steps -= 1
    burnt = house.deployer.step(State.ABORTING)
    gone = house.deployer.step(State.ABORTED, burnt=steps[2].born, reason="it did not answer")
    house.tell([burnt, gone])
    again = house.deployer.rise(GOOD)
    again[2] = msgspec.structs.replace(again[2], born=steps[2].born)
    assert "never returns" in house.tell(again, status=409)["detail"]


def test_bounds_of_what_is_told(house: House) -> None:
    first = house.deployer.rise(GOOD)
    for changed, words in (
        ({"digest": "shop:latest"}, "no digest"),
        ({"reason": "x" * 2001}, "reason"),
        ({"born": ("",)}, "instances"),
        ({"at": 0}, "out of range"),
        ({"generation": 1 << 40}, "out of range"),
    ):
        wrong = msgspec.structs.replace(first[0], **changed)
        assert words in house.tell([wrong], status=400)["detail"]
    assert "do not rise" in house.tell([first[1], first[0]], status=400)["detail"]


def test_what_is_live_is_a_deployment_of_its_environment_and_what_was_stopped_is_none(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    s = tables.subject.c
    with house.service.database.read() as link:
        found = link.execute(sa.select(s.name, s.ref, s.details, s.team, s.ended_at).where(s.kind == "environment")).one()
    assert (found.name, found.ref, found.team, found.ended_at) == ("shop production", "production", house.team, None)
    assert json.loads(found.details)["digest"] == GOOD
    house.tell(house.deployer.replace(BETTER))
    with house.service.database.read() as link:
        assert json.loads(link.execute(sa.select(s.details).where(s.kind == "environment")).scalar_one())["digest"] == BETTER
    house.tell([house.deployer.step(State.STOPPING), house.deployer.step(State.STOPPED, reason="revoked")])
    with house.service.database.read() as link:
        assert link.execute(sa.select(s.ended_at).where(s.kind == "environment")).scalar_one() is not None
    assert [kind for kind, _ in house.told() if kind.startswith("deployment.")] == [
        "deployment.replaced", "deployment.replaced", "deployment.stopped",
    ]  # fmt: skip
    assert "burn" in [kind for kind, _ in house.logged()]


def test_two_components_of_one_environment_are_two_subjects(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    other = Deployer(house.clock, Pair("production", "cart"))
    house.tell(other.replace(BETTER), pair=other.pair)
    with house.service.database.read() as link:
        names = sorted(link.execute(sa.select(tables.subject.c.name).where(tables.subject.c.kind == "environment")).scalars())
    assert names == ["cart production", "shop production"]
    assert len(house.ask("ana", "GET", "/environments")["items"]) == 1


def test_a_break_glass_order_is_loud(house: House) -> None:
    house.tell(house.deployer.force(BAD, Instant(house.clock() + DAY)))
    assert [kind for kind, _ in house.logged() if kind == "breakglass"] == ["breakglass"]
    assert "deployment.glass-broken" in house.trailed()
    (forced,) = [title for kind, title in house.told() if kind == "deployment.forced"]
    assert "runs without an approval" in forced
    assert house.wanted()["do"] == "keep", "while the order runs"
    house.look()
    assert len([kind for kind, _ in house.told() if kind == "deployment.forced"]) == 1
    house.clock.ahead += 2 * DAY
    assert house.wanted()["do"] == "alert"
    house.look()
    house.look()
    ended = [title for kind, title in house.told() if kind == "deployment.forced"]
    assert len(ended) == 2, "told once that it ended and still runs"
    assert "has ended" in ended[1]


def test_teams_do_not_see_each_other(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    assert house.ask("max", "GET", "/environments")["items"] == []
    assert house.ask("max", "GET", "/deployments/wanted")["items"] == []
    number = house.ask("ana", "GET", "/deployments/pairs")["items"][0]["id"]
    house.ask("max", "GET", f"/deployments/pairs/{number}/steps", status=404)
    mine = Deployer(house.clock)
    house.tell(mine.replace(BETTER), who="max")
    found = house.ask("ad", "GET", "/deployments/wanted?environment=production&component=shop")["items"]
    assert [each["running"]["digest"] for each in found] == [GOOD, BETTER], "each team has its own"
    assert "`team` is missing" in house.tell(mine.replace(GOOD), who="ad", status=400)["detail"]
    house.ask("dora", "POST", "/deployments/steps", {"environment": "e", "component": "c", "steps": []}, status=403)


def test_the_ledger_that_is_read_back_judges_as_one_that_was_told_whole(house: House) -> None:
    steps: list[Step] = []
    for number in range(4):
        more = house.deployer.replace((GOOD, BETTER)[number % 2])
        house.tell(more)
        steps += more
    with house.service.database.read() as link:
        pair = environments.named(link, PAIR, None)[0]
        kept = generations.told_before(link, pair.id, range(1, len(steps) + 1))
        assert [kept[step.number] for step in steps] == steps
        known = generations.ledger(link, pair, [house.deployer.step(State.LIVE)])
    whole = told(PAIR, steps)
    assert (known.steps, known.highest, known.live, known.moving) == (whole.steps, whole.highest, whole.live, whole.moving)


def test_the_log_stays_whole_when_steps_are_refused(house: House) -> None:
    house.tell(house.deployer.replace(GOOD))
    with house.service.database.read() as link:
        before = log.size(link)
    house.tell(Deployer(house.clock).replace(BETTER), status=409)
    with house.service.database.read() as link:
        assert log.size(link) == before
