"""A security manager's round of what is Quality Approved, in a real browser: from an endorsement to what it rests on, taking it back and
seeing who runs on it, whose keys are believed, what to use instead, and what a cluster would not start.

One server, one repository that is really judged and endorsed; each test takes its own part of it, so that they run in any order.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.assess.conftest import Once, Origin
from tests.endorsing.conftest import LOCK, Endorsing
from tests.pages.chromium import Browser
from tests.pages.house import come_in, opened, status_of
from tests.pages.test_pages_settings import somebody
from tests.server.admission.clusters import pod
from tests.server.test_server_advisories import published, record_of, updated

from assaymark.endorsement import keys
from assaymark.model.access import Role
from assaymark.model.trigger import RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work import advisories
from assaymark.server.work.approved_index import index_approved
from assaymark.store import setting_rows
from assaymark.store.endorsements import EndorsementRow

pytestmark = pytest.mark.enable_socket
_ABSENT = f"sha256:{'7' * 64}"


class Round:
    """The server, its people's sessions, and what was endorsed there: two heads that hold left-pad, the second one runs in production."""

    def __init__(self, service: Service, folder: Path, browser: Browser) -> None:
        self.service, self.browser = service, browser
        self.secrets = {login: somebody(service, login, role) for login, role in (("sven", Role.SECURITY), ("ada", Role.ADMIN))}
        self.shop = Endorsing(service, Origin(folder / "git" / "shop"))
        self.shop.remote = RemoteRepository("harbour/shop", self.shop.origin.url, default_branch="main")
        with service.database.write() as link:
            setting_rows.put(link, advisories.SOURCES, advisories.Sources(origin=advisories.FOLDER), service.now())
        npm = {"package": {"ecosystem": "npm", "name": "torch-of-old"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}
        published(service, record_of(1, "torch-of-old", "2") | {"affected": [npm]})
        updated(service)
        self.old = self._endorsed("with the old left-pad", LOCK)
        self.new = self._endorsed("with the new left-pad", LOCK.replace(b"1.3.0", b"1.3.1"))
        for name, row in (("production", self.old), ("staging", self.new)):
            ran = Trigger(TriggerKind.DEPLOYMENT, self.shop.remote, SubjectKind.ENVIRONMENT, ref=name, after=row.head, actor="mira")
            self.shop.accept(ran)
        index_approved(service, {}, Once())

    def _endorsed(self, message: str, lock: bytes) -> EndorsementRow:
        files: dict[str, Any] = {"app": self.shop.fine, "package-lock.json": lock}
        return self.shop.endorsed_one(self.shop.passes(message, **files))

    def be(self, login: str) -> Browser:
        come_in(self.browser, self.service, self.secrets[login])
        return self.browser

    def go(self, path: str) -> str:
        self.browser.open(self.service.settings.url + path)
        assert status_of(self.browser) == 200, path
        return self.browser.text()

    def follow(self, words: str, to: str) -> str:
        """Click the first link with these words in the page's content; gives the text of the page that it leads to."""
        found = f"Array.from(document.querySelectorAll('main a')).find(a => a.textContent.includes({json.dumps(words)}))"
        self.browser.run(f"window.assayLeft = true; {found}.click()")
        self.browser.wait(f"!window.assayLeft && location.pathname.startsWith({json.dumps(to)})")
        assert status_of(self.browser) == 200, self.browser.run("location.href")
        return self.browser.text()

    def press(self, selector: str, **typed: str) -> str:
        """Fill the form that a button stands in, press it, and wait for what comes."""
        for name, value in typed.items():
            field = f"document.querySelector({json.dumps(selector)}).form.elements[{json.dumps(name)}]"
            self.browser.run(f"{field}.focus()")
            self.browser.run(f"{field}.value = {json.dumps(value)}")
        self.browser.run(f"window.assayLeft = true; document.querySelector({json.dumps(selector)}).click()")
        self.browser.wait("!window.assayLeft")
        return self.browser.text()


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory, browser: Browser, warm_cache: Path) -> Iterator[Round]:
    folder = tmp_path_factory.mktemp("approved")
    with pytest.MonkeyPatch.context() as patch, opened(folder, local_repositories=str(folder / "git")) as service:
        patch.setenv("ASSAYMARK_CACHE", str(warm_cache))
        yield Round(service, folder, browser)


def test_an_endorsement_leads_to_its_verdict_its_log_entry_and_back(round_: Round) -> None:
    browser = round_.be("sven")
    assert "harbour/shop@main" in round_.go("/endorsements")
    text = round_.follow("harbour/shop", "/endorsements/sha256:")
    assert "approved" in text
    assert round_.new.digest in text
    assert f"gitCommit:{round_.new.head}" in text
    text = round_.follow("line ", "/log/")
    assert ": endorse" in text
    assert round_.new.digest in text
    assert round_.follow(round_.new.digest, "/endorsements/sha256:")
    round_.follow("the verdict", "/changes/")
    assert browser.run("!!document.querySelector('.state.pass')")
    assert round_.new.digest in browser.run("document.querySelector('main').innerHTML")


def test_the_log_is_narrowed_to_a_digest_and_gives_a_proof(round_: Round) -> None:
    browser = round_.be("sven")
    round_.go("/log")
    browser.fill(subject=f"gitCommit:{round_.old.head}")
    browser.press("Enter", 13)
    browser.wait("location.search.includes('subject=gitCommit')")
    kinds = browser.run("Array.from(document.querySelectorAll('tbody tr')).map(r => r.children[2].textContent)")
    assert kinds
    assert set(kinds) <= {"endorse", "revoke"}
    proof = browser.run("fetch(document.querySelector('a[download]').href).then(answer => answer.text())")
    assert proof.startswith("c2sp.org/tlog-proof@v1\n")


