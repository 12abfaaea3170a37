"""Issue 7, the server's side: a revocation of a running digest shows at `wanted` in under two seconds, among many pairs and endorsements;
nothing unapproved is ever asked to be deployed; a second deployer is refused; break-glass and drift are loud; nobody accepts a drift.

Measured over HTTP against the application as it is served, on both databases.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.server.admission.clusters import believe, endorse
from tests.server.deployed.house import DAY, Deployer

from assaymark.cli.deploy_there import There
from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drift.instances import Looked
from assaymark.deployment.drivers.driver import Pair, instance_id
from assaymark.deployment.phoenix.generation import Step
from assaymark.deployment.phoenix.terms import ServerTerms
from assaymark.endorsement.approval import stamp
from assaymark.jobs.open import prepare
from assaymark.model.access import Grant, Permission, Role
from assaymark.model.assessment import Instant
from assaymark.server.app import make_app
from assaymark.server.people import credential
from assaymark.server.people.accounts import By
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import deploying
from assaymark.store import environments, people, teams, tokens
from assaymark.store.migrations.apply import migrate
from assaymark.store.people import Draft
from assaymark.store.tokens import TokenRow

pytestmark = pytest.mark.enable_socket

PAIRS = 300
SECONDS = 2.0
"""A revocation stops new deploys in less."""
GOOD, BETTER, BAD = (f"sha256:{letter * 64}" for letter in "abc")
HERE = Pair("production", "shop")


class Caller:
    """Somebody with a token."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx2.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        answer = self._client.request(method, path, content=data, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def wanted(self) -> Any:
        (found,) = self.ask("GET", "/deployments/wanted?environment=production&component=shop")["items"]
        return found

    def tell(self, steps: list[Step], *, status: int = 200) -> Any:
        return self.ask("POST", "/deployments/steps", {"environment": "production", "component": "shop", "steps": steps}, status=status)


class Site:
    """A server with many pairs, a deployer's token, and two people."""

    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        scopes = (Permission.DEPLOYMENTS_TELL, Permission.DEPLOYMENTS_READ, Permission.ENDORSEMENTS_READ)
        self.url, self.token = url, self._token("deployer", Role.MAINTAINER, *scopes)
        self.deployer = Caller(url, self.token)
        self.ana, self.ben = (Caller(url, self._token(name, Role.SECURITY)) for name in ("ana", "ben"))
        self.journal = Deployer(service.now)

    def _token(self, login: str, role: Role, *scopes: Permission) -> str:
        secret, now = credential.new_token(), self.service.now()
        with self.service.database.write() as link:
            person = people.add(link, Draft(login), at=now)
            assert person is not None
            teams.give(link, person, Grant(role), source=teams.LOCAL, at=now)
            row = TokenRow(0, person, login, "", frozenset(scopes or Permission), None, now, Instant(now + DAY), None, None)
            tokens.add(link, credential.hashed(secret), row)
        return secret

    def fill(self) -> None:
        """Other pairs, each with its own endorsed digest that runs."""
        for number in range(PAIRS):
            digest, pair = f"sha256:{number:064x}", Pair("production", f"other-{number}")
            endorse(self.service, digest)
            with self.service.database.write() as link:
                row = environments.settle(link, pair, None, self.service.now())
                other = Deployer(self.service.now, pair)
                deploying.tell(self.service, link, row, other.replace(digest), By("deployer"))


