"""A walk through the server for its three readers, in a real browser over the sample organisation: what each asks first is answered on the
first page, and every page can be read by every role, in light and dark, on a small screen.

With ``WALK_PICTURES=<folder>`` it keeps what it sees: the pictures of docs/walk-through.md (``python docs/images/walk.py``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pages.chromium import Browser
from tests.pages.conftest import PASSWORD, Server
from tests.pages.test_pages_newcomer import CONTRAST, TOO_WIDE

from assaymark.server.people import desk
from assaymark.server.service import open_service
from assaymark.server.settings import load

pytestmark = pytest.mark.enable_socket

PICTURES = os.environ.get("WALK_PICTURES", "")
_PATIENCE = 600
_ELSEWHERE = """(() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { walk.currentNode.data = walk.currentNode.data.replaceAll("HERE", "/srv/assaymark"); }
})()"""
READERS = {"mira": "developer", "sven": "security", "olga": "viewer", "jonas": "maintainer", "ada": "admin"}
PAGES = ("/", "/?for=developer", "/?for=manager", "/?for=stakeholder", "/changes", "/findings", "/findings?group=cause", "/subjects",
         "/trace?q=mira", "/posture", "/decisions", "/keys")  # fmt: skip


class Walk:
    """The server with its organisation, and a browser in which one reader after the other is signed in."""

    def __init__(self, server: Server, browser: Browser, data: Path) -> None:
        self.server, self.browser, self.data = server, browser, data
        self.present = "ada"
        self.known = {"ada"}

    def be(self, login: str) -> Browser:
        """Sign in as somebody; the first time by a link that the administrator makes."""
        browser = self.browser
        if login == self.present:
            return browser
        browser.ask("Network.clearBrowserCookies")
        if login not in self.known:
            service = open_service(load({"HOME": str(self.data.parent), "ASSAYMARK_URL": self.server.url}, data=str(self.data)))
            try:
                browser.open(desk.reset(service, login))
            finally:
                service.database.close()
            self.known.add(login)
            browser.fill(password=PASSWORD)
            browser.press("Enter", 13)
        else:
            browser.open(f"{self.server.url}/sign-in")
            browser.fill(login=login, password=PASSWORD)
            browser.press("Enter", 13)
        browser.wait("location.pathname === '/'")
        self.present = login
        return browser

    def go(self, path: str) -> str:
        self.browser.open(f"{self.server.url}{path}")
        return self.browser.text()

    def keep(self, name: str) -> None:
        """Both pictures of the present page."""
        if not PICTURES:
            return
        self.browser.run(_ELSEWHERE.replace("HERE", str(self.data)))  # where the sample lies is nobody's business
        for scheme in ("light", "dark"):
            self.browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            self.browser.picture(Path(PICTURES) / f"{name}-{scheme}.png")
        self.browser.ask("Emulation.setEmulatedMedia", features=[])


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, browser: Browser, warm_cache: Path) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk")
    server = Server(folder, warm_cache)
    browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=860, deviceScaleFactor=1, mobile=False)
    browser.open(server.setup_link())
    browser.run("document.querySelector('[name=organisation]').checked = true")
    browser.fill(login="ada", name="Ada", password=PASSWORD)
    browser.press("Enter", 13)
    browser.wait("location.pathname === '/changes'")
    browser.open(f"{server.url}/changes")
    done = "document.body.innerText.includes('sample/tracking#2')"
    browser.wait(f"{done} || (setTimeout(() => location.reload(), 1500), false)", _PATIENCE)
    browser.open(f"{server.url}/decisions")
    browser.wait("document.body.innerText.includes('ruff/S324') || (setTimeout(() => location.reload(), 1500), false)", _PATIENCE)
    yield Walk(server, browser, folder / "data")
    server.stop()
    browser.ask("Emulation.clearDeviceMetricsOverride")


def test_a_developer_sees_at_once_what_waits_on_him(walk: Walk) -> None:
    walk.be("mira")
    text = walk.go("/")
    assert "What waits on me" in text
    assert text.index("sample/checkout#3") < text.index("sample/checkout@main"), "what stops comes first"
    assert "What I asked for" in text
    assert "To repair, mine" in text
    walk.keep("developer")


def test_from_his_change_he_comes_to_the_cause_its_repair_and_asks_for_time(walk: Walk) -> None:
    browser = walk.be("mira")
    walk.go("/")
    browser.run("Array.from(document.querySelectorAll('a.what')).find(a => a.textContent.includes('sample/checkout#3')).click()")
    browser.wait("location.pathname.startsWith('/changes/')")
    text = browser.text()
    assert "shell" in text
    assert "app/cart.py" in text
    walk.keep("change")
    _open_the_cause(walk)
    text = browser.text()
    assert "shell=True" in text, "the line itself"
    assert "How to repair it" in text
    assert "CWE-78" in text
    assert browser.run("document.querySelectorAll('.code .it').length") == 1
    walk.keep("finding")
    _ask_for_time(walk)
    assert "What I asked for" in walk.go("/")
    assert "waiting" in browser.text()


def _open_the_cause(walk: Walk) -> None:
    walk.go("/findings?severity=high&text=subprocess")
    walk.browser.run("document.querySelector('a[data-open]').click()")
    walk.browser.wait("location.pathname.match(/^.findings.[0-9]+$/)")


def _ask_for_time(walk: Walk) -> None:
    """As Mira, once: tests run in any order."""
    browser = walk.browser
    if "The printer's name" in walk.go("/"):
        return
    _open_the_cause(walk)
    browser.run("document.querySelector('a.button').click()")
    browser.wait("location.pathname.endsWith('/decide') && document.querySelector('[name=reason]')")
    browser.fill(reason="The printer's name comes from our own list; it is replaced with the new driver")
    browser.run("document.querySelector('button[value=ask]').click()")
    browser.wait("!location.pathname.endsWith('/decide')")


def test_a_security_manager_sees_at_once_what_stops_is_late_asks_and_ends(walk: Walk) -> None:
    walk.be("mira")
    _ask_for_time(walk)
    browser = walk.be("sven")
    text = walk.go("/")
    assert "What needs me" in text
    for question in ("New and stops", "Overdue", "Ask for a decision", "Decisions that end soon", "Unproven", "Nobody's"):
        assert question in text
    assert "sample/checkout#3" in text
    assert "ruff/S301" in text or "pickle" in text.lower(), "what is overdue"
    assert "The printer's name" in text, "the request of the developer waits"
    assert "Session keys are replaced" in text, "the decision that ends soon"
    assert browser.run("document.querySelectorAll('.tiles li').length") >= 6
    walk.keep("security")


def test_he_narrows_the_list_keeps_it_and_decides_about_many_at_once(walk: Walk) -> None:
    browser = walk.be("sven")
    walk.go("/findings")
    walk.keep("findings")
    browser.run("Array.from(document.querySelectorAll('.choices a')).find(a => a.textContent.trim() === 'low').click()")
    browser.wait("location.search.includes('severity=low')")
    browser.run("document.querySelector('.fold').open = true")
    browser.run("document.querySelector('.keep [name=name]').value = 'Small things'")
    browser.run("document.querySelector('.keep').requestSubmit()")
    browser.wait("document.body.innerText.includes('Small things')")
    rows = browser.run("document.querySelectorAll('[data-rows] tbody tr').length")
    assert rows >= 1
    browser.run("document.querySelector('thead .pick input').click()")
    browser.run("document.querySelector('#triage [name=reason]').value = 'Small, looked at together in the spring'")
    browser.run("document.querySelector('#triage').requestSubmit()")
    browser.wait("document.querySelector('h1').textContent.includes('decided')")
    assert f"{rows} decided" in browser.text()
    assert "Nothing" in walk.go("/findings?severity=low&waived=false")


def test_the_slider_of_days_shows_how_it_was(walk: Walk) -> None:
    browser = walk.be("sven")
    walk.go("/findings?severity=critical")
    assert "Nothing" in browser.text()
    browser.run("(r => { r.value = String(Number(r.max) - 120); r.dispatchEvent(new Event('input', {bubbles: true})); })"
                "(document.querySelector('input[type=range]'))")  # fmt: skip
    browser.wait("location.search.includes('as_of=2')")
    assert "receipts.tf" in browser.text()
    walk.keep("as-of")


def test_a_stakeholder_sees_at_once_where_things_stand_and_go(walk: Walk) -> None:
    walk.be("olga")
    text = walk.go("/")
    assert "Where we stand" in text
    for question in ("Risk level: chosen and actual", "Not weakened since", "Time to repair", "Speed", "critical and high open", "overdue"):
        assert question in text
    assert "production" in text
    assert "days" in text
    walk.keep("stakeholder")


def test_a_trace_leads_from_what_runs_to_the_people_and_back(walk: Walk) -> None:
    browser = walk.be("sven")
    text = walk.go("/trace?q=https://production.example.org/")
    assert "environment" in text
    assert "in force" in text, "what was deployed passed, and was endorsed"
    for found in ("sample/checkout production", "mira", "its verdict"):
        assert found in text
    walk.keep("trace")
    commit = browser.run("document.querySelector('.chain a.mono[href*=trace]').textContent")
    assert "sample/checkout production" in walk.go(f"/trace?q={commit[:12]}")
    assert "sample/tracking" in walk.go("/trace?q=jonas")


def test_what_passed_is_endorsed_and_taken_back_and_the_log_tells_both(walk: Walk) -> None:
    browser = walk.be("sven")
    name = _endorsed(walk)
    text = walk.go(f"/endorsements/{name}")
    assert "approved" in text
    assert "ORG_SOURCE_QUALITY_APPROVED" in text
    assert browser.run(TOO_WIDE) == []
    walk.keep("endorsement")
    browser.run("Array.from(document.querySelectorAll('main a')).find(a => a.textContent.includes('Look what revoking')).click()")
    browser.wait("location.pathname === '/revocations/new' && document.querySelector('[name=reason]')")
    browser.fill(reason="Its build machine was open to strangers until this morning; it is built and judged again")
    browser.run("document.querySelector('form[action=\"/revocations\"]').requestSubmit()")
    browser.wait("location.pathname.match(/^.revocations.[0-9]+$/)")
    assert "What runs on it" in browser.text()
    walk.keep("revocation")
    text = walk.go("/log")
    assert "endorse" in text
    assert "revoke" in text
    walk.keep("log")


def _endorsed(walk: Walk) -> str:
    """What a passing branch of the sample, of which nothing runs, is endorsed as."""
    browser = walk.browser
    walk.go("/endorsements")
    newest = "(document.querySelector('main a[href*=\"/endorsements/sha256\"]') || {href: ''}).href"
    before = browser.run(newest)
    walk.go("/changes?state=pass")
    rows = "Array.from(document.querySelectorAll('tbody tr'))"
    passing = f"{rows}.filter(r => r.innerText.includes('@') && !/checkout|tracking/.test(r.innerText)).map(r => r.querySelector('a'))"
    for address in browser.run(f"{passing}.map(a => a.getAttribute('href'))"):
        if "Have it endorsed" in walk.go(address):
            browser.run("window.assayLeft = true; document.querySelector('form[action=\"/endorsements\"]').requestSubmit()")
            browser.wait("!window.assayLeft")
            walk.go("/endorsements")
            browser.wait(f"{newest} !== '{before}' || (setTimeout(() => location.reload(), 1500), false)", _PATIENCE)
            return str(browser.run(newest)).rpartition("/")[2]
    raise AssertionError(browser.text())


def test_keys_lead_through_a_list_and_can_be_switched_off(walk: Walk) -> None:
    browser = walk.be("sven")
    walk.go("/findings")
    browser.press("j", 74)
    assert browser.run("document.activeElement.hasAttribute('data-open')")
    browser.press("j", 74)
    assert browser.run("Array.from(document.querySelectorAll('[data-rows] tbody tr')).findIndex(r => r.classList.contains('at'))") == 1
    browser.press("/", 191)
    assert browser.run("document.activeElement.name") == "text"
    browser.run("document.activeElement.blur()")
    browser.press("g", 71)
    browser.press("s", 83)
    browser.wait("location.pathname === '/subjects'")
    walk.go("/keys")
    walk.keep("keys")
    browser.run("document.querySelector('[data-keys] input').click()")
    walk.go("/findings")
    browser.press("j", 74)
    assert not browser.run("document.activeElement.hasAttribute('data-open')")
    browser.run("localStorage.clear()")


@pytest.mark.parametrize("login", READERS)
def test_every_page_can_be_read_by_every_role_in_light_and_dark_and_small(walk: Walk, login: str) -> None:
    browser = walk.be(login)
    for number, page in enumerate((*PAGES, "/findings")):
        scheme = ("light", "dark")[number % 2]
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.ask("Emulation.setDeviceMetricsOverride", width=(360, 1280)[number % 3 > 0], height=860, deviceScaleFactor=1, mobile=False)
        walk.go(page)
        assert browser.run("document.querySelectorAll('main h1').length") == 1, page
        assert browser.run(TOO_WIDE) == [], page
        assert browser.run(CONTRAST) == [], (page, scheme)
    browser.ask("Emulation.setEmulatedMedia", features=[])
    browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=860, deviceScaleFactor=1, mobile=False)


@pytest.mark.parametrize(("login", "sees", "not_"), [("olga", "Findings", "nothing"), ("mira", "Queue", "nothing")])
def test_the_navigation_leads_only_to_what_may_be_seen(walk: Walk, login: str, sees: str, not_: str) -> None:
    browser = walk.be(login)
    walk.go("/")
    links = browser.run("Array.from(document.querySelectorAll('header nav a')).map(a => [a.textContent, a.getAttribute('href')])")
    assert sees in [name for name, _ in links]
    for _, address in links:
        walk.go(address)
        assert browser.run("document.querySelectorAll('main h1').length") == 1, address
        assert "you may not" not in browser.text().lower(), address
    assert not_ not in [name for name, _ in links]


def test_nothing_was_refused_by_the_security_policy(walk: Walk) -> None:
    assert walk.browser.violations() == []
