"""A newcomer's way, in a real browser against the real server: from the link in the terminal to the verdict of a change."""

from __future__ import annotations

import pytest
from tests.pages.chromium import Browser
from tests.pages.conftest import PASSWORD, Server

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def inside(server: Server, browser: Browser) -> Browser:
    """Set up and signed in, with the sample judged."""
    browser.open(server.setup_link())
    browser.fill(login="ada", name="Ada", password=PASSWORD)
    browser.press("Enter", 13)
    browser.wait("location.pathname === '/changes'")
    browser.wait(
        "document.querySelectorAll('.state.fail, .state.pass').length >= 3 || (setTimeout(() => location.reload(), 500), false)", 120
    )
    return browser


def test_the_first_page_shows_what_stops_and_the_list_what_became_of_all(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/")
    text = inside.text()
    assert "sample/harbour#1" in text
    assert "fail" in text
    inside.open(f"{server.url}/changes")
    assert "pass" in inside.text()


def test_the_page_of_a_worse_change_says_what_is_wrong_and_how_to_mend_it(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/changes?state=fail")
    inside.run("document.querySelector('tbody a').click()")
    inside.wait("location.pathname.match(/^.changes.[0-9]+$/)")
    text = inside.text()
    assert "harbour/berths.py:15" in text
    assert "SQL" in text
    assert "parameters" in text
    assert "reused" in text or "in all" in text


def test_what_is_looked_after_is_listed_worst_first(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/subjects")
    names = inside.run("Array.from(document.querySelectorAll('tbody th a')).map(a => a.textContent)")
    assert names[0] == "sample/harbour#1"
    assert len(names) == 3


def test_a_finding_names_everything_that_has_it(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/findings?words=berths&severity=high")
    inside.run("document.querySelector('tbody th a').click()")
    inside.wait("location.pathname.match(/^.findings.[0-9]+$/)")
    assert "sample/harbour#1" in inside.text()


@pytest.mark.parametrize(
    ("words", "shown"), [("sql-injection", "harbour/berths.py:15"), ("harbour", "sample/harbour@main"), ("nowhere-at-all", "Nowhere")]
)
def test_the_box_finds_what_is_looked_for_and_keeps_it_out_of_the_address(inside: Browser, server: Server, words: str, shown: str) -> None:
    inside.open(f"{server.url}/find")
    inside.fill(q=words)
    inside.press("Enter", 13)
    inside.wait(f"document.querySelector('h1').textContent.includes('{words}')")
    assert shown in inside.text()
    assert words not in inside.run("location.href")


def test_a_repository_whose_address_leads_inside_is_refused_with_the_reason(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/repositories/new")
    inside.fill(clone_url="https://user:secret@example.org/x.git")
    inside.press("Enter", 13)
    inside.wait("document.querySelector('[role=alert]')")
    assert "secret" not in inside.run("document.querySelector('[role=alert]').textContent")


def test_a_repository_that_cannot_be_reached_says_why_on_the_page(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/repositories/new")
    inside.fill(clone_url="https://127.0.0.1/inside.git")
    inside.press("Enter", 13)
    inside.wait("location.pathname === '/repositories'")
    told = "document.body.innerText.includes('cannot be asked')"
    inside.wait(f"{told} || (setTimeout(() => location.reload(), 500), false)", 60)
    assert "ASSAYMARK_PRIVATE_NETWORKS" in inside.text() or "private" in inside.text()


def test_before_there_was_anything_every_list_is_empty(inside: Browser, server: Server) -> None:
    for page in ("changes", "subjects", "findings"):
        inside.open(f"{server.url}/{page}?as_of=2026-01-01")
        assert "2026-01-01" in inside.text()
        assert inside.run("document.querySelectorAll('tbody tr').length") == 0


def test_every_page_can_be_read_without_a_script(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/changes?state=fail")
    address = inside.run("document.querySelector('tbody a').href")
    inside.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        inside.ask("Page.navigate", url=address)
        document = inside.source("berths.py")
        assert "SQL" in document
    finally:
        inside.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_the_keyboard_reaches_the_content_first(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/subjects")
    inside.run("document.activeElement.blur()")
    inside.press("Tab", 9)
    assert inside.run("document.activeElement.className") == "skip"
    inside.press("Enter", 13)
    assert inside.run("document.activeElement.id || location.hash.slice(1)") == "content"


@pytest.mark.parametrize("page", ["changes", "subjects", "findings", "changes/2"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_fits_a_small_screen(inside: Browser, server: Server, page: str, scheme: str) -> None:
    inside.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    inside.ask("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False)
    try:
        inside.open(f"{server.url}/{page}")
        assert inside.run(TOO_WIDE) == []
        assert inside.run(CONTRAST) == []
    finally:
        inside.ask("Emulation.clearDeviceMetricsOverride")
        inside.ask("Emulation.setEmulatedMedia", features=[])


TOO_WIDE = """
document.documentElement.scrollWidth <= innerWidth ? [] : Array.from(document.querySelectorAll("body *"))
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, pre"))
  .map((element) => element.outerHTML.slice(0, 100))
"""
CONTRAST = """
(() => {
  const parts = (colour) => (colour.match(/[0-9.]+/g) || []).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return colour; }
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.offsetParent || element.closest("svg")) { continue; }
    const a = light(parts(getComputedStyle(element).color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) { bad.push([element.outerHTML.slice(0, 120), Math.round(ratio * 10) / 10]); }
  }
  return bad;
})()
"""


def test_signing_out_ends_the_session(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/subjects")
    inside.run("document.querySelector('form.who button').click()")
    inside.wait("location.pathname === '/sign-in'")
    inside.open(f"{server.url}/subjects")
    inside.wait("location.pathname === '/sign-in'")
    inside.fill(login="ada", password="wrong words entirely")
    inside.press("Enter", 13)
    inside.wait("document.querySelector('[role=alert]')")
    inside.fill(password=PASSWORD)
    inside.press("Enter", 13)
    inside.wait("location.pathname === '/subjects'")


def test_nothing_was_refused_by_the_security_policy(inside: Browser) -> None:
    assert inside.violations() == []
