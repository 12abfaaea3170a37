"""podman: each instance is a container that may change nothing, behind an edge that holds who serves.

Guarantees, beside those of the door
* an image is launched by its digest alone, and only when podman finds that digest for what it will run; what runs is looked up by the id
  of the image that the container has, not by what its labels say;
* a container is made from nothing each time: one that ended is never started again;
* `observe` looks at the kernel's own view of the processes and mounts, and at the container's directories (a few milliseconds once podman
  was asked about the container; it is asked again when the process is another).

Not here: other machines (podman's remote connections), pods, volumes. What podman itself lays down on disk is believed: an image whose
layers were changed there by root is found by the tree sensor of `deployment.drift`, not by this one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct

from assaymark.deployment.drivers.driver import (
    Capabilities,
    DriverFailed,
    Health,
    Instance,
    Launch,
    Observation,
    Pair,
    Share,
    instance_id,
)
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.drivers.podman import bridge, launching, leftover, observing, probing
from assaymark.deployment.drivers.podman.asking import Container, Image, Podman
from assaymark.deployment.drivers.podman.options import Options, read
from assaymark.deployment.edge.door import Edge, opened_edge
from assaymark.deployment.edge.table import Backend, Route
from assaymark.model.assessment import Instant

_TOGETHER = 4


def opened(options: Mapping[str, str]) -> PodmanDriver:
    """The driver with its settings.

    Raises:
        UsageError: when one is missing or makes no sense.
        EngineMissing: when podman is not installed.
    """
    return PodmanDriver(read(options))


class _Image(Struct, frozen=True):
    """What is known of one by its id, which never changes."""

    digests: frozenset[str]


class PodmanDriver:
    """One pair's settings; the pair is said with each call."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._podman = Podman(options.program, options.socket)
        self._images: dict[str, _Image] = {}
        self._observer = observing.Observer(options)
        self._edge: Edge | None = None
        self._waited: set[Pair] = set()
        self._bridge: str | None = None

    def capabilities(self) -> Capabilities:
        return Capabilities("podman", divides=True, observes=("digest", "configuration", "changes", "processes", "mounts", "age"))

    # --- instances -------------------------------------------------------------------------------------------------------

    def list(self, pair: Pair) -> Sequence[Instance]:
        self._wait_for_killed(pair)
        return tuple(self._instance(each) for each in self._containers(pair))

    def launch(self, asked: Launch) -> Sequence[Instance]:
        self._wait_for_killed(asked.pair)
        image = self._wanted_image(asked)
        there = {each.name: each for each in self._containers(asked.pair)}
        names = {instance_id(asked.pair, asked.generation, number): number for number in range(1, asked.count + 1)}
        missing = [name for name in names if not self._adopted(asked, image, there.get(name))]
        self._hold_bridge()
        with ThreadPoolExecutor(_TOGETHER) as together:
            for _ in together.map(lambda name: self._run(asked, name, names[name]), missing):
                pass
        self._hold_bridge()  # it was made with its first container
        found = [each for each in self._containers(asked.pair) if each.name in names]
        for each in found:
            if each.image != image.id:
                self._podman.do("rm", "--force", "--time", "0", "--ignore", each.id)
                raise DriverFailed(f"{each.name} runs another image than {asked.digest}", why=f"podman took {each.image}; it was removed")
        if len(found) < asked.count:
            raise DriverFailed(f"{len(found)} of {asked.count} instances of generation {asked.generation} are there")
        self._evict(asked.pair, found)
        return tuple(self._instance(each) for each in found)

    def probe(self, pair: Pair, instance: str) -> Health:
        found = self._one(pair, instance)
        if found is None or not found.state.running:
            return Health(ok=False, text="it is not there" if found is None else f"it is {found.state.status}")
        return probing.probed(self._options, self._address(found))

    def burn(self, pair: Pair, instance: str) -> None:
        found = self._one(pair, instance)
        if found is not None:
            self._podman.do("rm", "--force", "--volumes", "--ignore", "--time", self._options.stop_seconds, found.id)
            if self._podman.containers([found.id]):
                raise DriverFailed(f"{instance} is still there after it was removed")
        launching.forget(self._options, instance)

    def observe(self, pair: Pair, instance: str) -> Observation:
        known = self._observer.known(instance)
        if known is None:
            found = self._one(pair, instance)
            if found is None:
                raise DriverFailed(f"{instance} is not there")
            known = self._observer.learn(found, self._instance(found))
        return self._observer.observed(known)

    # --- traffic ---------------------------------------------------------------------------------------------------------

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        serving = [each for each in shares if each.percent]
        there = self._containers(pair) if serving else []
        backends = []
        for share in serving:
            mine = [each for each in there if each.labels.get(launching.GENERATION) == str(share.generation) and each.state.running]
            addresses = tuple(sorted(filter(None, map(self._address, mine))))
            if not addresses:
                raise DriverFailed(f"generation {share.generation} of {pair} cannot serve", why="none of its instances runs")
            backends.append(Backend(share.generation, share.percent, addresses))
        self._edge_of().put(Route(label(pair), self._options.listen, self._options.mode, tuple(backends)))

    def serving(self, pair: Pair) -> Sequence[Share]:
        route = self._edge_of().route(label(pair))
        return tuple(Share(each.generation, each.percent) for each in (route.backends if route else ()) if each.percent)

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        found = self._one(pair, instance)
        address = self._address(found) if found is not None and found.state.running else ""
        if not address:
            return True
        self._take_out(pair, address)
        return self._edge_of().wait(label(pair), address, seconds)

    def _take_out(self, pair: Pair, address: str) -> None:
        """It gets nothing new."""
        route = self._edge_of().route(label(pair))
        if route is None or address not in route.addresses:
            return
        left = tuple(
            Backend(each.generation, each.percent, tuple(other for other in each.addresses if other != address)) for each in route.backends
        )
        if any(each.percent and not each.addresses for each in left):
            raise DriverFailed(f"the last instance behind {pair} cannot be drained", advice="shift to others first")
        self._edge_of().put(Route(route.name, route.listen, route.mode, left))

    def _evict(self, pair: Pair, found: Sequence[Container]) -> None:
        """Addresses are used again: one that still stands behind another pair is of somebody who is gone."""
        mine = {self._address(each) for each in found}
        edge = self._edge_of()
        for route in edge.routes():
            if route.name != label(pair) and mine & route.addresses:
                left = tuple(
                    Backend(each.generation, each.percent, tuple(a for a in each.addresses if a not in mine)) for each in route.backends
                )
                whole = left if all(each.addresses for each in left if each.percent) else ()
                edge.put(Route(route.name, route.listen, route.mode, whole))

    def _edge_of(self) -> Edge:
        if self._edge is None:
            self._edge = opened_edge(self._options.edge, self._options.folder, start=self._options.edge_start == "yes")
        return self._edge

    # --- containers ------------------------------------------------------------------------------------------------------

    def _containers(self, pair: Pair) -> Sequence[Container]:
        return sorted(self._podman.labelled(launching.labels_of(pair)), key=lambda each: each.name)

    def _one(self, pair: Pair, instance: str) -> Container | None:
        """Of this pair only: another's is not there."""
        found = next(iter(self._podman.containers([instance])), None)
        mine = launching.labels_of(pair)
        return found if found is not None and mine.items() <= found.labels.items() else None

    def _address(self, found: Container) -> str:
        return found.address(self._options.port, published=self._options.publishes)

    def _instance(self, found: Container) -> Instance:
        running = found.state.running
        return Instance(
            found.name,
            int(found.labels.get(launching.GENERATION, "0")),
            self._digest(found),
            found.labels.get(launching.CONFIGURATION, ""),
            _instant(found.created),
            self._address(found) if running else "",
            running,
        )

    def _digest(self, found: Container) -> str:
        """That podman has for the image that this container was made of; the label only says which of several is meant."""
        if found.image not in self._images:
            image = self._podman.image(found.image)
            self._images[found.image] = _Image(image.digests if image else frozenset({found.image_digest} - {""}))
        digests = self._images[found.image].digests
        said = found.labels.get(launching.DIGEST, "")
        return said if said in digests else found.image_digest

    def _wanted_image(self, asked: Launch) -> Image:
        name, at, digest = asked.image.rpartition("@")
        if not at or digest != asked.digest or not name:
            raise DriverFailed(
                f"{asked.image[:200]!r} is not launched", why=f"it is not name@{asked.digest}", advice="give a digest, no tag"
            )
        image = self._podman.image(asked.image)
        if image is None and self._options.pull == "missing":
            self._podman.pull(asked.image)
            image = self._podman.image(asked.image)
        if image is None:
            raise DriverFailed(f"the image {asked.image} is not here", advice='bring it: podman load, or pull = "missing"')
        if asked.digest not in image.digests:
            why = f"podman has {', '.join(sorted(image.digests)) or 'none'} under that name"
            raise DriverFailed(f"the image {asked.image} has another digest", why=why)
        return image

    def _adopted(self, asked: Launch, image: Image, found: Container | None) -> bool:
        """Whether it is there already, as it was asked for; what ended is taken away, and what is another refuses the launch."""
        if found is None:
            return False
        labels = found.labels
        same = labels.get(launching.GENERATION) == str(asked.generation) and found.image == image.id
        if not same or labels.get(launching.CONFIGURATION) != asked.configuration.digest:
            raise DriverFailed(f"{found.name} is there already, and is something else", advice="look at it, and burn it")
        if not found.state.running:
            self._podman.do("rm", "--force", "--time", "0", "--ignore", found.id)
        return found.state.running

    def _run(self, asked: Launch, name: str, number: int) -> None:
        words = launching.words(asked, self._options, name, number)
        with launching.given(self._options, name, asked.configuration) as (more, inherited):
            try:
                self._podman.do(*words, *more, asked.image, *self._options.arguments, pass_fds=inherited)
            except DriverFailed:
                if not self._podman.containers([name]):
                    launching.forget(self._options, name)  # nobody will burn what is not there
                raise

    def _hold_bridge(self) -> None:
        if self._options.publishes:
            return
        if self._bridge is None:
            self._bridge = self._podman.bridge_of(self._options.bridged)
        if self._bridge:
            bridge.held(self._bridge)

    def _wait_for_killed(self, pair: Pair) -> None:
        """A deployer that was killed may have left a podman behind that is still making what we would not see."""
        if pair in self._waited:
            return
        until = time.monotonic() + leftover.SECONDS
        while leftover.launching(f"--label={launching.PAIR}={label(pair)}"):
            if time.monotonic() > until:
                raise DriverFailed(f"another launch of {pair} does not end", advice="look for the process: ps -ef | grep 'podman run'")
            time.sleep(0.02)
        self._waited.add(pair)


def _instant(text: str) -> Instant:
    """Of what podman writes: nanoseconds, which Python does not read."""
    before, dot, after = text.partition(".")
    digits = after[: len(after) - len(after.lstrip("0123456789"))]
    zone = after[len(digits) :] if dot else ""
    try:
        moment = datetime.fromisoformat(f"{before}.{(digits or '0')[:6].ljust(6, '0')}{zone}" if dot else text)
    except ValueError:
        return Instant(0)
    return Instant(int(moment.timestamp() * 1_000_000))
