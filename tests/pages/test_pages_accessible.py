"""No page has a serious fault of accessibility: axe-core, as each role, by day and by night, over every page that there is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from tests.pages.chromium import Browser
from tests.pages.house import addresses, come_in, opened, status_of
from tests.pages.planting import SECRET, plant

from assaymark.model.access import Grant, Role
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import credential
from assaymark.server.service import Service
from assaymark.store import people, sessions, teams
from assaymark.store.people import Draft
from assaymark.store.sessions import SessionRow

pytestmark = pytest.mark.enable_socket

PACKAGE = "axe-playwright-python"
"""Holds axe-core (MPL-2.0), which is used here and not shipped."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = {"serious", "critical"}
ASKED = {"light": {"type": "tag", "values": RULES}, "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""By night only colours differ: the same document, with another style."""
_RUN = """
axe.run(document, {{runOnly: {asked}, resultTypes: ["violations"]}}).then((found) => found.violations
  .map((each) => [each.impact, each.id, each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + " " + node.failureSummary)]))
"""


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        file = next(each for each in distribution(PACKAGE).files or () if each.name == "axe.min.js")
    except (PackageNotFoundError, StopIteration):
        pytest.skip(f"NOT PROVED: axe-core is not installed; do this: pip install {PACKAGE}")
    return str(file.read_text("utf-8"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """A server that holds something of everything, and somebody of each role; gives their sessions."""
    with opened(tmp_path_factory.mktemp("full")) as service:
        plant(service, lambda name: f"words of {name.replace('.', ' ')}")
        yield service, {"": "", "planted": SECRET, **{role.value: _session(service, role) for role in Role}}


def _session(service: Service, role: Role) -> str:
    now, secret = service.now(), credential.new_secret()
    with service.database.write() as link:
        person = people.add(link, Draft(f"a-{role.value}"), at=now)
        assert person is not None
        teams.give(link, person, Grant(role), source="local", at=now)
        row = SessionRow(0, person, "password", "", "", now, now, Instant(now + 86400 * SECOND), None)
        sessions.start(link, credential.hashed(secret), row)
    return secret


def faults(browser: Browser, axe: str, scheme: str = "light") -> list[str]:
    """The grave ones of the page that is shown."""
    browser.run(f"{axe}; undefined")
    found = browser.run(_RUN.format(asked=json.dumps(ASKED[scheme])))
    return [f"{impact} {rule}: {'; '.join(nodes)}" for impact, rule, nodes in found if impact in GRAVE]


OTHERS = [pytest.param(role, marks=pytest.mark.soak) for role in Role if role is not Role.ADMIN]
"""What they see is part of what an administrator sees: looked at in the long run."""


@pytest.mark.parametrize("role", ["", "planted", Role.ADMIN, *OTHERS])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(  # noqa: PLR0917 - fixtures
    full: tuple[Service, dict[str, str]], browser: Browser, axe: str, role: str, scheme: str, seen: set[str]
) -> None:
    service, secrets = full
    come_in(browser, service, secrets[role])
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    wrong, looked_at = [], 0
    for address in addresses():
        browser.open(service.settings.url + address)
        page = browser.run("document.documentElement.outerHTML").replace(f"a-{role}", "somebody")
        digest = hashlib.sha256(f"{scheme}{page}".encode()).hexdigest()
        if digest not in seen:  # the same page to another role has the same faults
            seen.add(digest)
            looked_at += 1
            wrong += [f"{address} ({status_of(browser)}): {each}" for each in faults(browser, axe, scheme)]
    browser.ask("Emulation.setEmulatedMedia", features=[])
    assert not wrong, f"{len(wrong)} faults\n" + "\n".join(wrong)
    assert looked_at


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Pages that were looked at."""
    return set()


def test_a_fault_would_be_found(full: tuple[Service, dict[str, str]], browser: Browser, axe: str) -> None:
    service, secrets = full
    come_in(browser, service, secrets["admin"])
    browser.open(f"{service.settings.url}/settings/teams")
    browser.run("document.querySelector('main input').closest('label').replaceWith(document.querySelector('main input'))")
    assert any("label" in each for each in faults(browser, axe))
