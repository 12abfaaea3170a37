"""Settings in a real browser: a passkey is added and signs in, a token is shown once, and each role sees the rooms that it may enter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.pages.chromium import Browser
from tests.pages.house import come_in, opened, status_of

from assaymark.model.access import Grant, Permission, Role
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import credential
from assaymark.server.service import Service
from assaymark.server.web.settings.hub import ROOMS
from assaymark.store import people, sessions, teams
from assaymark.store.people import Draft
from assaymark.store.sessions import SessionRow

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with opened(tmp_path_factory.mktemp("settings")) as service:
        yield service


def somebody(service: Service, login: str, role: Role) -> str:
    now, secret = service.now(), credential.new_secret()
    with service.database.write() as link:
        person = people.add(link, Draft(login), at=now)
        assert person is not None
        teams.give(link, person, Grant(role), source="local", at=now)
        row = SessionRow(0, person, "password", "", "", now, now, Instant(now + 86400 * SECOND), None)
        sessions.start(link, credential.hashed(secret), row)
    return secret


def test_a_passkey_is_added_and_signs_in(served: Service, browser: Browser) -> None:
    pytest.importorskip("webauthn", reason="NOT PROVED: the extra for passkeys is not installed")
    come_in(browser, served, somebody(served, "pia", Role.DEVELOPER))
    browser.ask("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    made = browser.ask("WebAuthn.addVirtualAuthenticator", options=options | {"automaticPresenceSimulation": True})
    try:
        browser.open(f"{served.settings.url}/settings/profile")
        browser.run("document.querySelector('#passkey-name').value = 'my key'")
        browser.run("document.querySelector('[data-passkey] button').click()")
        browser.wait("document.body.innerText.includes('my key')")
        come_in(browser, served, "")
        browser.open(f"{served.settings.url}/sign-in?next=/settings/profile")
        browser.run("document.querySelector('[data-passkey] button').click()")
        browser.wait("location.pathname === '/settings/profile'")
        assert "pia" in browser.text()
        assert browser.violations() == []
    finally:
        browser.ask("WebAuthn.removeVirtualAuthenticator", authenticatorId=made["authenticatorId"])
        browser.ask("WebAuthn.disable")


def test_what_goes_wrong_with_a_passkey_is_said(served: Service, browser: Browser) -> None:
    pytest.importorskip("webauthn", reason="NOT PROVED: the extra for passkeys is not installed")
    secret = somebody(served, "old", Role.DEVELOPER)
    with served.database.write() as link:  # signed in an hour ago
        link.exec_driver_sql("UPDATE session SET created_at = created_at - 3600000000")
    come_in(browser, served, secret)
    browser.open(f"{served.settings.url}/settings/profile")
    browser.run("document.querySelector('[data-passkey] button').click()")
    browser.wait("document.querySelector('[data-passkey] [role=status]').textContent")
    assert "sign in again" in browser.text()


def test_a_token_is_shown_once(served: Service, browser: Browser) -> None:
    come_in(browser, served, somebody(served, "tom", Role.DEVELOPER))
    browser.open(f"{served.settings.url}/settings/profile")
    browser.run("document.querySelector('section:last-of-type input[name=name]').value = 'build'")
    browser.run("document.querySelector('input[name=\"scope findings:read\"]').checked = true")
    browser.run("window.assayLeft = true; document.querySelector('button[value=token]').click()")
    browser.wait("!window.assayLeft && document.body.innerText.includes('assay_')")
    token = browser.run("document.querySelector('.note .mono').textContent")
    assert credential.is_token(token)
    browser.open(f"{served.settings.url}/settings/profile")
    assert token not in browser.run("document.documentElement.outerHTML")
    assert "build" in browser.text()


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_the_rooms_that_it_may_enter_and_only_those_open(served: Service, browser: Browser, role: Role) -> None:
    come_in(browser, served, somebody(served, f"r-{role.value}", role))
    browser.open(f"{served.settings.url}/settings")
    shown = set(browser.run("Array.from(document.querySelectorAll('.rooms a'), each => each.getAttribute('href'))"))
    for room in ROOMS:
        browser.open(served.settings.url + room.path)
        assert (status_of(browser) == 200) == (room.path in shown), (room.path, status_of(browser))
    assert ("/settings/people" in shown) == (role in {Role.SECURITY, Role.AUDITOR, Role.ADMIN})
    assert ("/settings/server" in shown) == (role is Role.ADMIN)
    forms = {"/settings/people": Permission.PEOPLE_WRITE, "/settings/connections": Permission.CONNECTIONS_WRITE}
    for path, permission in forms.items():
        if path in shown:
            browser.open(served.settings.url + path)
            has_form = browser.run("!!document.querySelector('main .narrow form')")
            assert has_form == (permission in _allowed(role)), (path, has_form)


def _allowed(role: Role) -> frozenset[Permission]:
    from assaymark.model.access import GRANTS  # noqa: PLC0415 - only here

    return GRANTS[role]
