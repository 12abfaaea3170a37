"""Each delivery in `deliveries/` is what a forge's documentation shows, cut down, with the triggers that it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.checks.settings import Secret
from assaymark.model.trigger import Trigger
from assaymark.triggers.webhooks.delivery import Delivery, Message, PayloadInvalid, SignatureWrong
from assaymark.triggers.webhooks.kinds import READERS

FOLDER = Path(__file__).parent / "deliveries"
SAMPLES = sorted(FOLDER.glob("*/*.json"))
KEY = secrets.token_hex(16).encode()
NOW = 1_767_323_045


def _id(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def headers(kind: str, event: str, body: bytes, key: bytes = KEY) -> dict[str, str]:
    """As the forge sends them."""
    mac = hmac.new(key, body, hashlib.sha256).hexdigest()
    return {
        "github": {"x-hub-signature-256": f"sha256={mac}", "x-github-event": event, "x-github-delivery": "d1"},
        "gitea": {"x-gitea-signature": mac, "x-gitea-event": event, "x-gitea-delivery": "d1"},
        "gitlab": {"x-gitlab-token": key.decode(), "x-gitlab-event": event, "idempotency-key": "d1"},
        "bitbucket": {"x-hub-signature": f"sha256={mac}", "x-event-key": event, "x-request-uuid": "d1"},
        "registry": {"authorization": f"Bearer {key.decode()}"},
    }[kind]


def home(kind: str, path: Path) -> str:
    if kind == "registry":
        return ""
    own = {"github": "https://github.com", "bitbucket": "https://bitbucket.org"}
    return "https://forge.example" if path.stem.startswith("server-") else own.get(kind, "https://forge.example")


def read(path: Path, *, given: dict[str, str] | None = None, body: bytes | None = None, keys: tuple[bytes, ...] = (KEY,)) -> Delivery:
    kind, sample = path.parent.name, json.loads(path.read_text())
    body = json.dumps(sample["payload"]).encode() if body is None else body
    message = Message(
        headers(kind, sample["event"], body) if given is None else given, body, tuple(map(Secret, keys)), home(kind, path), NOW
    )
    return READERS[kind](message)


def _holds(found: Any, expected: dict[str, Any]) -> None:
    assert {name: msgspec.to_builtins(getattr(found, name)) for name in expected} == expected


@pytest.mark.parametrize("path", SAMPLES, ids=_id)
def test_a_delivery_is_these_triggers(path: Path) -> None:
    sample = json.loads(path.read_text())
    found = read(path)
    assert len(found.triggers) == len(sample["expect"]), found
    for trigger, expected in zip(found.triggers, sample["expect"], strict=True):
        _holds(trigger, {name: value for name, value in expected.items() if value not in ("", {})})
        assert trigger.before == expected.get("before", "")
        assert trigger.after == expected.get("after", "")
        if trigger.repository is not None:
            assert trigger.repository.clone_url.startswith("https://")
            assert trigger.repository.forge_id
    assert bool(found.why) is not bool(found.triggers)
    assert found.id == ("d1" if path.parent.name != "registry" else found.id)


@pytest.mark.parametrize("path", SAMPLES, ids=_id)
@pytest.mark.parametrize("attack", ["another-key", "another-body", "no-signature", "empty-signature", "no-secret", "empty-secret"])
def test_a_delivery_that_is_not_signed_rightly_is_not_read(path: Path, attack: str) -> None:
    kind, sample = path.parent.name, json.loads(path.read_text())
    body = json.dumps(sample["payload"]).encode()
    given = headers(kind, sample["event"], body, b"another" if attack == "another-key" else b"" if attack == "empty-secret" else KEY)
    signed = [name for name in given if "signature" in name or name in ("authorization", "x-gitlab-token")]
    for name in signed:
        if attack == "no-signature":
            del given[name]
        elif attack == "empty-signature":
            given[name] = ""
    sent = b'{"x":1}' if attack == "another-body" and kind not in ("gitlab", "registry") else body  # a token says nothing of the body
    if attack == "another-body" and sent is body:
        return
    keys = {"no-secret": (), "empty-secret": (b"",)}.get(attack, (KEY,))
    with pytest.raises(SignatureWrong):
        read(path, given=given, body=sent, keys=keys)


@pytest.mark.parametrize("kind", sorted(READERS))
def test_two_secrets_hold_while_one_replaces_the_other(kind: str) -> None:
    path = next(path for path in SAMPLES if path.parent.name == kind)
    assert read(path, keys=(b"new", KEY)) == read(path, keys=(KEY, b"old")) == read(path)


def _standard(body: bytes, key: bytes, at: int = NOW, number: str = "msg_1") -> dict[str, str]:
    mac = base64.b64encode(hmac.new(key, f"{number}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": number, "webhook-timestamp": str(at), "webhook-signature": f"v1,AAAA v1,{mac}", "x-gitlab-event": "Push Hook"}


PUSH = FOLDER / "gitlab" / "push-branch.json"
BODY = json.dumps(json.loads(PUSH.read_text())["payload"]).encode()


@pytest.mark.parametrize("form", [lambda key: key, lambda key: b"whsec_" + base64.b64encode(key)], ids=["plain", "whsec"])
def test_gitlab_may_sign_with_a_time(form: Any) -> None:
    found = read(PUSH, given=_standard(BODY, KEY), body=BODY, keys=(form(KEY),))
    assert (found.id, len(found.triggers)) == ("msg_1", 1)


@pytest.mark.parametrize("off", [-301, 301, 10**9, -(10**9)])
def test_a_signature_of_another_time_does_not_hold(off: int) -> None:
    with pytest.raises(SignatureWrong, match="another time"):
        read(PUSH, given=_standard(BODY, KEY, NOW + off), body=BODY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(NOW - 1)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "١٧"},
        {"webhook-timestamp": "1" * 5000},
        {"webhook-id": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v2,abc"},
    ],
)
def test_what_is_signed_with_a_time_is_bound_to_all_of_it(wrong: dict[str, str]) -> None:
    with pytest.raises(SignatureWrong):
        read(PUSH, given=_standard(BODY, KEY) | wrong, body=BODY)


def test_a_token_does_not_make_up_for_a_wrong_signature() -> None:
    given = _standard(BODY, b"another") | {"x-gitlab-token": KEY.decode()}
    with pytest.raises(SignatureWrong):
        read(PUSH, given=given, body=BODY)


@pytest.mark.parametrize("form", ["{key}", "Bearer {key}", "Basic {basic}"])
def test_a_registry_sends_its_secret_in_one_of_three_forms(form: str) -> None:
    path = FOLDER / "registry" / "one-event.json"
    basic = base64.b64encode(b"assay:" + KEY).decode()
    assert read(path, given={"authorization": form.format(key=KEY.decode(), basic=basic)}).triggers


def test_a_registry_that_sends_no_headers_has_the_secret_in_the_address() -> None:
    body = json.dumps(json.loads((FOLDER / "registry" / "docker-hub.json").read_text())["payload"]).encode()
    found = READERS["registry"](Message({}, body, (Secret(KEY),), key=KEY.decode()))
    assert found.triggers[0].ref == "docker.io/orchard/shop"
    with pytest.raises(SignatureWrong):
        READERS["registry"](Message({"authorization": "Basic !!!"}, body, (Secret(KEY),), key=KEY.decode()))


def test_forgejo_signs_under_its_own_name() -> None:
    path = FOLDER / "gitea" / "push-branch.json"
    body = json.dumps(json.loads(path.read_text())["payload"]).encode()
    mac = hmac.new(KEY, body, hashlib.sha256).hexdigest()
    given = {"x-forgejo-signature": mac, "x-forgejo-event": "push", "x-forgejo-delivery": "f1", "x-gitea-signature": "0"}
    assert read(path, given=given, body=body).id == "f1"


def test_github_may_send_a_form() -> None:
    from urllib.parse import urlencode  # noqa: PLC0415

    path = FOLDER / "github" / "push-branch.json"
    body = urlencode({"payload": json.dumps(json.loads(path.read_text())["payload"])}).encode()
    given = headers("github", "push", body) | {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert read(path, given=given, body=body).triggers == read(path).triggers


def test_a_delivery_without_an_id_is_known_by_its_body() -> None:
    path = FOLDER / "github" / "push-branch.json"
    body = json.dumps(json.loads(path.read_text())["payload"]).encode()
    given = {name: value for name, value in headers("github", "push", body).items() if name != "x-github-delivery"}
    assert read(path, given=given, body=body).id == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert read(path, given=given | {"x-github-delivery": "a b\n"}, body=body).id.startswith("sha256:")


def _with(path: Path, change: dict[str, Any]) -> bytes:
    return json.dumps({**json.loads(path.read_text())["payload"], **change}).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"ref": "--upload-pack=x"},
        {"ref": "refs/heads/../../etc"},
        {"ref": "refs/heads/a b"},
        {"ref": "refs/heads/a\u0000"},
        {"ref": "refs/heads/" + "a" * 1001},
        {"ref": 1},
        {"after": "; rm -rf /"},
        {"after": "--output=x"},
        {"before": "HEAD"},
        {"repository": None},
        {"repository": {"id": "x"}},
    ],
)
def test_what_is_no_ref_or_commit_is_refused(change: dict[str, Any]) -> None:
    path = FOLDER / "github" / "push-branch.json"
    body = _with(path, change)
    with pytest.raises(PayloadInvalid):
        read(path, given=headers("github", "push", body), body=body)


def test_titles_lose_what_databases_and_terminals_choke_on() -> None:
    path = FOLDER / "github" / "pull-request-opened.json"
    payload = json.loads(path.read_text())["payload"]
    payload["pull_request"]["title"] = "a\u0000b\u001b[31mc\u2028d" + "x" * 5000
    body = json.dumps(payload).encode()
    [trigger] = read(path, given=headers("github", "pull_request", body), body=body).triggers
    assert trigger.merge_request is not None
    assert trigger.merge_request.title.startswith("a b [31mc dxxx")
    assert len(trigger.merge_request.title) == 500


@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b'{"ref":' * 100_000, b'{"a":' + b"[" * 500_000, b"\xff\xfe", b"", b"null", b"1e999", b'{"ref":"\\ud800"}']
)
@pytest.mark.parametrize("kind", sorted(READERS))
def test_what_is_no_payload_is_refused_without_harm(kind: str, body: bytes) -> None:
    event = {"bitbucket": "repo:push"}.get(kind, "push")
    message = Message(headers(kind, event, body), body, (Secret(KEY),), "https://forge.example", NOW)
    with pytest.raises(PayloadInvalid):
        READERS[kind](message)


def test_a_delivery_holds_a_bounded_number_of_changes() -> None:
    path = FOLDER / "registry" / "distribution-push.json"
    event = json.loads(path.read_text())["payload"]["events"][1]
    body = json.dumps({"events": [event] * 1001}).encode()
    with pytest.raises(PayloadInvalid, match="1001"):
        read(path, given=headers("registry", "", body), body=body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in _places(each, (*at, key)))]


def _put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    made = value.copy()
    made[place[0]] = _put(value[place[0]], place[1:], new)
    return made


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_stands_in_a_signed_payload_it_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(SAMPLES))
    sample = json.loads(path.read_text())
    place = data.draw(st.sampled_from(_places(sample["payload"])))
    body = json.dumps(_put(sample["payload"], place, data.draw(VALUES))).encode()
    try:
        found = read(path, given=headers(path.parent.name, sample["event"], body), body=body)
    except PayloadInvalid:
        return
    for trigger in found.triggers:
        assert msgspec.json.decode(msgspec.json.encode(trigger), type=Trigger) == trigger
        if trigger.repository is not None:  # an address is judged where it is used
            trigger = msgspec.structs.replace(trigger, repository=msgspec.structs.replace(trigger.repository, clone_url=""))  # noqa: PLW2901
        assert b"\\u0000" not in msgspec.json.encode(trigger)


def _pushed(tag: str, *references: str) -> bytes:
    target = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "repository": "shop/web",
        "digest": "sha256:" + "a" * 64,
        "tag": tag,
    }
    target["references"] = [{"mediaType": each} for each in references]  # type: ignore[assignment]
    return json.dumps({"events": [{"action": "push", "target": target, "request": {"host": "registry.example"}}]}).encode()


@pytest.mark.parametrize(
    ("tag", "references", "number"),
    [
        ("1", ("application/vnd.oci.image.config.v1+json",), 1),
        ("", ("application/vnd.oci.empty.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json"), 0),
        ("sha256-" + "b" * 64, (), 0),
        ("sha256-" + "b" * 64 + ".att", (), 0),
        ("sha256-" + "b" * 64 + "." + "c" * 32, (), 0),
        ("sha256-short", (), 1),
    ],
)
def test_what_lies_beside_an_image_is_no_image(tag: str, references: tuple[str, ...], number: int) -> None:
    """Otherwise the server would judge its own endorsements as they are attached."""
    message = Message({"authorization": f"Bearer {KEY.decode()}"}, _pushed(tag, *references), (Secret(KEY),))
    assert len(READERS["registry"](message).triggers) == number
