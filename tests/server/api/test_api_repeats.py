"""Requests that are sent twice, and requests that are sent too often."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from assaymark.model.access import PersonId, Principal
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.api.limits import MOST, Buckets, Limits, Rate, network_of
from assaymark.server.api.route import Call, Created, Router
from assaymark.server.problem import ApiError, conflict
from assaymark.server.service import Service
from assaymark.store import answers
from assaymark.store.tables import remembered_answer

from .conftest import Make, on_both

router = Router("tests")


class Ran:
    times = 0
    gate: threading.Event | None = None
    entered = threading.Event()
    fails = False


class Wish(msgspec.Struct, frozen=True):
    name: str


@router.add("POST", "/things", None, status=201)
def make_thing(call: Call, body: Wish) -> dict[str, Any]:
    Ran.times += 1
    Ran.entered.set()
    if Ran.gate is not None:
        Ran.gate.wait(20)
    if Ran.fails:
        raise conflict("no")
    return {"id": Ran.times, "token": "assay_shown_once", "name": body.name}


@router.add("POST", "/others", None, status=201)
def make_other(call: Call, body: Wish) -> Created:
    Ran.times += 1
    return Created(Ran.times)


@pytest.fixture
def client(make: Make) -> TestClient:
    Ran.times, Ran.gate, Ran.fails = 0, None, False
    Ran.entered.clear()
    return make(router.operations).client


def _post(client: TestClient, key: str | None = "k1", name: str = "a", who: str = "admin", path: str = "/things") -> Any:
    headers = {"Authorization": f"Bearer {who}"} | ({} if key is None else {"Idempotency-Key": key})
    return client.post(f"/api/v1{path}", json={"name": name}, headers=headers)


@on_both
def test_the_same_request_with_the_same_key_is_done_once(client: TestClient) -> None:
    first, second = _post(client), _post(client)
    assert Ran.times == 1
    assert (second.status_code, second.content, second.headers["content-type"]) == (201, first.content, "application/json")
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert _post(client, key=None).json()["id"] == 2


@on_both
def test_the_key_with_another_request_is_refused(client: TestClient) -> None:
    _post(client)
    for answer in (_post(client, name="b"), _post(client, path="/others")):
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "key-reused")
    assert Ran.times == 1


def test_the_key_is_of_one_person(client: TestClient) -> None:
    assert _post(client).json()["id"] == 1
    assert _post(client, who="viewer").json()["id"] == 2
    assert _post(client, who="robot").json()["id"] == 1  # a token of the first person


@on_both
def test_while_the_first_one_runs_the_second_is_told_so(client: TestClient) -> None:
    Ran.gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_post, client)
        assert Ran.entered.wait(20)
        second = _post(client)
        Ran.gate.set()
        assert first.result(20).status_code == 201
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert Ran.times == 1


def test_what_failed_may_be_tried_again_with_the_same_key(client: TestClient) -> None:
    Ran.fails = True
    assert _post(client).status_code == 409
    Ran.fails = False
    assert _post(client).status_code == 201
    assert Ran.times == 2


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256])
def test_a_key_that_is_none_is_refused(client: TestClient, key: str) -> None:
    assert _post(client, key=key).status_code == 400
    assert Ran.times == 0


def test_a_remembered_answer_lies_sealed(make: Make, client: TestClient, service: Service) -> None:
    _post(client)
    with service.database.read() as connection:
        row = connection.execute(remembered_answer.select()).one()
    assert b"shown_once" not in row.body
    assert "shown_once" not in str(row)


@on_both
def test_answers_are_forgotten_after_a_day_and_dead_marks_after_a_while(service: Service) -> None:
    database, now = service.database, 10**15

    def begin(key: str, later: int = 0) -> answers.Remembered | None:
        return answers.begin(database, answers.Request("person:1", key, "d"), Instant(now + later))

    assert begin("kept") is None
    answers.keep(database, answers.Request("person:1", "kept", "d"), status=201, headers="{}", body=b"x")
    assert begin("dead") is None
    told = begin("dead", answers.STALE - 1)
    assert told is not None
    assert told.runs
    assert begin("dead", answers.STALE) is None
    assert begin("kept", answers.KEPT - 1) is not None
    assert begin("other", answers.KEPT) is None
    with database.read() as connection:
        keys = {row.key for row in connection.execute(remembered_answer.select())}
    assert keys == {"dead", "other"}


@on_both
def test_of_many_that_begin_at_once_one_is_let(service: Service) -> None:
    request = answers.Request("person:1", "k", "d")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: answers.begin(service.database, request, Instant(1)), range(24)))
    assert found.count(None) == 1
    assert all(each is None or each.runs for each in found)


# --- limits ----------------------------------------------------------------------------------------------------------


def test_too_many_requests_are_told_when_to_come_again(make: Make) -> None:
    client = make(router.operations, rate=3, public_rate=2).client
    answers_ = [_post(client, key=None) for _ in range(4)]
    assert [each.status_code for each in answers_] == [201, 201, 201, 429]
    assert [each.headers["ratelimit"].partition(";t=")[0] for each in answers_[:3]] == ['"default";r=2', '"default";r=1', '"default";r=0']
    assert answers_[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
    assert 1 <= int(answers_[3].headers["retry-after"]) <= 20
    assert answers_[3].headers["content-type"] == "application/problem+json"
    assert _post(client, key=None, who="viewer").status_code == 201
    assert _post(client, key=None, who="robot").status_code == 201


def test_guessing_tokens_is_counted_by_address(make: Make) -> None:
    client = make(router.operations, rate=1000, public_rate=2).client
    assert [_post(client, key=None, who="guess").status_code for _ in range(4)] == [401, 401, 429, 429]
    assert _post(client, key=None).status_code == 201  # who is known is not hit by others behind his address


class Clock:
    at = 10**15

    def __call__(self) -> Instant:
        return Instant(self.at)


@given(st.lists(st.integers(0, 30 * SECOND), max_size=60), st.integers(1, 100))
def test_nobody_gets_more_than_two_bursts_in_a_minute(pauses: list[int], rate: int) -> None:
    clock, let = Clock(), []
    buckets = Buckets(Rate(rate), clock)
    for pause in pauses * 4:
        clock.at += pause
        if buckets.take("a").is_let:
            let.append(clock.at)
    for at in let:
        assert sum(at <= each < at + 60 * SECOND for each in let) <= 2 * rate


def test_a_bucket_fills_again_and_a_clock_that_goes_back_gives_nothing() -> None:
    clock = Clock()
    buckets = Buckets(Rate(60), clock)
    assert [buckets.take("a").is_let for _ in range(61)].count(True) == 60
    clock.at -= 10 * SECOND
    assert not buckets.take("a").is_let
    clock.at += 11 * SECOND
    assert buckets.take("a").is_let


def test_memory_is_bounded() -> None:
    buckets = Buckets(Rate(1), Clock())
    for number in range(MOST + 100):
        buckets.take(str(number))
    assert len(buckets) == MOST


def test_addresses_are_counted_by_subscriber() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::") != network_of("2001:db8:1:3::")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("testclient") == network_of("") == "?"


def test_tokens_and_sessions_of_a_person_are_counted_apart() -> None:
    limits = Limits(Rate(1), Rate(1), Clock())
    session, token = Principal(PersonId(1), "a", (), session=1), Principal(PersonId(1), "a", (), token=1)
    limits.take(session, "x")
    limits.take(token, "x")
    with pytest.raises(ApiError) as caught:
        limits.take(msgspec.structs.replace(session, session=2), "y")
    assert caught.value.status == 429
