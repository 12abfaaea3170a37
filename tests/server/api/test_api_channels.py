"""Channels by the API and by the page: what is entered never comes back, who sees one team makes none for all."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from tests.server.api.conftest import Made, Make, on_both, seeded

from assaymark.store import tables

ADDRESS = "https://1.1.1.1/services/T0/B0/x" + "y" * 20
ADMIN = {"Authorization": "Bearer admin"}


@pytest.fixture
def made(make: Make) -> Made:
    found = make()
    seeded(found.service)
    return found


def create(made: Made, **more: Any) -> Any:
    body = {"kind": "webhook", "name": "ops", "address": ADDRESS} | more
    return made.client.post("/api/v1/channels", json=body, headers=ADMIN)


@on_both
def test_a_channel_is_made_and_neither_its_address_nor_its_secret_is_given_back(made: Made) -> None:
    answer = create(made, ed25519=True)
    assert answer.status_code == 201, answer.text
    secret = answer.json()["secret"]
    assert secret.startswith("whsec_")
    shown = made.client.get("/api/v1/channels", headers=ADMIN).text + made.client.get("/api/v1/trail", headers=ADMIN).text
    assert ADDRESS not in shown
    assert secret not in shown
    assert json.loads(made.client.get("/api/v1/channels/1", headers=ADMIN).text)["public_key"].startswith("whpk_")
    with made.service.database.read() as link:
        row = link.execute(sa.select(tables.subscription)).one()
    assert ADDRESS.encode() not in row.address
    assert secret.encode() not in row.secret


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"address": "http://1.1.1.1/x"}, "in the clear"),
        ({"address": "https://127.0.0.1/x"}, "may not be gone to"),
        ({"address": "https://169.254.169.254/latest"}, "may not be gone to"),
        ({"address": "https://1.1.1.1:25/x"}, "may not be gone to"),
        ({"address": "file:///etc/passwd"}, "cannot be gone to"),
        ({"address": "https://user:" + "word@1.1.1.1/x"}, "credential"),
        ({"secret": "short"}, "signing secret"),
        ({"kind": "slack", "secret": "whsec_" + "QUFB" * 11}, "signs nothing"),
        ({"wants": {"subject": "*" * 20}}, "stars"),
        ({"wants": {"kinds": ["nothing.happened"]}}, "nothing.happened"),
        ({"name": ""}, "name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(made: Made, more: dict[str, Any], words: str) -> None:
    answer = create(made, **more)
    assert answer.status_code == 400, answer.text
    assert words in answer.text


def test_a_name_stands_once_and_is_free_after_its_channel_ended(made: Made) -> None:
    assert create(made).status_code == 201
    assert create(made).status_code == 409
    assert made.client.delete("/api/v1/channels/1", headers=ADMIN).status_code == 204
    assert create(made).status_code == 201
    with made.service.database.read() as link:
        assert link.execute(sa.select(tables.subscription.c.address).where(tables.subscription.c.id == 1)).scalar() is None


def test_a_test_goes_to_this_channel_alone_and_stands_in_its_log(made: Made) -> None:
    create(made)
    create(made, name="other")
    answer = made.client.post("/api/v1/channels/1/test", headers=ADMIN)
    assert answer.status_code == 202, answer.text
    assert [row["kind"] for row in made.client.get("/api/v1/channels/1/messages", headers=ADMIN).json()["items"]] == ["channel.tested"]
    assert made.client.get("/api/v1/channels/2/messages", headers=ADMIN).json()["items"] == []


def test_a_paused_channel_is_not_tested_and_goes_on_when_told_so(made: Made) -> None:
    create(made)
    assert made.client.patch("/api/v1/channels/1", json={"state": "paused"}, headers=ADMIN).json()["state"] == "paused"
    assert made.client.post("/api/v1/channels/1/test", headers=ADMIN).status_code == 409
    assert made.client.patch("/api/v1/channels/1", json={"state": "active"}, headers=ADMIN).json()["state"] == "active"
    assert made.client.patch("/api/v1/channels/1", json={"state": "disabled"}, headers=ADMIN).status_code == 400


def test_a_message_that_was_given_up_is_sent_again_under_its_number(made: Made) -> None:
    create(made)
    uid = made.client.post("/api/v1/channels/1/test", headers=ADMIN).json()["uid"]
    assert made.client.post("/api/v1/channels/1/messages/1/replay", headers=ADMIN).status_code == 409
    with made.service.database.write() as link:
        link.execute(tables.channel_message.update().values(state="given-up", attempts=10, error="it answered 500"))
    answer = made.client.post("/api/v1/channels/1/messages/1/replay", headers=ADMIN).json()
    assert (answer["uid"], answer["state"], answer["attempts"]) == (uid, "waiting", 0)
    assert made.client.post("/api/v1/channels/1/messages/9/replay", headers=ADMIN).status_code == 404


def test_a_secret_is_replaced_with_an_overlap(made: Made) -> None:
    create(made)
    answer = made.client.post("/api/v1/channels/1/secret", json={"overlap_seconds": 60}, headers=ADMIN).json()
    assert answer["secret"].startswith("whsec_")
    assert answer["previous_secret_until"]


def test_the_page_shows_the_secret_once_and_words_of_others_as_words(made: Made) -> None:
    form = {"kind": "webhook", "name": "<script>alert(1)</script>", "address": ADDRESS, "kind:verdict.changed": "on", "severity": "high"}
    page = made.client.post("/settings/channels/new", data=form, headers=ADMIN)
    assert page.status_code == 200, page.text
    assert "whsec_" in page.text
    assert "<script>alert" not in page.text
    again = made.client.get("/settings/channels/1", headers=ADMIN)
    assert "whsec_" not in again.text
    assert ADDRESS not in again.text
    assert made.client.get("/api/v1/channels/1", headers=ADMIN).json()["wants"] == {
        "kinds": ["verdict.changed"],
        "severity": "high",
        "subject": "",
    }


def test_the_page_says_what_is_wrong_and_keeps_what_was_entered(made: Made) -> None:
    form = {"kind": "slack", "name": "ops", "address": "https://127.0.0.1/x"}
    page = made.client.post("/settings/channels/new", data=form, headers=ADMIN)
    assert page.status_code == 400
    assert "may not be gone to" in page.text
    assert 'value="ops"' in page.text


@pytest.mark.parametrize("step", ["test", "pause", "secret", "end"])
def test_every_button_of_the_page_does_what_the_api_does(made: Made, step: str) -> None:
    create(made)
    answer = made.client.post(f"/settings/channels/1/{step}", headers=ADMIN, follow_redirects=False)
    assert answer.status_code == (200 if step == "secret" else 303)
    with made.service.database.read() as link:
        actions = list(link.execute(sa.select(tables.audit_event.c.action).order_by(tables.audit_event.c.id)).scalars())
    assert len(actions) == 2


def test_who_reads_one_team_sees_no_channel_of_all(made: Made) -> None:
    create(made)
    assert made.client.get("/api/v1/channels/1", headers={"Authorization": "Bearer developer"}).status_code == 403
    assert made.client.get("/settings/channels", headers={"Authorization": "Bearer viewer"}).status_code == 403
