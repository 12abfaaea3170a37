"""Messages of subscriptions on their way: a receiver that answers, one that is down, one that is gone."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook
from tests.server.receiving import Receiver, receiving

from assaymark.feedback.channels import signing
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server import keyring_channels
from assaymark.server.service import Service
from assaymark.server.work.channels import deliver_channel, look_after_channels
from assaymark.server.work.publish import publish
from assaymark.store import messages, subscriptions
from assaymark.store.messages import MessageRow, MessageState
from assaymark.store.subscriptions import SubscriptionState, Wants
from assaymark.store.tables import channel_message, job

pytestmark = pytest.mark.enable_socket
HOUR = 3600 * SECOND


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


class Clock:
    """A service whose time is set by hand."""

    def __init__(self, service: Service) -> None:
        self.at = time.time_ns() // 1000
        settings = msgspec.structs.replace(service.settings, private_networks=("127.0.0.0/8",))
        self.service = msgspec.structs.replace(service, settings=settings, now=lambda: Instant(self.at))


@pytest.fixture
def clock(service: Service) -> Clock:
    return Clock(service)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def subscribe(clock: Clock, url: str, kind: str = "webhook") -> tuple[int, str]:
    secret = signing.new_secret()
    with clock.service.database.write() as link:
        row = {"kind": kind, "name": f"s{subscriptions.count(link)}", "host": "127.0.0.1", "state": SubscriptionState.ACTIVE}
        number = subscriptions.create(link, row | {"wants": msgspec.json.encode(Wants()).decode(), "created_at": clock.at})
        keyring_channels.seal_address(clock.service, link, number, url)
        keyring_channels.renew_secret(clock.service, link, number, secret)
    return number, secret


def happen(clock: Clock, title: str = "shop/cart@main fails now") -> None:
    with clock.service.database.write() as link:
        publish(clock.service, link, Happening(HappeningKind.VERDICT_CHANGED, Instant(clock.at), None, title, "/changes/1"))


def deliver(clock: Clock, number: int) -> None:
    deliver_channel(clock.service, {"subscription": number}, Attempt())


def log(clock: Clock, number: int) -> list[MessageRow]:
    with clock.service.database.read() as link:
        return list(reversed(messages.page(link, number, before=None, limit=100)))


def state(clock: Clock, number: int) -> Any:
    with clock.service.database.read() as link:
        return subscriptions.get(link, number)


def test_a_message_verifies_with_a_public_library(clock: Clock, receiver: Receiver) -> None:
    number, secret = subscribe(clock, receiver.url)
    happen(clock)
    deliver(clock, number)
    (posted,) = receiver.posted
    told = Webhook(secret).verify(posted.body, posted.headers)
    assert told["type"] == "verdict.changed"
    assert told["data"]["title"] == "shop/cart@main fails now"
    assert [each.state for each in log(clock, number)] == [MessageState.SENT]
    assert log(clock, number)[0].status == 204


def test_while_a_secret_is_replaced_both_verify_and_afterwards_the_new_one_alone(clock: Clock, receiver: Receiver) -> None:
    number, old = subscribe(clock, receiver.url)
    new = signing.new_secret()
    with clock.service.database.write() as link:
        keyring_channels.renew_secret(clock.service, link, number, new, overlap=60)
    happen(clock)
    deliver(clock, number)
    for secret in (old, new):
        Webhook(secret).verify(receiver.posted[0].body, receiver.posted[0].headers)
    clock.at += 61 * SECOND
    happen(clock)
    deliver(clock, number)
    Webhook(new).verify(receiver.posted[1].body, receiver.posted[1].headers)
    assert len(receiver.posted[1].headers["webhook-signature"].split()) == 1


def test_nothing_is_lost_while_a_receiver_is_down_for_an_hour(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clock.at -= HOUR
    number, secret = subscribe(clock, f"http://127.0.0.1:{port}/in")
    end = clock.at + HOUR
    titles = [f"change {count}" for count in range(12)]
    waiting = list(titles)
    while clock.at < end:  # nobody listens
        if waiting:
            happen(clock, waiting.pop(0))
        deliver(clock, number)
        clock.at += 300 * SECOND
    assert {each.state for each in log(clock, number)} == {MessageState.WAITING}
    uids = [each.uid for each in log(clock, number)]
    clock.at = time.time_ns() // 1000
    with receiving() as receiver:
        with clock.service.database.write() as link:
            keyring_channels.seal_address(clock.service, link, number, receiver.url)
        for _ in range(200):
            if all(each.state is MessageState.SENT for each in log(clock, number)):
                break
            with clock.service.database.read() as link:
                due = messages.next_due(link, number)
            assert due is not None
            clock.at = max(clock.at, due, state(clock, number).resting_until)
            deliver(clock, number)
    assert sorted(json.loads(each.body)["data"]["title"] for each in receiver.posted) == sorted(titles)
    assert sorted(each.headers["webhook-id"] for each in receiver.posted) == sorted(uids)
    for each in receiver.posted:
        at = dt.datetime.fromtimestamp(int(each.headers["webhook-timestamp"]), dt.UTC)
        assert Webhook(secret).sign(each.headers["webhook-id"], at, each.body.decode()) == each.headers["webhook-signature"]
    assert state(clock, number).failures == 0


def test_a_receiver_that_is_down_costs_one_attempt_a_rest_and_not_one_a_message(clock: Clock, receiver: Receiver) -> None:
    receiver.status = 503
    number, _ = subscribe(clock, receiver.url)
    for count in range(5):
        happen(clock, str(count))
    deliver(clock, number)
    deliver(clock, number)
    assert len(receiver.posted) == 1
    assert state(clock, number).resting_until > clock.at


def test_one_message_that_is_not_taken_holds_up_no_other(clock: Clock, receiver: Receiver) -> None:
    receiver.status = 400
    number, _ = subscribe(clock, receiver.url)
    happen(clock, "bad")
    deliver(clock, number)
    receiver.status = 200
    happen(clock, "good")
    deliver(clock, number)
    assert [each.state for each in log(clock, number)] == [MessageState.WAITING, MessageState.SENT]
    assert log(clock, number)[0].error == "it answered 400"


def test_who_asks_for_patience_is_given_it(clock: Clock, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"retry-after": "1800"}
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    deliver(clock, number)
    assert state(clock, number).resting_until == clock.at + 1800 * SECOND


def test_a_receiver_that_is_gone_is_disabled_and_that_is_told(clock: Clock, receiver: Receiver) -> None:
    receiver.status = 410
    number, _ = subscribe(clock, receiver.url)
    with receiving() as other:
        second, _ = subscribe(clock, other.url)
        happen(clock)
        deliver(clock, number)
        deliver(clock, number)
        deliver(clock, second)
        assert [json.loads(each.body)["type"] for each in other.posted] == ["verdict.changed", "connection.problem"]
    assert state(clock, number).state is SubscriptionState.DISABLED
    assert len(receiver.posted) == 1
    assert log(clock, number)[0].state is MessageState.GIVEN_UP


def test_a_redirect_is_not_followed(clock: Clock, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        number, _ = subscribe(clock, receiver.url)
        happen(clock)
        deliver(clock, number)
        assert elsewhere.posted == []
    assert log(clock, number)[0].error == "it answered 307"


def test_an_address_inside_is_refused_when_it_is_used_not_only_when_it_is_entered(clock: Clock, receiver: Receiver) -> None:
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    clock.service = msgspec.structs.replace(clock.service, settings=msgspec.structs.replace(clock.service.settings, private_networks=()))
    deliver(clock, number)
    assert receiver.posted == []
    assert "may not be gone to" in log(clock, number)[0].error


def test_after_three_days_a_message_is_given_up(clock: Clock, receiver: Receiver) -> None:
    receiver.status = 400
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    began = clock.at
    while log(clock, number)[0].state is MessageState.WAITING:
        clock.at = max(clock.at, log(clock, number)[0].due_at)
        deliver(clock, number)
    assert len(receiver.posted) == messages.ATTEMPTS
    assert clock.at - began > 3 * 24 * HOUR
    assert len({each.headers["webhook-id"] for each in receiver.posted}) == 1
    assert len({each.headers["webhook-timestamp"] for each in receiver.posted}) == messages.ATTEMPTS


def test_who_takes_nothing_for_five_days_is_disabled(clock: Clock, receiver: Receiver) -> None:
    receiver.status = 500
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    deliver(clock, number)
    clock.at += 5 * 24 * HOUR + SECOND
    happen(clock)
    deliver(clock, number)
    assert state(clock, number).state is SubscriptionState.DISABLED


def test_what_lost_its_job_is_found_again(clock: Clock, receiver: Receiver) -> None:
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    if not clock.service.database.is_sqlite:
        return
    with clock.service.database.write() as link:
        link.execute(job.delete())
    look_after_channels(clock.service, {}, Attempt())
    with clock.service.database.read() as link:
        assert link.execute(sa.select(job.c.key)).scalars().all() == [f"channel:{number}"]


def test_an_attempt_is_counted_before_it_is_made(clock: Clock, receiver: Receiver) -> None:
    number, _ = subscribe(clock, receiver.url)
    happen(clock)
    (message,) = log(clock, number)
    with clock.service.database.write() as link:
        assert messages.begin(link, message, Instant(clock.at))
        assert not messages.begin(link, message, Instant(clock.at))
        assert link.execute(sa.select(channel_message.c.attempts)).scalar() == 1
