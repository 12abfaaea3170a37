"""Feedback at the origin and beyond: webhooks survive an hour, signatures verify, forges are asked as they publish, nothing is said twice.

The forge's description is not ours and not in this repository: `ASSAYMARK_FORGE_DESCRIPTIONS` names folders with ``github.json``. The part
about check runs asks for a description that has them (a whole original has).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import socket
import time
from typing import Any

import msgspec
import pytest
from acceptance.issue4.described import ORIGINALS, VARIABLE, Asked, Description, load
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from standardwebhooks import Webhook
from tests.conftest import (  # noqa: F401 - fixtures
    database_url,
    make_database,
    postgres,
    prepared_sqlite,
    service,
)  # fmt: skip
from tests.server.receiving import Receiver, receiving
from tests.views import views_sample

from assaymark.feedback.channels import signing
from assaymark.feedback.forges import check_runs
from assaymark.feedback.forges.ask import Ask, Target
from assaymark.feedback.forges.check_runs import About
from assaymark.feedback.forges.github import GitHub
from assaymark.model.assessment import SECOND, AssessmentState, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server import github_app, keyring_channels
from assaymark.server.github_app import App
from assaymark.server.service import Service
from assaymark.server.work.channels import deliver_channel
from assaymark.server.work.publish import publish
from assaymark.store import messages, subscriptions
from assaymark.store.messages import MessageState
from assaymark.store.subscriptions import Wants

pytestmark = pytest.mark.enable_socket
HOUR = 3600 * SECOND
HAPPENED = 60


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


class Stage:
    """A service whose clock is set by hand, and a subscription that it tells."""

    def __init__(self, made: Service) -> None:
        self.at = time.time_ns() // 1000 - HOUR
        settings = msgspec.structs.replace(made.settings, private_networks=("127.0.0.0/8",))
        self.service = msgspec.structs.replace(made, settings=settings, now=lambda: Instant(self.at))
        self.secret = signing.new_secret()
        with self.service.database.write() as link:
            row = {"kind": "webhook", "name": "receiver", "host": "127.0.0.1", "state": "active", "created_at": self.at}
            self.number = subscriptions.create(link, row | {"wants": msgspec.json.encode(Wants()).decode()})
            keyring_channels.renew_secret(self.service, link, self.number, self.secret)

    def lead_to(self, url: str) -> None:
        with self.service.database.write() as link:
            keyring_channels.seal_address(self.service, link, self.number, url)

    def happen(self, title: str) -> None:
        with self.service.database.write() as link:
            publish(self.service, link, Happening(HappeningKind.VERDICT_CHANGED, Instant(self.at), None, title, "/changes/1"))

    def deliver(self) -> None:
        deliver_channel(self.service, {"subscription": self.number}, Attempt())

    def next(self) -> int:
        """When the queue would run it again: what `_come_back` asks."""
        with self.service.database.read() as link:
            row, due = subscriptions.get(link, self.number), messages.next_due(link, self.number)
        assert row is not None
        return max(due or 0, row.resting_until)

    def states(self) -> list[MessageState]:
        with self.service.database.read() as link:
            return [each.state for each in messages.page(link, self.number, before=None, limit=200)]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_webhooks_survive_a_receiver_that_is_down_for_an_hour(service: Service, port: int) -> None:  # noqa: F811
    stage, dice = Stage(service), random.Random(5)
    stage.lead_to(f"http://127.0.0.1:{port}/in")
    end, titles = stage.at + HOUR, [f"change {count}" for count in range(HAPPENED)]
    moments = sorted(stage.at + dice.randrange(HOUR) for _ in titles)
    attempts = 0
    for title, moment in zip(titles, moments, strict=True):
        while stage.at < moment:
            stage.at = min(max(stage.next(), stage.at + SECOND), moment)
            stage.deliver()
            attempts += 1
        stage.happen(title)
    while stage.at < end:
        stage.at = min(max(stage.next(), stage.at + SECOND), end)
        stage.deliver()
    assert set(stage.states()) == {MessageState.WAITING}
    with receiving() as receiver:
        stage.lead_to(receiver.url)
        began = stage.at
        while MessageState.WAITING in stage.states():
            stage.at = max(stage.next(), stage.at)
            stage.deliver()
    told = [json.loads(each.body)["data"]["title"] for each in receiver.posted]
    assert stage.at - began < HOUR / 4
    print(f"  {len(told)} of {HAPPENED} told, the last {(stage.at - began) / HOUR * 60:.0f} min after the receiver came back")
    assert sorted(told) == sorted(titles)
    assert len({each.headers["webhook-id"] for each in receiver.posted}) == HAPPENED
    _verified(stage.secret, receiver)


def _verified(secret: str, receiver: Receiver) -> None:
    """By the public library, whose clock is the machine's: what it signs itself for the moment of the attempt is what was sent."""
    for each in receiver.posted:
        at = dt.datetime.fromtimestamp(int(each.headers["webhook-timestamp"]), dt.UTC)
        made = Webhook(secret).sign(each.headers["webhook-id"], at, each.body.decode())
        assert made in each.headers["webhook-signature"].split(" ")


