"""The phoenix over the drivers of clusters: the same upgrade, killed at each call to the platform, and what must hold afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace
from tests.deployment.aws_refreshing import Refreshing
from tests.deployment.aws_region import REGION, driving
from tests.deployment.kube_api import NAMESPACE, KubeApi, deployment, service
from tests.deployment.phoenix_sample import ONE, PAIR, TERMS, TWO, Place
from tests.deployment.test_kubernetes_driver import Time

from assaymark.deployment.drivers.driver import Driver, Share
from assaymark.deployment.drivers.kubernetes import reading, settings
from assaymark.deployment.drivers.kubernetes.client import Answer, Call
from assaymark.deployment.drivers.kubernetes.driver import KubernetesDriver
from assaymark.deployment.phoenix.generation import State, told
from assaymark.deployment.phoenix.journal import steps_of
from assaymark.deployment.phoenix.terms import Terms
from assaymark.errors import AssayError

ROLLING: Terms = replace(TERMS, canary=(), count=2, min_healthy=1, soak_seconds=1, probe_successes=1, drain_seconds=0)
LABELS = {"app": "web"}


class Killed(BaseException):
    """As a signal is: nothing catches it."""


class Platform(Protocol):
    """What a driver drives here."""

    calls_made: int
    kill_at: int

    def driver(self) -> Driver: ...

    def running(self) -> set[str]:
        """Digests that run and answer, said by the platform itself."""

    def break_(self, digest: str) -> None:
        """What has this digest never answers."""


class Kubernetes:
    """A Deployment that rolls, or two that take turns."""

    def __init__(self, *, turns: bool = False) -> None:
        self.api, self.turns = KubeApi(), turns
        self.api.patience = 12
        self.calls_made, self.kill_at, self.least = 0, -1, 99
        for colour in ("blue", "green") if turns else ("",):
            labels = {**LABELS, **({"colour": colour} if colour else {})}
            self.api.add("deployments", deployment(f"web-{colour}" if colour else "web", labels, 0 if colour else 2))
        if turns:
            self.api.add("services", service("web", {**LABELS, "colour": "blue"}))
        self.api.settle(20)
        self.api.before = self._before

    def driver(self) -> Driver:
        time = Time()
        work = {"workload": "deployment/web-blue deployment/web-green", "service": "web"} if self.turns else {"workload": "deployment/web"}
        found = settings.read({**work, "rollout_seconds": "60", "settle_seconds": "0"})
        return KubernetesDriver(found, self.api, NAMESPACE, clock=time, sleep=time.sleep)

    def running(self) -> set[str]:
        return {each["spec"]["containers"][0]["image"].partition("@")[2] for each in self.serving()}

    def serving(self) -> list[dict[str, Any]]:
        pods = [each for each in self.api.pods() if reading.is_ready(each)]
        if not self.turns:
            return pods
        wanted = self.api.of("services", "web")["spec"]["selector"].items()
        return [each for each in pods if wanted <= each["metadata"]["labels"].items()]

    def break_(self, digest: str) -> None:
        self.api.broken.add(digest)

    def _before(self, call: Call) -> Answer | None:
        self.calls_made += 1
        self.least = min(self.least, len(self.serving()))
        if self.calls_made == self.kill_at:
            raise Killed
        return None


class Machines:
    """A group with Instance Refresh."""

    def __init__(self) -> None:
        self.cloud = Refreshing()
        self.calls_made, self.kill_at = 0, -1
        for number, digest in enumerate((ONE, TWO), 1):
            self.cloud.image(f"ami-{number:08x}", digest)
        real: Callable[..., dict[str, object]] = self.cloud.ask

        def ask(service: str, operation: str, **given: object) -> dict[str, object]:
            self.calls_made += 1
            if self.calls_made == self.kill_at:
                raise Killed
            return real(service, operation, **given)

        self.cloud.__dict__["ask"] = ask

    def driver(self) -> Driver:
        return driving(self.cloud, region=REGION)

    def running(self) -> set[str]:
        digests = {f"ami-{number:08x}": digest for number, digest in enumerate((ONE, TWO), 1)}
        images = [self.cloud.versions[version - 1]["LaunchTemplateData"]["ImageId"] for version in self.cloud.machines.values()]
        return {digests.get(each, each) for each in images}

    def break_(self, digest: str) -> None:
        self.cloud.broken |= {3}
        assert digest == TWO


def place(folder: Path, platform: Platform) -> Place:
    return Place(folder, platform.driver(), ROLLING)


def calls_of_an_upgrade(folder: Path, platform: Platform, *, broken: bool = False) -> tuple[int, int]:
    """(before, after): an upgrade from the first generation to the second is the calls in between."""
    there = place(folder, platform)
    assert there.deploy(ONE).state is State.LIVE
    before = platform.calls_made
    if broken:
        platform.break_(TWO)
    assert there.deploy(TWO).state is (State.ABORTED if broken else State.LIVE)
    return before, platform.calls_made


def killed_and_resumed(folder: Path, platform: Platform, at: int, *, broken: bool = False) -> list[str]:
    """Which laws are broken after a kill at that call of the platform and a resume by another process."""
    there = place(folder, platform)
    there.deploy(ONE)
    platform.kill_at = at
    if broken:
        platform.break_(TWO)
    try:
        there.deploy(TWO)
    except Killed:
        platform.kill_at = -1
        wrong = [] if platform.running() else ["nobody serves after the kill"]
        resumed = Place(folder, platform.driver(), ROLLING)
        resumed.permit, resumed.clock = there.permit, there.clock
        try:
            resumed.resume()
        except AssayError as error:
            return [*wrong, f"it was not resumed: {error} {error.why}"]
        return [*wrong, *at_rest(folder, platform)]
    return [f"it was not killed at {at}", *at_rest(folder, platform)]


def at_rest(folder: Path, platform: Platform) -> list[str]:
    """What is not as it must be when nothing is on its way."""
    ledger = told(PAIR, steps_of(folder / "state", PAIR))
    live, driver = ledger.live, platform.driver()
    if live is None or ledger.moving is not None:
        return ["nothing is live" if live is None else f"generation {ledger.moving} is on its way"]
    wrong = [] if platform.running() == {live.digest} else [f"{platform.running()} run, live is {live.digest}"]
    there = driver.list(PAIR)
    wrong += [f"{each.id} is there" for each in there if each.generation != live.number]
    wrong += [f"{each.id} was burnt and is there" for each in there if each.id in ledger.burnt]
    if tuple(driver.serving(PAIR)) != (Share(live.number, 100),):
        wrong.append(f"{driver.serving(PAIR)} serve, live is {live.number}")
    return wrong
