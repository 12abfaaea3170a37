"""A server that believes the tests' key, two teams with their people, and a deployer that tells what it did."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.server.admission.clusters import Moved, believe, endorse

from assaymark.deployment.drivers.driver import Pair, instance_id
from assaymark.deployment.phoenix.generation import State, Step, Why
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.jobs.job import JobState
from assaymark.model.access import Grant, Permission, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.app import make_app
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import revoking
from assaymark.server.work.handlers import handler
from assaymark.store import happenings, log, people, tables, trail
from assaymark.store.people import Draft

API = "/api/v1"
DAY = 86_400 * SECOND
GOOD, BETTER, BAD = (f"sha256:{letter * 64}" for letter in "abc")
"""Two that are endorsed for production, and one that is not."""
PAIR = Pair("production", "shop")
UP = (State.WANTED, State.VERIFIED, State.LAUNCHED, State.HEALTHY, State.SHIFTED, State.SOAKED)


class Attempt:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


class Deployer:
    """Steps as a journal has them."""

    def __init__(self, clock: Callable[[], Instant], pair: Pair = PAIR) -> None:
        self.clock, self.pair, self.steps, self.generation, self.live = clock, pair, 0, 0, 0

    def step(self, state: State, **more: Any) -> Step:
        self.steps += 1
        said: dict[str, Any] = {"number": self.steps, "at": self.clock(), "generation": self.generation, "state": state, "actor": "dora"}
        return Step(**said | more)

    def rise(self, digest: str, **wanted: Any) -> list[Step]:
        """Until it soaked, the first instance with it."""
        self.generation += 1
        name = instance_id(self.pair, self.generation, 1)
        said: dict[State, dict[str, Any]] = {
            State.WANTED: {"digest": digest, "image": f"registry.test/shop@{digest}", "configuration": "sha256:" + "0" * 64}
            | {"pinned": wanted.get("why") is Why.ROLLBACK}
            | wanted,
            State.VERIFIED: {"endorsement": "sha256:" + "e" * 64},
            State.LAUNCHED: {"born": (name,)},
        }
        return [self.step(state, **said.get(state, {})) for state in UP]

    def replace(self, digest: str, **wanted: Any) -> list[Step]:
        """A whole upgrade."""
        found = self.rise(digest, **wanted)
        if self.live:
            number, self.generation = self.generation, self.live
            burnt = (instance_id(self.pair, self.live, 1),)
            found.append(self.step(State.RETIRED, burnt=burnt))
            self.generation = number
        self.live = self.generation
        return [*found, self.step(State.LIVE)]

    def burn(self, by: str) -> list[Step]:
        """What is live goes, without a successor."""
        self.generation, self.live = self.live, 0
        burnt = (instance_id(self.pair, self.generation, 1),)
        found = [
            self.step(State.STOPPING, actor=by, reason="it closes"),
            self.step(State.STOPPED, actor=by, burnt=burnt, reason="it closes"),
        ]
        self.generation = max(self.generation, *(step.generation for step in found))
        return found

    def force(self, digest: str, until: Instant, reason: str = "the shop is down") -> list[Step]:
        """One that a break-glass order lets through."""
        return [
            msgspec.structs.replace(each, endorsement="", breakglass="sha256:" + "9" * 64, until=until, reason=reason)
            if each.state is State.VERIFIED
            else each
            for each in self.replace(digest)
        ]


class House:
    """The server, and who calls: ``dep`` tells for the shop, ``ana`` and ``ben`` promote there, ``max`` elsewhere, ``ad`` everywhere."""

    def __init__(self, client: TestClient, service: Service, clock: Moved, team: TeamId) -> None:
        self.client, self.service, self.clock, self.team = client, service, clock, team
        self.deployer = Deployer(clock)

    def ask(self, who: str, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {who}", "Content-Type": "application/json"}
        answer = self.client.request(method, API + path, content=data, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def page(self, who: str, method: str, address: str, status: int = 200, /, **form: str) -> str:
        headers = {"Authorization": f"Bearer {who}", "Sec-Fetch-Site": "same-origin"}
        answer = self.client.request(method, address, data=form or None, headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text) if status != 303 else answer.headers["location"]

    def tell(self, steps: list[Step], *, who: str = "dep", status: int = 200, pair: Pair = PAIR) -> Any:
        return self.ask(
            who, "POST", "/deployments/steps", {"environment": pair.environment, "component": pair.component, "steps": steps}, status=status
        )

    def drift(self, *drifts: Any, who: str = "dep", status: int = 200, **more: Any) -> Any:
        body = {"environment": PAIR.environment, "component": PAIR.component, "drifts": drifts} | more
        return self.ask(who, "POST", "/deployments/drifts", body, status=status)

    def wanted(self, who: str = "dep") -> Any:
        (found,) = self.ask(who, "GET", "/deployments/wanted?environment=production&component=shop")["items"]
        return found

    def promote(self, digest: str, *, who: str = "ana", status: int = 201, **more: Any) -> Any:
        body = {"environment": PAIR.environment, "component": PAIR.component, "digest": digest} | more
        return self.ask(who, "POST", "/deployments/promotions", body, status=status)

    def here(self) -> str:
        """Address of the page of the environment; its number is not always the first, where something was refused before."""
        return f"/environments/{self.ask('ana', 'GET', '/environments')['items'][0]['id']}"

    def waiting(self) -> str:
        """Number of the promotion that waits."""
        return str(self.ask("ana", "GET", "/deployments/promotions?state=waiting")["items"][0]["id"])

    def revoke(self, digest: str) -> None:
        with self.service.database.write() as link:
            revoking.revoke(self.service, link, Revocation(Target.SUBJECT, digest, "it has a hole", ""), by=By("sec"))

    def work(self, *kinds: str) -> None:
        """Do the jobs of these kinds that wait."""
        with self.service.database.read() as link:
            rows = self.service.queue.rows(link, JobState.WAITING, before=None, limit=1000)
        for each in rows:
            if each.job.kind in kinds:
                handler(each.job.kind)(self.service, each.job.arguments, Attempt())

    def look(self) -> None:
        handler("look-at-deployments")(self.service, {}, Attempt())

    def told(self) -> list[tuple[str, str]]:
        """(kind, title) of all that happened, the oldest first."""
        with self.service.database.read() as link:
            return [(row.kind.value, row.title) for row in reversed(happenings.page(link, None, before=None, limit=200))]

    def logged(self) -> list[tuple[str, str]]:
        """(type, line) of the transparency log, the oldest first."""
        with self.service.database.read() as link:
            return [(row.type, row.line) for row in reversed(log.page(link, log.Filter(), before=None, limit=1000))]

    def trailed(self) -> list[str]:
        """What stands in the trail, the oldest first."""
        with self.service.database.read() as link:
            return [row.action for row in reversed(trail.page(link, trail.Filter(), before=None, limit=1000))]


@contextmanager
def opened(service: Service) -> Iterator[House]:
    clock = Moved(service)
    service = msgspec.structs.replace(service, now=clock)
    known: dict[str, Principal] = {}
    with service.database.write() as link:
        teams = [
            TeamId(link.execute(tables.team.insert().returning(tables.team.c.id), row).scalar_one())
            for row in ({"slug": "shop", "name": "Shop", "created_at": 0}, {"slug": "bank", "name": "Bank", "created_at": 0})
        ]
        shop, bank = teams
        roles = {
            "dep": Grant(Role.MAINTAINER, shop), "ana": Grant(Role.MAINTAINER, shop), "ben": Grant(Role.MAINTAINER, shop),
            "sec": Grant(Role.SECURITY, shop), "dora": Grant(Role.DEVELOPER, shop), "max": Grant(Role.MAINTAINER, bank),
            "ad": Grant(Role.ADMIN),
        }  # fmt: skip
        for login, grant in roles.items():
            number = people.add(link, Draft(login), at=service.now())
            scopes = frozenset({Permission.DEPLOYMENTS_TELL, Permission.DEPLOYMENTS_READ}) if login == "dep" else None
            known[login] = Principal(PersonId(number or 0), login, (grant,), scopes)

    def identify(_service: Service, request: Request) -> Principal | None:
        return known.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    believe(service)
    for digest in (GOOD, BETTER):
        endorse(service, digest)
    with TestClient(make_app(service, identify=identify), base_url=service.settings.url) as client:
        yield House(client, service, clock, shop)


def hours(count: float, house: House) -> str:
    """An instant so many hours ahead, in RFC 3339."""
    return stamp(Instant(int(house.clock() + count * 3600 * SECOND)))


__all__ = ["BAD", "BETTER", "GOOD", "Deployer", "House", "endorse", "hours", "opened"]
