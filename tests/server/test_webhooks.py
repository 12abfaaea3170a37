from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.testclient import TestClient

from assaymark.checks.settings import Secret
from assaymark.model.assessment import SECOND
from assaymark.server import keyring
from assaymark.server.service import Service
from assaymark.server.webhooks import endpoint
from assaymark.server.webhooks.receive import Request, receive, take
from assaymark.store import connections
from assaymark.store.tables import assessment, delivery, job, repository, subject, team
from assaymark.triggers.webhooks.delivery import MOST_BYTES, Message
from assaymark.triggers.webhooks.kinds import READERS

FOLDER = Path(__file__).parents[1] / "triggers" / "deliveries"
KEY = secrets.token_hex(16)


def connect(service: Service, kind: str = "github", web_url: str = "https://github.com", of: int | None = None) -> int:
    with service.database.write() as link:
        values = {"kind": kind, "name": f"{kind}-{secrets.token_hex(4)}", "web_url": web_url, "team": of, "created_at": 0}
        number = connections.create(link, values)
        keyring.renew_secret(service, link, number, KEY)
    return number


def sample(name: str) -> tuple[str, dict[str, Any]]:
    told = json.loads((FOLDER / f"{name}.json").read_text())
    return told["event"], told["payload"]


def signed(body: bytes, event: str = "push", number: str = "d1", key: str = KEY) -> dict[str, str]:
    mac = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={mac}", "x-github-event": event, "x-github-delivery": number}


def pushed(**more: Any) -> bytes:
    return json.dumps(sample("github/push-branch")[1] | more).encode()


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(Starlette(routes=list(endpoint.routes(service))))


def post(client: TestClient, connection: int, body: bytes, headers: dict[str, str] | None = None, kind: str = "github") -> Any:
    return client.post(f"/hooks/{kind}/{connection}", content=body, headers=signed(body) if headers is None else headers)


def rows(service: Service, table: sa.Table) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(table).order_by(table.c.id)))


def test_a_delivery_is_taken_in_and_answered_at_once(service: Service, client: TestClient) -> None:
    number = connect(service)
    answer = post(client, number, pushed())
    assert answer.status_code == 202
    [row] = rows(service, assessment)
    assert answer.json() == {"delivery": "d1", "outcome": "accepted", "assessments": [row.id]}
    [kept] = rows(service, delivery)
    assert (kept.connection, kept.delivery, kept.event, kept.outcome) == (number, "d1", "push", "accepted")
    assert row.delivery == kept.id


def test_a_repeated_delivery_is_answered_and_not_taken_in_again(service: Service, client: TestClient) -> None:
    number = connect(service)
    first, again = post(client, number, pushed()), post(client, number, pushed())
    assert (first.status_code, again.status_code, again.json()["outcome"]) == (202, 200, "repeated")
    assert len(rows(service, assessment)) == 1


def test_the_same_delivery_many_times_at_once_is_taken_in_once(service: Service) -> None:
    number, body = connect(service), pushed()
    gate, outcomes = threading.Barrier(8), []

    def deliver() -> None:
        gate.wait()
        outcomes.append(receive(service, Request("github", number, signed(body), body)).outcome)

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] + ["repeated"] * 7
    assert len(rows(service, assessment)) == 1


def test_the_same_id_by_another_connection_is_another_delivery(service: Service, client: TestClient) -> None:
    for _ in range(2):
        number = connect(service)
        assert post(client, number, pushed(repository=_other(number))).status_code == 202
    assert len(rows(service, assessment)) == 2


def _other(number: int) -> dict[str, Any]:
    before: dict[str, Any] = sample("github/push-branch")[1]["repository"]
    return before | {"clone_url": f"https://github.com/orchard/shop{number}.git", "id": number}


