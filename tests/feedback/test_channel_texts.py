"""What is written into channels: foreign text has no effect anywhere, addresses lead home, payloads are as documented."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from assaymark.errors import UsageError
from assaymark.feedback.channels import mattermost, signing, slack, teams, webhook
from assaymark.feedback.channels.parcel import pack
from assaymark.feedback.channels.telling import Telling
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.happening import HappeningKind
from assaymark.model.severity import Severity
from assaymark.store.happenings import HappeningRow
from assaymark.store.subscriptions import ChannelKind

HOSTILE = (
    "<!channel> @channel @here @all <@U123> <https://evil.example|click> [x](https://evil.example) ![i](https://evil.example/p.png) "
    "https://evil.example *bold* _it_ ~strike~ `code` #town ~town :smile: <at>Ada</at> {{DATE(2026-01-01T00:00:00Z)}} /leave "
    "www.evil.example\n"
    "# heading\n> quote\n| a | b |\x1b[31m\u202eabc"
)
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "webhooks.schema.json"


def telling(title: str = HOSTILE, kind: HappeningKind = HappeningKind.VERDICT_CHANGED, path: str = "/changes/1", **more: Any) -> Telling:
    values: dict[str, Any] = {"subject": SubjectId(1), "severity": Severity.HIGH, "actor": HOSTILE, "data": {"after": "fail"}} | more
    row = HappeningRow(
        id=7, kind=kind, at=Instant(1_790_000_000_000_001), team=None, title=title, path=path, subject=values["subject"], repository=None,
        subject_name=HOSTILE, repository_name="", severity=values["severity"], actor=values["actor"], data=values["data"],
    )  # fmt: skip
    return Telling(row, "https://assay.example")


def _texts(node: Any, kind: str) -> list[str]:
    """Texts of all parts with this type."""
    if isinstance(node, list):
        return [text for each in node for text in _texts(each, kind)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if node.get("type") == kind and isinstance(node.get("text"), str) else []
    return own + [text for each in node.values() for text in _texts(each, kind)]


def test_slack_is_given_foreign_text_as_plain_text_only() -> None:
    said = json.loads(slack.message(telling()))
    (link,) = _texts(said["blocks"], "mrkdwn")
    assert link == "<https://assay.example/changes/1|Open it>"
    assert "<" not in said["text"]
    assert not re.search(r"@\w", said["text"])
    assert "https://" not in said["text"]
    assert said["link_names"] is False
    assert all(len(text) <= 2000 for text in _texts(said["blocks"], "plain_text"))


def test_slack_takes_no_link_apart_that_holds_its_signs() -> None:
    (link,) = _texts(json.loads(slack.message(telling(path="/find?q=a|b>c <!channel>")))["blocks"], "mrkdwn")
    assert link.count("|") == link.count(">") == link.count("<") == 1


def test_teams_is_given_foreign_text_in_runs_without_markdown() -> None:
    said = json.loads(teams.message(telling()))
    card = said["attachments"][0]["content"]
    assert _texts(card["body"], "TextBlock") == ["It fails now"]
    runs = "".join(_texts(card["body"], "TextRun"))
    assert "{{" not in runs
    assert "<at>" not in runs
    assert "msteams" not in card
    assert len(teams.message(telling("x" * 100_000))) < 28_000


def test_mattermost_is_given_text_in_which_nothing_begins() -> None:
    text = json.loads(mattermost.message(telling()))["text"]
    assert not re.search(r"@\w", text)
    assert not re.search(r"[#~:]\w", text.replace("https://assay.example", ""))
    assert "https://evil" not in text
    assert "\n#" not in text
    assert "\u202e" not in text


@given(st.text(alphabet="@#~:*_`[]()<>!|\\/.&{}-+=\"' aZ9w\n", max_size=60))
def test_every_sign_with_a_meaning_in_markdown_is_escaped(text: str) -> None:
    escaped = mattermost.escaped(text)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped)
    assert not re.search(r"[!-/:-@\[-`{-~]", bare)
    assert "www" not in escaped


@pytest.mark.parametrize("path", ["//evil.example/x", "https://evil.example", "javascript:alert(1)", "", "\\\\evil.example"])
def test_no_path_leads_to_another_server(path: str) -> None:
    assert telling(path=path).url == "https://assay.example/"


@pytest.mark.parametrize("kind", HappeningKind)
def test_every_kind_has_words_and_a_payload_as_documented(kind: HappeningKind) -> None:
    told = telling(kind=kind)
    assert told.heading
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")), validate_formats=True)
    for each in (told, telling(kind=kind, subject=None, severity=None, actor="", data={})):
        assert [error.message for error in schema.iter_errors(json.loads(webhook.payload(each)))] == []


def test_the_reference_shows_a_payload_as_the_schema_has_it_and_names_every_kind() -> None:
    page = (SCHEMA.parent / "webhooks.md").read_text("utf-8")
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")), validate_formats=True)
    assert [error.message for error in schema.iter_errors(shown)] == []
    assert set(shown["data"]) == set(json.loads(SCHEMA.read_text("utf-8"))["properties"]["data"]["properties"])
    assert [kind for kind in HappeningKind if f"`{kind.value}`" not in page] == []


def test_the_documented_kinds_are_the_kinds() -> None:
    assert json.loads(SCHEMA.read_text("utf-8"))["properties"]["type"]["enum"] == [kind.value for kind in HappeningKind]


@pytest.mark.parametrize("kind", ChannelKind)
def test_every_kind_of_channel_packs_json_and_only_webhooks_are_signed(kind: ChannelKind) -> None:
    keys = signing.SigningKeys((signing.new_secret(),))
    parcel = pack(kind, telling(), uid="msg_1", seconds=1, keys=keys)
    assert json.loads(parcel.body)
    assert ("webhook-signature" in parcel.headers) is (kind is ChannelKind.WEBHOOK)


def test_signatures_are_those_of_the_public_library() -> None:
    secret, body = signing.new_secret(), b'{"a": "\xc3\xa4"}'
    made = signing.headers(signing.SigningKeys((secret,)), "msg_1", 1_790_000_000, body)
    at = dt.datetime.fromtimestamp(1_790_000_000, dt.UTC)
    assert made["webhook-signature"] == Webhook(secret).sign("msg_1", at, body.decode())


def test_a_key_pair_signs_beside_the_secret() -> None:
    private, public = signing.new_pair()
    made = signing.headers(signing.SigningKeys((signing.new_secret(),), private), "msg_1", 5, b"{}")
    first, second = made["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    version, _, signature = second.partition(",")
    assert version == "v1a"
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(signature), b"msg_1.5.{}")


@pytest.mark.parametrize("text", ["whsec_", "whsec_YQ==", "whsec_not base64!", "x" * 500])
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        signing.checked_secret(text)


def test_keys_do_not_print_themselves() -> None:
    assert "whsec" not in repr(signing.SigningKeys((signing.new_secret(),), "whsk_x"))
