from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

if TYPE_CHECKING:
    from tests.server.people.authenticator import Authenticator
    from tests.server.people.conftest import World

from starlette.testclient import TestClient

from assaymark.model.access import Grant, Role

URL = "https://assay.example.org"


@pytest.fixture
def named(world: World) -> World:
    """The server under a name of its own, over HTTPS."""
    return type(world)(msgspec.structs.replace(world.service, settings=msgspec.structs.replace(world.service.settings, url=URL)))


def registered(browser: TestClient, device: Authenticator, name: str = "key") -> int:
    options = browser.post("/api/v1/passkeys/challenge").json()
    answer = browser.post("/api/v1/passkeys", json={"credential": device.create(options), "name": name})
    return answer.status_code


def come_in(visitor: TestClient, device: Authenticator) -> Any:
    options = visitor.post("/api/v1/sessions/passkey/challenge").json()
    return visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)})


def with_key(world: World, device: Authenticator) -> TestClient:
    world.person("ada", Grant(Role.VIEWER))
    browser = world.signed_in("ada")
    assert registered(browser, device) == 201
    return browser


def test_somebody_comes_in_with_a_passkey_alone(named: World, device: Authenticator) -> None:
    with_key(named, device)
    visitor = named.visitor()
    answer = come_in(visitor, device)
    assert answer.status_code == 201, answer.text
    assert visitor.get("/api/v1/me").json()["login"] == "ada"
    assert ("session.begun", "success") in named.trail()


def test_what_is_asked_of_an_authenticator(named: World) -> None:
    named.person("ada")
    options = named.signed_in("ada").post("/api/v1/passkeys/challenge").json()
    assert options["rp"]["id"] == "assay.example.org"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    asked = named.visitor().post("/api/v1/sessions/passkey/challenge").json()
    assert asked["userVerification"] == "required"
    assert len(asked["challenge"]) >= 43
    assert not asked.get("allowCredentials")


def test_a_challenge_is_used_once(named: World, device: Authenticator) -> None:
    with_key(named, device)
    visitor = named.visitor()
    options = visitor.post("/api/v1/sessions/passkey/challenge").json()
    assertion = device.get(options)
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": assertion}).status_code == 201
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": assertion}).status_code == 400
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400


def test_a_challenge_that_was_answered_wrong_is_used_up(named: World, device: Authenticator) -> None:
    with_key(named, device)
    visitor = named.visitor()
    options = visitor.post("/api/v1/sessions/passkey/challenge").json()
    wrong = device.get(options)
    wrong["response"]["signature"] = wrong["response"]["signature"][::-1]
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": wrong}).status_code == 400
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400
    assert ("session.begun", "refused") in named.trail()


def test_a_challenge_belongs_to_the_browser_that_asked(named: World, device: Authenticator) -> None:
    with_key(named, device)
    options = named.visitor().post("/api/v1/sessions/passkey/challenge").json()
    other = named.visitor()
    other.post("/api/v1/sessions/passkey/challenge")
    assert other.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400


def test_a_challenge_ends(named: World, device: Authenticator) -> None:
    with_key(named, device)
    visitor = named.visitor()
    options = visitor.post("/api/v1/sessions/passkey/challenge").json()
    named.later(600)
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400


def test_a_challenge_that_nobody_made_is_refused(named: World, device: Authenticator) -> None:
    with_key(named, device)
    options = {"challenge": "A" * 43, "rpId": "assay.example.org"}
    visitor = named.visitor()
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400


def test_another_origin_proves_nothing(named: World, device: Authenticator) -> None:
    with_key(named, device)
    device.origin = "https://assay.example.org.evil.test"
    assert come_in(named.visitor(), device).status_code == 400


def test_another_relying_party_proves_nothing(named: World, device: Authenticator) -> None:
    with_key(named, device)
    visitor = named.visitor()
    options = visitor.post("/api/v1/sessions/passkey/challenge").json() | {"rpId": "evil.test"}
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": device.get(options)}).status_code == 400


def test_a_user_who_was_not_verified_proves_nothing(named: World, device: Authenticator) -> None:
    with_key(named, device)
    device.flags = 0x01
    assert come_in(named.visitor(), device).status_code == 400


def test_a_key_without_verification_is_not_registered(named: World, device: Authenticator) -> None:
    named.person("ada")
    device.flags = 0x01
    assert registered(named.signed_in("ada"), device) == 400


