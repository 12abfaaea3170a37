"""Stored cross-site scripting through every text that there is.

Planted in every column of every table and every field of a verdict, shown by every page in a real browser: nothing of it becomes an
element, an attribute, an address or a script, and the security policy has nothing to refuse.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from tests.pages.chromium import Browser
from tests.pages.house import addresses, come_in, opened, status_of
from tests.pages.planting import plant, verdict

from assaymark.server.middleware import POLICY
from assaymark.server.service import Service
from assaymark.views import html
from assaymark.views.options import Options

pytestmark = pytest.mark.enable_socket

PAYLOADS = {
    "element": "'\"></title></textarea></script><img data-planted src=x onerror=planted=1><script data-planted>planted=1</script>",
    "address": "javascript:planted=1//'\"><svg data-planted onload=planted=1><a data-planted href=javascript:planted=1>",
    "template": "{{ 7*7 }}${7*7}<b data-planted onmouseover=planted=1>&lt;b data-planted&gt;[x](javascript:planted=1) `<i data-planted>`",
}
SEEN = {
    "team.name", "finding.title", "occurrence.path", "occurrence.message", "occurrence.detail.statement", "occurrence.detail.advice",
    "occurrence.detail.notes", "subject.name", "repository.name", "repository.clone_url", "connection.name", "comment.text", "report.what",
    "report.place", "report.steps", "report.contact", "report_entry.text", "report_link.name", "person.login", "person.name",
    "token.name", "session.agent", "audit_event.action", "audit_event.details", "job.error", "schedule.name", "passkey.name",
    "assessment.actor", "assessment.summary", "verdict.findings.finding.place.path", "verdict.findings.finding.statement",
    "verdict.findings.finding.witnesses.message", "verdict.findings.finding.fix.advice", "verdict.reasons.text",
    "verdict.findings.waiver.reason", "provider.title",
}  # fmt: skip
"""Texts that some page must show: where it does not, the test proves nothing about them."""
_TEXTS = "document.body.textContent + Array.from(document.querySelectorAll('input, textarea'), (each) => each.value).join(' ')"
_CHECK = """
(() => {
  const bad = [];
  if (window.planted !== undefined) { bad.push("a script ran"); }
  for (const each of document.querySelectorAll("[data-planted], base, object, embed, iframe")) { bad.push(each.outerHTML.slice(0, 200)); }
  for (const each of document.querySelectorAll("*")) {
    for (const { name, value } of each.attributes) {
      if (name.startsWith("on")) { bad.push(`${name} of ${each.outerHTML.slice(0, 200)}`); }
      const leads = ["href", "src", "action", "formaction", "xlink:href", "data", "poster"].includes(name);
      const scheme = leads && /^[\\s\\u0000-\\u0020]*([a-z][a-z0-9+.-]*):/i.exec(value);
      if (scheme && !["http", "https", "mailto"].includes(scheme[1].toLowerCase())) { bad.push(`${name}=${value.slice(0, 100)}`); }
    }
  }
  return bad;
})()
"""


@pytest.fixture(scope="module", params=["element", *(pytest.param(name, marks=pytest.mark.soak) for name in ("address", "template"))])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    payload = PAYLOADS[request.param]
    with opened(tmp_path_factory.mktemp("planted")) as service:
        plant(service, lambda name: f"{payload}<{name}>")
        yield service, payload


def look(browser: Browser, address: str) -> list[str]:
    """What is wrong with a page."""
    browser.told.clear()
    browser.open(address)
    return [f"{address}: {each}" for each in [*browser.run(_CHECK), *browser.violations()]]


def test_no_text_that_is_kept_becomes_part_of_a_page(planted: tuple[Service, str], browser: Browser) -> None:
    service, payload = planted
    come_in(browser, service)
    wrong, failed, shown = [], [], set[str]()
    for address in addresses():
        wrong += look(browser, service.settings.url + address)
        if status_of(browser) != 200:
            failed.append(f"{address} is answered {status_of(browser)}: {browser.text()[:300]}")
        shown |= set(re.findall(r"<([a-z_]+\.[A-Za-z_. ]+)>", browser.run(_TEXTS)))
    assert not wrong, "\n".join(wrong)
    assert not failed, "name what these columns mean in tests/pages/planting.py:\n" + "\n".join(failed)
    if payload == PAYLOADS["element"]:
        assert shown >= SEEN, f"no page shows {sorted(SEEN - shown)}"


def test_nothing_that_is_typed_comes_back_as_part_of_a_page(planted: tuple[Service, str], browser: Browser) -> None:
    service, payload = planted
    come_in(browser, service)
    url, word = service.settings.url, quote(payload, safe="")
    wrong = []
    places = ["/{}", "/findings/{}", "/findings?words={}", "/changes?state={}", "/changes?after={}", "/subjects?name={}", "/trace?q={}"]
    places += ["/settings/trail?actor={}", "/settings/trail?since={}", "/settings/people?begins={}", "/comments?on={}"]
    places += ["/sign-in?next={}", "/sign-in?problem={}"]
    for address in (place.format(word) for place in places):
        wrong += look(browser, url + address)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("page", "form", "button"),
    [
        ("/findings/1", {"text": "form[action='/comments'] textarea"}, "form[action='/comments'] button[value=preview]"),
        ("/find", {"q": "main input[name=q], #find"}, "form[role=search] button, form.find button, main form button"),
        ("/reports/1", {"text": "textarea[name=text]"}, "button[value=answer]"),
        ("/settings/teams", {"slug": "input[name=slug]", "name": "input[name=name]"}, "main .narrow button"),
    ],
)
def test_what_a_form_is_given_is_shown_as_text(
    planted: tuple[Service, str], browser: Browser, page: str, form: dict[str, str], button: str
) -> None:
    service, payload = planted
    come_in(browser, service)
    assert not look(browser, service.settings.url + page)
    for selector in form.values():
        browser.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(payload)}")
    browser.run("window.assayLeft = true")
    browser.run(
        f"(document.querySelector({json.dumps(button)}) ? document.querySelector({json.dumps(button)}).click()"
        f" : document.querySelector({json.dumps(next(iter(form.values())))}).form.submit())"
    )
    browser.wait("!window.assayLeft")
    assert [*browser.run(_CHECK), *browser.violations()] == []
    assert "data-planted" in browser.text() + browser.run(
        "Array.from(document.querySelectorAll('input, textarea'), each => each.value).join(' ')"
    )


def test_the_report_that_is_a_file_holds_only_text(
    planted: tuple[Service, str], browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, payload = planted
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(html.render(verdict(lambda name: f"{payload}<{name}>"), Options(project=payload)))
    assert look(browser, file.as_uri()) == []
    assert "data-planted" in browser.text()


def test_strangers_pages_show_texts_of_others_as_text_too(planted: tuple[Service, str], browser: Browser) -> None:
    service, _ = planted
    come_in(browser, service, "")
    wrong = [
        each
        for address in ("/sign-in", *(a for a in addresses() if a.startswith(("/report/", "/follow/", "/link/"))))
        for each in look(browser, service.settings.url + address)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_page_that_did_not_escape_would_be_caught(browser: Browser, name: str) -> None:
    """Under the very policy of the server: an element is seen even when the policy keeps its script from running."""
    with unescaped(PAYLOADS[name]) as url:
        found = look(browser, url)
    assert any("data-planted" in each for each in found)
    assert any("Content Security Policy" in each for each in found) or name == "template"


@contextmanager
def unescaped(payload: str) -> Iterator[str]:
    """A server whose page does not escape."""
    page = HTMLResponse(f"<!DOCTYPE html><title>x</title><p>{payload}", headers={"Content-Security-Policy": POLICY})
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", lambda _: page)]), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(30)