def test_signatures_verify_with_a_public_library_and_nothing_else_does(service: Service) -> None:  # noqa: F811
    stage = Stage(service)
    stage.at = time.time_ns() // 1000
    with receiving() as receiver:
        stage.lead_to(receiver.url)
        stage.happen("one")
        stage.deliver()
    (posted,) = receiver.posted
    assert Webhook(stage.secret).verify(posted.body, posted.headers)["data"]["title"] == "one"
    for body, secret in ((posted.body + b" ", stage.secret), (posted.body, signing.new_secret())):
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(secret).verify(body, posted.headers)
    old = posted.headers | {"webhook-timestamp": str(int(posted.headers["webhook-timestamp"]) - 600)}
    with pytest.raises(Exception, match="too old"):
        Webhook(stage.secret).verify(posted.body, old)


# --- check runs, held against GitHub's own description -----------------------------------------------------------------


@pytest.fixture(scope="module")
def described() -> Description:
    found = load("github")
    if found is None or found.operation("POST", "/repos/a/b/check-runs") is None:
        folders = os.environ.get(VARIABLE, "")
        pytest.skip(f"NOT PROVED: no github.json with check runs in {VARIABLE}={folders!r}; get it from {ORIGINALS['github']}")
    return found


def _asked(ask: Ask) -> Asked:
    headers = {name.lower(): value for name, value in GitHub().headers("t").items()} | {"content-type": "application/json"}
    return Asked(ask.method, ask.path, "", headers, json.dumps(ask.body).encode())


@pytest.mark.parametrize("state", AssessmentState)
def test_every_request_about_a_check_run_is_as_github_describes_it(described: Description, state: AssessmentState) -> None:
    target = Target("team/shop", "42", "a" * 40, 7)
    for verdict in (views_sample.rich(), views_sample.hostile(), views_sample.huge(180), None):
        about = About(5, state, "2 new findings", "https://assay.example/changes/5", "assaymark")
        run = check_runs.run_of(about, verdict, explained=True)
        asks = [check_runs.ask(target, run, "" if not batch else "9", batch) for batch in range(run.batches)]
        for ask in [*asks, check_runs.explain(target, "9", run)]:
            assert described.mistakes(_asked(ask)) == [], ask.path


def test_the_token_of_an_installation_is_asked_for_as_github_describes_it(described: Description) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    word = github_app.assertion(App("123", 5), pem, int(time.time()))
    headers: dict[str, Any] = {"authorization": f"Bearer {word}", "accept": "application/vnd.github+json"}
    assert described.mistakes(Asked("POST", "/app/installations/5/access_tokens", "", headers, b"")) == []