def test_a_copy_of_an_authenticator_is_noticed(named: World, device: Authenticator) -> None:
    with_key(named, device)
    copied = copy.copy(device)
    assert come_in(named.visitor(), device).status_code == 201
    assert come_in(named.visitor(), device).status_code == 201
    assert come_in(named.visitor(), copied).status_code == 400


def test_a_counter_may_use_all_its_bits(named: World, device: Authenticator) -> None:
    with_key(named, device)
    device.count = (1 << 32) - 2
    assert come_in(named.visitor(), device).status_code == 201


def test_another_key_behind_the_same_name_proves_nothing(named: World, device: Authenticator, other_device: Authenticator) -> None:
    with_key(named, device)
    other_device.credential, other_device.handle = device.credential, device.handle
    assert come_in(named.visitor(), other_device).status_code == 400


def test_the_handle_of_somebody_else_is_refused(named: World, device: Authenticator) -> None:
    with_key(named, device)
    device.handle = bytes(32)
    assert come_in(named.visitor(), device).status_code == 401


def test_a_passkey_that_was_removed_opens_nothing(named: World, device: Authenticator) -> None:
    browser = with_key(named, device)
    number = browser.get("/api/v1/passkeys").json()[0]["id"]
    named.person("eve")
    assert named.signed_in("eve").delete(f"/api/v1/passkeys/{number}").status_code == 404
    assert browser.delete(f"/api/v1/passkeys/{number}").status_code == 204
    assert come_in(named.visitor(), device).status_code == 401


def test_a_passkey_of_somebody_disabled_opens_nothing(named: World, device: Authenticator) -> None:
    browser = with_key(named, device)
    person = browser.get("/api/v1/me").json()["person"]
    assert named.admin().post(f"/api/v1/people/{person}/disable").status_code == 204
    assert come_in(named.visitor(), device).status_code == 401


def test_a_registration_belongs_to_the_session_that_asked(named: World, device: Authenticator) -> None:
    named.person("ada")
    named.person("eve")
    options = named.signed_in("ada").post("/api/v1/passkeys/challenge").json()
    for browser in (named.signed_in("eve"), named.signed_in("ada")):
        assert browser.post("/api/v1/passkeys", json={"credential": device.create(options)}).status_code == 400


def test_a_challenge_to_come_in_registers_nothing(named: World, device: Authenticator) -> None:
    named.person("ada")
    browser = named.signed_in("ada")
    asked = browser.post("/api/v1/sessions/passkey/challenge").json()
    options = {"challenge": asked["challenge"], "rp": {"id": asked["rpId"]}, "user": {"id": "AAAA"}}
    assert browser.post("/api/v1/passkeys", json={"credential": device.create(options)}).status_code == 400


def test_a_session_that_was_left_open_adds_no_passkey(named: World) -> None:
    named.person("ada")
    browser = named.signed_in("ada")
    named.later(901)
    answer = browser.post("/api/v1/passkeys/challenge")
    assert answer.status_code == 403
    assert "too old" in answer.json()["title"]


def test_the_same_key_is_not_registered_twice(named: World, device: Authenticator) -> None:
    browser = with_key(named, device)
    assert registered(browser, device) == 409


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"response": 1},
        {"response": {"clientDataJSON": "é"}},
        {"response": {"clientDataJSON": "e30"}},
        {"response": {"clientDataJSON": 7}},
    ],
)
def test_what_is_no_answer_of_an_authenticator_is_refused(named: World, credential: dict[str, Any]) -> None:
    assert named.visitor().post("/api/v1/sessions/passkey", json={"credential": credential}).status_code == 400


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", [None, "", "AAAA", "é", 5, [], "A" * 4000])
def test_an_answer_with_a_broken_part_is_refused_and_nothing_breaks(named: World, device: Authenticator, part: str, value: object) -> None:
    with_key(named, device)
    visitor = named.visitor()
    options = visitor.post("/api/v1/sessions/passkey/challenge").json()
    credential = device.get(options)
    credential["response"][part] = value
    assert visitor.post("/api/v1/sessions/passkey", json={"credential": credential}).status_code in {400, 401}


def test_without_the_library_it_is_said_what_to_install(named: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webauthn", None)
    answer = named.visitor().post("/api/v1/sessions/passkey/challenge")
    assert answer.status_code == 503
    assert "assaymark[passkeys]" in answer.json()["advice"]