def test_what_is_taken_back_is_looked_at_first_and_then_shows_who_runs_on_it(round_: Round) -> None:
    browser = round_.be("sven")
    round_.go(f"/endorsements/{round_.old.digest}")
    text = round_.follow("Look what revoking it would hit", "/revocations/new")
    assert "It would withdraw 1 endorsement" in text
    assert "harbour/shop production" in text
    assert "harbour/shop staging" not in text
    browser.run("document.querySelector('[name=reason]').form.requestSubmit()")
    assert browser.run("document.activeElement.name") == "reason", "without a reason nothing is sent"
    browser.fill(reason="The berth list was read by strangers <b>twice</b>")
    browser.run("document.querySelector('form[action=\"/revocations\"]').requestSubmit()")
    browser.wait("location.pathname.match(/^.revocations.[0-9]+$/)")
    text = browser.text()
    assert "read by strangers <b>twice</b>" in text
    assert "by sven" in text
    assert "Replace these" in text
    assert "harbour/shop production" in text
    assert round_.new.head[:23] in text, "what to use instead"
    number = browser.run("location.pathname").rpartition("/")[2]
    assert "revoke" in round_.follow("line ", "/log/")
    text = round_.go(f"/endorsements/{round_.old.digest}")
    assert "refused" in text
    assert "revoked" in text
    assert round_.follow(f"revocation {number}", f"/revocations/{number}")
    _instead(round_)


def _instead(round_: Round) -> None:
    """Of the package that only what was taken back holds."""
    index_approved(round_.service, {}, Once())
    rows = "Array.from(document.querySelectorAll('tbody tr')).map(r => Array.from(r.children).map(c => c.innerText))"
    round_.go("/approved?name=pkg:npm/left-pad")
    found = {cells[0].split()[-1]: cells for cells in round_.browser.run(rows)}
    assert found["1.3.0"][1].startswith("withdrawn"), found
    assert found["1.3.0"][4] == "1.3.1", found
    assert found["1.3.1"][1].startswith("approved"), found


def test_a_component_is_looked_for_and_leads_to_what_endorses_and_what_uses_it(round_: Round) -> None:
    browser = round_.be("sven")
    round_.go("/approved")
    browser.fill(name="left")
    browser.press("Enter", 13)
    browser.wait("location.search.includes('name=left')")
    text = round_.follow("left-pad", "/approved/")
    assert "Endorsed with" in text
    assert "Verified now" in round_.follow("sha256:", "/endorsements/sha256:")
    assert "Nothing here" in round_.go("/approved?name=nothing-like-it")


def test_whose_key_is_believed_is_said_by_an_administrator_and_taken_back(round_: Round) -> None:
    browser = round_.be("sven")
    assert "it signs now" in round_.go("/settings/trust")
    assert browser.run("document.querySelectorAll('main form').length") == 0, "a security manager reads it"
    browser = round_.be("ada")
    round_.go("/settings/trust")
    pem = keys.private_key(keys.new_key()[0]).public.pem
    given = {"name": "sister works", "verifier": "https://sister.example/verifier/1", "threshold": "1", "resources": "pkg:npm/*"}
    text = round_.press("button[value=add]", **given, keys="-----BEGIN PUBLIC KEY-----\nbm90aGluZw==\n-----END PUBLIC KEY-----")
    assert browser.run("document.querySelector('[role=alert]').textContent").strip()
    assert browser.run("document.querySelector('[name=verifier]').value") == given["verifier"], "what was typed stays"
    text = round_.press("button[value=add]", **given, keys=pem, comment="they build our cranes")
    assert "sister works" in text
    assert "they build our cranes" in text
    text = round_.press("button[value=remove]")
    assert browser.run("Array.from(document.querySelectorAll('h3')).map(h => h.textContent)") == []
    assert "None: only this server's own keys are believed." in text
    assert "trust.changed" in round_.go("/settings/trail")


def test_a_gate_is_tried_out_shows_what_it_would_refuse_and_then_refuses(round_: Round) -> None:
    browser = round_.be("ada")
    round_.go("/settings/gates")
    round_.press("main form button", name="quay-1", environment="production")
    token = browser.run("document.querySelector('.note .mono').textContent")
    assert _asked(round_, token)["allowed"] is True
    round_.go("/settings/gates")
    assert token not in browser.run("document.documentElement.outerHTML")
    assert "What it would refuse" in round_.follow("quay-1", "/settings/gates/")
    browser.wait("document.body.innerText.includes('no-endorsement') || (setTimeout(() => location.reload(), 300), false)")
    text = browser.text()
    assert "shop/web" in text
    text = round_.press("button[value=enforce]")
    assert "It refuses what is not Quality Approved" in text
    assert _asked(round_, token)["allowed"] is False


def _asked(round_: Round, token: str) -> Any:
    """As the cluster does."""
    body = json.dumps(pod(f"registry.example.org/shop/web@{_ABSENT}")).encode()
    asked = urllib.request.Request(f"{round_.service.settings.url}/admission/k8s", body, {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.loads(answer.read())["response"]


def test_nothing_was_refused_by_the_security_policy(round_: Round) -> None:
    assert round_.browser.violations() == []