@pytest.mark.parametrize("wrong", [{}, {"x-hub-signature-256": "sha256=" + "0" * 64}, {"x-hub-signature-256": "x"}])
def test_a_wrong_signature_is_401_and_leaves_nothing(service: Service, client: TestClient, wrong: dict[str, str]) -> None:
    number = connect(service)
    answer = post(client, number, pushed(), wrong | {"x-github-event": "push"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert KEY not in answer.text
    assert rows(service, delivery) == []


def test_a_connections_secret_opens_no_other_connection(service: Service, client: TestClient) -> None:
    first, second = connect(service), connect(service)
    with service.database.write() as link:
        keyring.renew_secret(service, link, second, secrets.token_hex(8), overlap=0)
    assert post(client, first, pushed()).status_code == 202
    assert post(client, second, pushed()).status_code == 401


def test_a_connection_without_a_secret_takes_nothing(service: Service, client: TestClient) -> None:
    with service.database.write() as link:
        number = connections.create(link, {"kind": "github", "name": "bare", "created_at": 0})
    assert post(client, number, pushed(), signed(pushed(), key="")).status_code == 401


@pytest.mark.parametrize("path", ["/hooks/github/99", "/hooks/gitlab/{}", "/hooks/git/{}", "/hooks/nothing/{}"])
def test_what_is_not_there_is_404(service: Service, client: TestClient, path: str) -> None:
    number = connect(service)
    assert client.post(path.format(number), content=pushed(), headers=signed(pushed())).status_code == 404


def test_an_ended_connection_takes_nothing(service: Service, client: TestClient) -> None:
    number = connect(service)
    with service.database.write() as link:
        connections.end(link, number, service.now())
    assert post(client, number, pushed()).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"[" * 100_000])
def test_what_is_signed_and_no_payload_is_400(service: Service, client: TestClient, body: bytes) -> None:
    assert post(client, connect(service), body).status_code == 400
    assert rows(service, delivery) == []


def test_what_is_too_large_is_413_and_not_read(service: Service, client: TestClient) -> None:
    number = connect(service)
    headers = signed(b"x") | {"content-length": str(MOST_BYTES + 1)}
    assert post(client, number, b"x", headers).status_code == 413