@pytest.fixture
def site(tmp_path: Path, fleet_url: str) -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {"HOME": str(tmp_path), "ASSAYMARK_URL": url, "ASSAYMARK_LISTEN": f"127.0.0.1:{port}", "ASSAYMARK_RATE": "1000000"}
    service = open_service(load(environment, data=str(tmp_path / "data"), database=fleet_url))
    migrate(service.database)
    prepare(service.database)
    believe(service)
    for digest in (GOOD, BETTER):
        endorse(service, digest)
    server = uvicorn.Server(uvicorn.Config(make_app(service), host="127.0.0.1", port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    made = Site(service, url)
    yield made
    for caller in (made.deployer, made.ana, made.ben):
        caller.close()
    server.should_exit = True
    thread.join(30)
    service.database.close()


def _promote(who: Caller, digest: str, *, status: int = 201, **more: Any) -> Any:
    body = {"environment": "production", "component": "shop", "digest": digest} | more
    return who.ask("POST", "/deployments/promotions", body, status=status)


def test_a_revocation_of_what_runs_shows_at_wanted_in_under_two_seconds_and_stops_new_deploys(site: Site) -> None:
    site.fill()
    _promote(site.ana, GOOD)
    site.deployer.tell(site.journal.replace(GOOD))
    _promote(site.ana, BETTER)
    assert site.deployer.wanted()["do"] == "deploy"
    began = time.monotonic()
    site.ana.ask("POST", "/revocations", {"target": "subject", "name": BETTER, "reason": "it has a hole"}, status=201)
    found = site.deployer.wanted()
    took = time.monotonic() - began
    assert (found["do"], found["approved"]) == ("keep", False), "what is not approved any more is not asked to be deployed"
    assert "not-approved" in _promote(site.ben, BETTER, status=409)["type"]
    began = time.monotonic()
    site.ana.ask("POST", "/revocations", {"target": "subject", "name": GOOD, "reason": "this one too"}, status=201)
    found = site.deployer.wanted()
    again = time.monotonic() - began
    assert (found["do"], found["running"]["approved"], found["running"]["deployed_by"]) == ("alert", False, "dora")
    print(f"\nrevoked and seen at `wanted` after {took * 1000:.0f} and {again * 1000:.0f} ms beside {PAIRS} pairs")
    assert max(took, again) < SECONDS
    began, seen, after = time.monotonic(), 0, ""
    while True:
        part = site.deployer.ask("GET", f"/deployments/wanted?limit=200{after}")
        seen, after = seen + len(part["items"]), f"&after={part['next']}"
        if part["next"] is None:
            break
    print(f"all {seen} pairs asked anew in {time.monotonic() - began:.2f} s")
    assert seen == PAIRS + 1


def test_a_second_deployer_is_refused_and_every_step_is_a_line_of_the_log(site: Site) -> None:
    site.deployer.tell(site.journal.replace(GOOD))
    refused = site.deployer.tell(Deployer(site.service.now).replace(BETTER), status=409)
    assert refused["type"].endswith("/steps-contradict")
    assert site.deployer.wanted()["running"]["digest"] == GOOD
    entries = site.ana.ask("GET", "/log/entries?type=deploy")["items"]
    assert len(entries) == 7


def test_break_glass_is_loud_in_log_figures_and_queue_and_ends(site: Site) -> None:
    site.deployer.tell(site.journal.force(BAD, Instant(site.service.now() + DAY)))
    assert len(site.ana.ask("GET", "/log/entries?type=breakglass")["items"]) == 1
    assert site.ana.ask("GET", "/figures")["figures"]["deployed"]["forced"] == 1
    (trouble,) = site.ana.ask("GET", "/queue/deployments")["troubles"]
    assert trouble["generation"]["breakglass"]
    kinds = [each["kind"] for each in site.ana.ask("GET", "/happenings")["items"]]
    assert "deployment.forced" in kinds


def test_what_assay_deploy_and_assay_phoenix_say_is_understood(site: Site, tmp_path: Path) -> None:
    """The client of the commands themselves, against the server: told, wanted, drifted, taken back."""
    secret = tmp_path / "token"
    secret.write_text(site.token, "utf-8")
    secret.chmod(0o600)
    there = There(ServerTerms(url=site.url, token_file=str(secret)))
    _promote(site.ana, GOOD, image=f"registry.test/shop@{GOOD}")
    wanted = there.wanted(HERE)
    assert wanted is not None
    assert (wanted.digest, wanted.image, wanted.actor, wanted.stop) == (GOOD, f"registry.test/shop@{GOOD}", "ana", False)
    steps = site.journal.replace(GOOD)
    assert there.tell(HERE, steps[:3], 0) == 3
    assert there.tell(HERE, steps, 0) == len(steps), "told again from the beginning, as after a kill"
    shell = Drift(instance_id(HERE, 1, 1), "/bin/sh", "content", "sha256:1", "sha256:2", Weight.CRITICAL, Action.REPLACE)
    here = instance_id(HERE, 1, 1)
    there.tell_seen(HERE, 1, Looked((shell,), (here,)))
    assert len(site.ana.ask("GET", "/deployments/drifts?resolved=false")["items"]) == 1
    there.tell_seen(HERE, 1, Looked((), (here,)))
    assert site.ana.ask("GET", "/deployments/drifts?resolved=false")["items"] == []
    assert there.taken_notes() == ()
    site.ana.ask("PUT", "/environments/1/terms", {"unapproved": "stop"})
    site.ana.ask("POST", "/revocations", {"target": "subject", "name": GOOD, "reason": "it has a hole"}, status=201)
    wanted = there.wanted(HERE)
    assert wanted is not None
    assert (wanted.stop, wanted.digest) == (True, "")
    assert "hole" in there.taken_back(GOOD, HERE)
    there.tell(HERE, Deployer(site.service.now).replace(BETTER), 0)
    assert any("409" in note for note in there.taken_notes()), "a second deployer is told"


def test_two_people_promote_where_the_environment_asks_for_them(site: Site) -> None:
    _promote(site.ana, GOOD)
    site.ana.ask("PUT", "/environments/1/terms", {"people": 1})
    asked = _promote(site.ana, BETTER)
    site.ana.ask("POST", f"/deployments/promotions/{asked['id']}/agree", {}, status=409)
    assert site.deployer.wanted()["digest"] == GOOD
    site.ben.ask("POST", f"/deployments/promotions/{asked['id']}/agree", {})
    assert site.deployer.wanted()["digest"] == BETTER


def test_nobody_accepts_a_drift_and_a_newer_generation_ends_it(site: Site) -> None:
    site.deployer.tell(site.journal.replace(GOOD))
    shell = Drift(instance_id(HERE, 1, 1), "/bin/sh", "content", "sha256:1", "sha256:2", Weight.CRITICAL, Action.REPLACE)
    body = {"environment": "production", "component": "shop", "drifts": [shell]}
    assert site.deployer.ask("POST", "/deployments/drifts", body)["fresh"] == 1
    late = stamp(Instant(site.service.now() + 8 * DAY))
    site.ana.ask("POST", "/deployments/drifts/1/ignore", {"until": late, "reason": "we like it"}, status=400)
    site.deployer.ask("POST", "/deployments/drifts/1/ignore", {"until": late, "reason": "we like it"}, status=403)
    assert [each["id"] for each in site.ana.ask("GET", "/deployments/drifts?resolved=false")["items"]] == [1]
    site.deployer.tell(site.journal.replace(GOOD))
    (ended,) = site.ana.ask("GET", "/deployments/drifts?resolved=true")["items"]
    assert (ended["resolution"], ended["resolved_by"]) == ("superseded", 2)
