"""A policy's way in a real browser against the real server: written, tried on verdicts that were given, put in force."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.pages.chromium import Browser
from tests.pages.conftest import PASSWORD, Server

pytestmark = pytest.mark.enable_socket

EVIL = "nowhere <img src=x onerror=document.title=1>"
POLICY = f"""\
kind: Policy
metadata:
  name: base
  version: 1.0.0
rules:
  - id: anything
    when: finding.rank >= rank.info
    action: stop
    message: {EVIL}
    advice: repair it
"""


@pytest.fixture(scope="module")
def inside(server: Server, browser: Browser) -> Browser:
    """Set up and signed in, with the sample judged."""
    browser.open(server.setup_link())
    browser.fill(login="ada", name="Ada", password=PASSWORD)
    browser.press("Enter", 13)
    browser.wait("!location.pathname.startsWith('/setup')")
    browser.open(f"{server.url}/changes")
    browser.wait(
        "document.querySelectorAll('.state.fail, .state.pass').length >= 3 || (setTimeout(() => location.reload(), 500), false)", 120
    )
    return browser


def _kept(browser: Browser, name: str) -> None:
    """A picture, where somebody asked for them."""
    folder = os.environ.get("PICTURES", "")
    if folder:
        browser.picture(Path(folder) / f"{name}.png")


def _click(browser: Browser, words: str) -> None:
    browser.run(f"Array.from(document.querySelectorAll('main button')).find(b => b.textContent.trim() === {words!r}).click()")


def test_a_policy_is_written_simulated_and_put_in_force(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/policies")
    assert "No policy yet" in inside.text()
    inside.open(f"{server.url}/policies/new")
    inside.run(f"document.querySelector('main textarea').value = {POLICY!r}")
    _kept(inside, "policy-new")
    _click(inside, "Check")
    inside.wait("document.body.innerText.includes('is understood')")
    _click(inside, "Propose")
    inside.wait("location.pathname === '/policies/base/1.0.0'")
    assert "onerror" in inside.text()
    _kept(inside, "policy-version")
    _click(inside, "Simulate")
    inside.wait("location.pathname.startsWith('/policies/simulations/')")
    inside.wait("document.querySelector('h1').textContent.includes('Would have stopped')", 90)
    text = inside.text()
    assert "base/anything" in text
    assert "cannot be told" in text
    _kept(inside, "policy-simulation")
    inside.open(f"{server.url}/policies/base/1.0.0")
    _click(inside, "Let it take effect")
    inside.wait("document.querySelector('.head').textContent.includes('in force')")
    inside.open(f"{server.url}/policies/base")
    assert "finding.rank >= rank.info" in inside.text()
    _kept(inside, "policy")
    inside.open(f"{server.url}/policies")
    assert "1.0.0" in inside.text()
    _kept(inside, "policies")
    assert inside.run("document.title") != "1"
    assert inside.violations() == []


def test_the_pages_are_read_by_keyboard_and_named(inside: Browser, server: Server) -> None:
    for path in ("/policies", "/policies/new", "/policies/sources", "/policies/simulations", "/policies/base", "/policies/base/1.0.0"):
        inside.open(server.url + path)
        assert inside.run("document.querySelectorAll('h1').length") == 1, path
        fields = "main input:not([type=hidden]), main select, main textarea"
        assert inside.run(f"Array.from(document.querySelectorAll('{fields}')).filter(e => !e.labels.length).length") == 0, path
        assert inside.run("document.documentElement.scrollWidth <= window.innerWidth"), path