def test_a_body_without_a_length_is_read_to_the_limit(service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST_BYTES", 1000)
    answer = client.post(f"/hooks/github/{connect(service)}", content=iter([b"x" * 600] * 3))
    assert answer.status_code == 413


def test_a_body_that_is_longer_than_it_said_is_413(service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_LARGE", 1000)
    answer = post(client, connect(service), b"x" * 2000, {"content-length": "10"})
    assert answer.status_code == 413


def test_what_is_not_judged_is_remembered_as_ignored(service: Service, client: TestClient) -> None:
    event, payload = sample("github/installation-created")
    body = json.dumps(payload).encode()
    answer = post(client, connect(service), body, signed(body, event))
    assert (answer.status_code, answer.json()["outcome"]) == (202, "ignored: nothing is judged for installation")
    assert rows(service, delivery)[0].outcome.startswith("ignored")


@pytest.mark.parametrize(
    "url", ["https://evil.example/orchard/shop.git", "https://github.com:8443/a/b.git", "http://169.254.169.254/a", "ext::sh"]
)
def test_a_repository_elsewhere_is_refused(service: Service, client: TestClient, url: str) -> None:
    number = connect(service)
    body = pushed(repository=_other(1) | {"clone_url": url})
    answer = post(client, number, body)
    assert (answer.status_code, answer.json()["outcome"].partition(":")[0]) == (400, "refused")
    assert rows(service, repository) == []


def test_a_refused_delivery_may_be_sent_again(service: Service, client: TestClient) -> None:
    number = connect(service, web_url="https://forge.example")
    assert post(client, number, pushed()).status_code == 400
    with service.database.write() as link:
        connections.change(link, number, {"web_url": "https://github.com"})
    assert post(client, number, pushed()).status_code == 202
    assert post(client, number, pushed()).status_code == 200
    assert len(rows(service, delivery)) == 1


def test_the_head_of_a_fork_elsewhere_is_refused(service: Service, client: TestClient) -> None:
    number = connect(service, "bitbucket", "https://bitbucket.org")
    event, payload = sample("bitbucket/pullrequest-from-fork")
    body = json.dumps(payload).encode()
    mac = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature": f"sha256={mac}", "x-event-key": event, "x-request-uuid": "r"}
    assert post(client, number, body, headers, "bitbucket").status_code == 202


def test_several_refs_in_one_push_are_several_assessments(service: Service, client: TestClient) -> None:
    number = connect(service, "bitbucket", "https://bitbucket.org")
    event, payload = sample("bitbucket/push-several")
    body = json.dumps(payload).encode()
    mac = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    answer = post(client, number, body, {"x-hub-signature": f"sha256={mac}", "x-event-key": event, "x-request-uuid": "r"}, "bitbucket")
    assert (answer.status_code, len(answer.json()["assessments"])) == (202, 2)
    assert sorted(row.kind for row in rows(service, subject)) == ["branch", "tag"]


def test_the_secret_before_holds_for_a_time(service: Service, client: TestClient) -> None:
    number = connect(service)
    with service.database.write() as link:
        keyring.renew_secret(service, link, number, secrets.token_hex(8), overlap=60)
    assert post(client, number, pushed()).status_code == 202
    with service.database.write() as link:
        connections.change(link, number, {"previous_until": service.now() - SECOND})
    assert post(client, number, pushed(), signed(pushed(), number="d2")).status_code == 401


def test_what_is_new_belongs_to_the_connections_team(service: Service, client: TestClient) -> None:
    with service.database.write() as link:
        own = link.execute(team.insert().returning(team.c.id), {"slug": "t", "name": "t", "created_at": 0}).scalar_one()
    post(client, connect(service, of=own), pushed())
    assert {row.team for table in (repository, subject, assessment) for row in rows(service, table)} == {own}


@pytest.mark.parametrize("kind", sorted(READERS))
def test_every_known_delivery_is_taken_in(service: Service, kind: str) -> None:
    """Each in a transaction that is taken back, so that none meets what another left."""
    homes = {"github": "https://github.com", "bitbucket": "https://bitbucket.org", "registry": ""}
    for path in sorted((FOLDER / kind).glob("*.json")):
        home = "https://forge.example" if path.stem.startswith("server-") else homes.get(kind, "https://forge.example")
        told = json.loads(path.read_text())
        body = json.dumps(told["payload"]).encode()
        mac = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-github-event": told["event"], "x-gitea-event": told["event"], "x-event-key": told["event"], "x-gitlab-token": KEY}
        headers |= {"x-hub-signature-256": f"sha256={mac}", "x-gitea-signature": mac, "authorization": KEY}
        found = READERS[kind](Message(headers, body, (Secret(KEY.encode()),), home))
        with service.database.read() as link:
            values = {"kind": kind, "name": "c", "web_url": home, "created_at": 0}
            connection = connections.get(link, connections.create(link, values))
            assert connection is not None
            receipt = take(service, link, connection, found, body)
        judged = [each for each in told["expect"] if each["kind"] not in ("ended", "repository")]
        assert (receipt.status, len(receipt.assessments)) == (202, len(judged)), path
        assert receipt.outcome.startswith("accepted" if told["expect"] else "ignored"), path


def _button(action: str, identifier: str = "waiver") -> bytes:
    told = {"action": action, "check_run": {"id": 5, "head_sha": "a" * 40, "external_id": "1"}, "sender": {"login": "octo"}}
    told |= {"repository": sample("github/push-branch")[1]["repository"], "requested_action": {"identifier": identifier}}
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("action", "identifier", "outcome"),
    [
        ("requested_action", "waiver", "accepted"),
        ("requested_action", "explain", "accepted"),
        ("rerequested", "", "accepted"),
        ("requested_action", "drop-tables", "ignored: nothing is done for check_run requested_action"),
        ("completed", "", "ignored: nothing is done for check_run completed"),
    ],
)
def test_a_button_of_a_check_run_is_put_into_the_queue_once(
    service: Service, client: TestClient, action: str, identifier: str, outcome: str
) -> None:
    number, body = connect(service), _button(action, identifier)
    answer = post(client, number, body, signed(body, "check_run"))
    assert answer.json()["outcome"] == outcome
    assert post(client, number, body, signed(body, "check_run")).json()["outcome"] == "repeated"
    if service.database.is_sqlite:
        assert [row.kind for row in rows(service, job)] == (["fulfil-wish"] if outcome == "accepted" else [])
