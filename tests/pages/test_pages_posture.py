"""Posture and reports in a real browser: charts drawn with and without a script, nothing refused by the policy, numbers that lead on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.pages.chromium import Browser
from tests.pages.conftest import PASSWORD, Server
from tests.store.recording_samples import add_subject, seen, tell, verdict

from assaymark.model.severity import Severity
from assaymark.store import figure_days
from assaymark.store.database import Database
from assaymark.store.promises import DAY

pytestmark = pytest.mark.enable_socket


def _history(database: Database) -> None:
    """Two months of findings that come and go, summed up."""
    now = int(time.time() * 1_000_000)
    subject = add_subject(database, "harbour", at=now - 70 * DAY)
    for day in range(60, 0, -3):
        found = [seen(f"n{n}", severity=list(Severity)[2 + n % 3]) for n in range(1 + day % 5)]
        tell(database, subject, verdict(*found), now - day * DAY)
    left = 1
    while left:
        with database.write() as link:
            left = figure_days.sum_up(link, now)


@pytest.fixture(scope="module")
def inside(server: Server, browser: Browser) -> Browser:
    browser.open(server.setup_link())
    browser.fill(login="ada", name="Ada", password=PASSWORD)
    browser.press("Enter", 13)
    browser.wait("location.pathname !== '/setup' && document.querySelector('form.who')", 60)
    file = next(Path(server.log).parent.joinpath("data").glob("*.db"))
    database = Database(f"sqlite:///{file}")
    _history(database)
    database.close()
    return browser


def test_charts_are_drawn_by_the_library_where_scripts_run(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/posture?days=90")
    inside.wait("document.querySelectorAll('figure.drawn canvas').length >= 2")
    assert inside.run("getComputedStyle(document.querySelector('figure.drawn svg')).display") == "none"
    assert "Past their due day" in inside.text()


def test_charts_are_whole_without_a_script(inside: Browser, server: Server) -> None:
    inside.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        inside.ask("Page.navigate", url=f"{server.url}/posture?days=90")
        document = inside.source("Posture of")
        assert document.count("<polyline") >= 3
        assert "canvas" not in document
    finally:
        inside.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_paper_shows_the_drawings_of_the_server(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/posture?days=90")
    inside.wait("document.querySelectorAll('figure.drawn').length >= 2")
    inside.ask("Emulation.setEmulatedMedia", media="print")
    try:
        assert inside.run("getComputedStyle(document.querySelector('figure.drawn svg')).display") == "block"
        assert inside.run("getComputedStyle(document.querySelector('figure.drawn .live')).display") == "none"
    finally:
        inside.ask("Emulation.setEmulatedMedia", media="")


def test_a_number_leads_to_its_list(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/posture")
    many = inside.run("document.querySelector('a[href^=\"/posture/list?figure=open\"]').textContent")
    inside.run("document.querySelector('a[href^=\"/posture/list?figure=open\"]').click()")
    inside.wait("location.pathname === '/posture/list'")
    assert int(many) > 0
    assert inside.run("document.querySelectorAll('tbody tr').length") == min(50, int(many))


def test_a_report_is_issued_shown_and_shared(inside: Browser, server: Server) -> None:
    inside.open(f"{server.url}/report")
    inside.run("document.querySelector('main form button').click()")
    inside.wait("location.pathname.startsWith('/issued/')")
    inside.run("document.querySelector('form[action$=links] button').click()")
    inside.wait("document.querySelector('[role=status]')")
    link = inside.run("document.querySelector('[role=status] .mono').textContent")
    inside.open(link)
    assert "Four trends" in inside.text()
    colour = inside.run("getComputedStyle(document.querySelector('.key div')).borderTopWidth")
    assert colour == "1px"  # its style holds under its own policy


@pytest.mark.parametrize("page", ["posture", "posture/list?figure=open", "report", "issued/1"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_small_screen(inside: Browser, server: Server, page: str, scheme: str) -> None:
    inside.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    inside.ask("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False)
    try:
        inside.open(f"{server.url}/{page}")
        assert inside.run("document.documentElement.scrollWidth <= innerWidth")
    finally:
        inside.ask("Emulation.clearDeviceMetricsOverride")
        inside.ask("Emulation.setEmulatedMedia", features=[])


def test_nothing_was_refused_by_the_security_policy(inside: Browser) -> None:
    assert inside.violations() == []
