"""The driver `kubernetes`: a Deployment or StatefulSet that rolls, or two Deployments that take turns behind a Service.

Guarantees
* what runs is named by a digest; a launch returns when the cluster says that every pod is made anew *and* the runtimes of its nodes say
  (``status…imageID``) that they run that digest; otherwise it fails within its time;
* asked again after a kill, a launch goes on where the cluster is: the workload itself tells which generation it was told to run;
* pods are told apart by a number of ours that stays with them; a number that was burnt is not given again;
* with two Deployments the Service's selector is exchanged in one patch, and `shift` returns when EndpointSlices name the new pods alone.

Not here: shares of the traffic (a Service has none; that is a mesh's or a gateway's), and what happens inside a container: see `observe`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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
from assaymark.deployment.drivers.kubernetes import burning, launching, patching, reading, settings, turning
from assaymark.deployment.drivers.kubernetes.client import Api, Refused, Transport, over_https
from assaymark.deployment.drivers.kubernetes.cluster import Namespace
from assaymark.deployment.drivers.kubernetes.kubeconfig import reached
from assaymark.deployment.drivers.kubernetes.observing import observed
from assaymark.deployment.drivers.kubernetes.settings import Named, Settings
from assaymark.deployment.drivers.numbering import Found, numbers

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def opened(options: Mapping[str, str]) -> KubernetesDriver:
    """The driver of a cluster.

    Raises:
        UsageError: when an option or the kubeconfig makes no sense.
    """
    found = settings.read(options)
    where = reached(found.kubeconfig, found.context)
    return KubernetesDriver(found, over_https(where.place), found.namespace or where.namespace)


class Pod(Struct, frozen=True):
    """A pod of a workload, with the id that it has here."""

    id: str
    generation: int
    document: Mapping[str, Any]
    workload: Named

    @property
    def name(self) -> str:
        return reading.text(self.document, "metadata", "name")


class KubernetesDriver:
    """Of one pair's workload."""

    def __init__(
        self, found: Settings, send: Transport, namespace: str, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        self._settings, self._clock, self._sleep = found, clock, sleep
        self._there = Namespace(Api(send, sleep), namespace)

    def capabilities(self) -> Capabilities:
        seen = ("digest", "configuration", "changes", "processes", "mounts", "age")
        return Capabilities("kubernetes", divides=False, rolls=not self._settings.turns, observes=seen)

    def list(self, pair: Pair) -> Sequence[Instance]:
        return [self._instance(each) for each in self._pods(pair)]

    def launch(self, asked: Launch) -> Sequence[Instance]:
        named = self._to_launch(asked.pair, asked.generation)
        launching.launch(self._there, named, asked, self._settings, self._waiting)
        pods = [each for each in self._pods(asked.pair) if each.workload == named and each.generation == asked.generation]
        wrong = [each for each in map(self._instance, pods) if each.running and each.digest != asked.digest]
        if wrong:
            raise DriverFailed(
                f"{wrong[0].id} runs {wrong[0].digest or 'what its node does not name'}, not {asked.digest}",
                why="a node's runtime tells this digest of the container's image",
                advice="deploy the digest that runtimes tell, or name both in the option aliases",
            )
        for each in pods:
            if not reading.annotation(each.document, reading.NUMBER):
                self._there.note(each.document, patching.generation_in(asked.pair, each.id)[1])
        return [each for each in map(self._instance, pods) if each.running]

    def rehearsed(self, asked: Launch) -> Sequence[str]:
        """What a launch and a shift would do; the API server judges each change and keeps none (``dryRun=All``)."""
        named = self._to_launch(asked.pair, asked.generation)
        steps = launching.rehearsed(self._there, named, asked, self._settings)
        if self._settings.turns:
            steps.append(f"PATCH {self._there.service_path(self._settings.service)}: its selector becomes that of {named.name}")
        return steps

    def probe(self, pair: Pair, instance: str) -> Health:
        found = self._one(pair, instance)
        if found is None:
            return Health(ok=False, text="it is gone")
        if not reading.is_ready(found.document):
            return Health(ok=False, text=reading.waits_for(found.document))
        return self._asked(found) if self._settings.probe else Health(ok=True, text="ready")

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        if len(shares) > 1:
            raise DriverFailed("a Service does not divide its connections", advice="take `canary` out of the terms")
        if self._settings.turns:
            target = self._with_generation(pair, shares[0].generation) if shares else None
            turning.turn(self._there, self._settings, target, self._waiting)
            self._sleep(self._settings.settle_seconds)
        elif not shares:
            burning.stop(self._there, self._settings.workloads[0])
        else:
            self._rolled(pair, shares[0].generation)

    def serving(self, pair: Pair) -> Sequence[Share]:
        if self._settings.turns:
            found = turning.serving(self._there, self._settings)
            generation = 0 if found is None else reading.generation_of(self._workload(pair, found))
            return [Share(generation, 100)] if generation else []
        ready = [each.generation for each in self._pods(pair) if reading.is_ready(each.document)]
        counted = {each: ready.count(each) for each in sorted(set(ready))}
        return [Share(generation, percent) for generation, percent in _percents(counted).items()]

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        """A pod that a Service does not name gets nothing new; what it had begun nobody tells, so its time is given to it in full."""
        found = self._one(pair, instance)
        if found is None:
            return True
        if self._settings.turns and turning.serving(self._there, self._settings) == found.workload:
            raise DriverFailed(f"{instance} is not drained", why="its workload serves")
        if self._settings.turns:
            self._sleep(max(seconds, 0.0))
        return False

    def burn(self, pair: Pair, instance: str) -> None:
        generation, number = patching.generation_in(pair, instance)
        found = self._one(pair, instance)
        if found is not None:
            all_of_it = [each for each in self._pods(pair) if (each.workload, each.generation) == (found.workload, found.generation)]
            pods = [(each.document, patching.generation_in(pair, each.id)[1]) for each in all_of_it]
            burning.burn(self._there, found.workload, found.document, (generation, number), pods)
            self._waiting(f"{instance} is not gone", lambda: burning.gone(self._there, found.document))
        if generation:
            burning.forget(self._there, pair, generation, self._settings.workloads, lambda: [each.generation for each in self._pods(pair)])

    def observe(self, pair: Pair, instance: str) -> Observation:
        found = self._one(pair, instance)
        if found is None:
            raise DriverFailed(f"{instance} is not there")
        workload = self._workload(pair, found.workload)
        return observed(instance, found.document, workload, self._settings, self._digest(found))

    # --- what is asked above ---

    def _workload(self, pair: Pair, named: Named) -> dict[str, Any]:
        found = self._there.workload(named)
        whose = reading.annotation(found, reading.PAIR)
        if whose and whose != str(pair):
            raise DriverFailed(f"{named.kind}/{named.name} belongs to {whose}", advice=f"give {pair} a workload of its own")
        return found

    def _pods(self, pair: Pair) -> Sequence[Pod]:
        return [each for named in self._settings.workloads for each in self._pods_of(pair, named)]

    def _pods_of(self, pair: Pair, named: Named) -> Iterator[Pod]:
        workload = self._workload(pair, named)
        makers = self._there.makers(workload)
        found = self._there.pods(workload)
        told = reading.generation_of(workload) if reading.at(workload, "spec", "replicas") != 0 else 0
        own = [each for each in found if reading.owner(each) in makers and reading.generation_of(each) and not _is_replaced(each, told)]
        for generation in sorted({reading.generation_of(each) for each in own}):
            of_it = [each for each in own if reading.generation_of(each) == generation]
            slots = [Found(reading.text(each, "metadata", "name"), reading.born(each), _number(each)) for each in of_it]
            given = numbers(slots, patching.burnt_numbers(workload, generation))
            for each in sorted(of_it, key=lambda pod: given[reading.text(pod, "metadata", "name")]):
                yield Pod(instance_id(pair, generation, given[reading.text(each, "metadata", "name")]), generation, each, named)
        for each in found:
            if each not in own and not _is_replaced(each, told) and _is_strange(each, makers, named, workload):
                yield Pod(reading.text(each, "metadata", "name"), 0, each, named)

    def _one(self, pair: Pair, instance: str) -> Pod | None:
        return next((each for each in self._pods(pair) if each.id == instance), None)

    def _digest(self, pod: Pod) -> str:
        container = self._container(pod.document)
        told = reading.digest_in(reading.text(reading.status_of(pod.document, container), "imageID"))
        return self._settings.aliases.get(told, told)

    def _container(self, pod: Mapping[str, Any]) -> str:
        if self._settings.container:
            return self._settings.container
        names = [reading.text(each, "name") for each in reading.entries(pod, "spec", "containers")]
        own = [each for each in names if each not in self._settings.sidecars]
        return own[0] if own else ""

    def _instance(self, pod: Pod) -> Instance:
        going = bool(reading.at(pod.document, "metadata", "deletionTimestamp"))
        return Instance(
            pod.id,
            pod.generation,
            self._digest(pod),
            reading.annotation(pod.document, reading.CONFIGURATION),
            reading.born(pod.document),
            reading.text(pod.document, "status", "podIP"),
            running=reading.text(pod.document, "status", "phase") in {"Pending", "Running"} and not going,
        )

    def _to_launch(self, pair: Pair, generation: int) -> Named:
        """The workload that rolls; of two, the one that was told already, or the one that does not serve."""
        if not self._settings.turns:
            return self._settings.workloads[0]
        told = [each for each in self._settings.workloads if reading.generation_of(self._workload(pair, each)) == generation]
        serving = turning.serving(self._there, self._settings)
        return told[0] if told else next(each for each in self._settings.workloads if each != serving)

    def _with_generation(self, pair: Pair, generation: int) -> Named:
        for each in self._settings.workloads:
            if reading.generation_of(self._workload(pair, each)) == generation:
                return each
        raise DriverFailed(f"generation {generation} of {pair} is not there", why="neither Deployment was told to run it")

    def _rolled(self, pair: Pair, generation: int) -> None:
        named = self._settings.workloads[0]
        workload = self._workload(pair, named)
        far = reading.rollout(named.kind, workload)
        if reading.generation_of(workload) != generation or not far.done:
            raise DriverFailed(f"generation {generation} of {pair} does not serve", why=far.text)

    def _asked(self, pod: Pod) -> Health:
        port, _, path = self._settings.probe.partition("/")
        try:
            self._there.api.once(f"{self._there.pod_path(pod.name)}:{port}/proxy/{path}")
        except Refused as error:
            return Health(ok=False, text=f"{error.status} at {self._settings.probe}: {error.why}"[:300])
        return Health(ok=True, text=f"answers at {self._settings.probe}")

    def _waiting(self, what: str, look: Callable[[], str]) -> None:
        """Until `look` has nothing to complain of.

        Raises:
            DriverFailed: when the time is over.
        """
        ends = self._clock() + self._settings.rollout_seconds
        while reason := look():
            if self._clock() >= ends:
                raise DriverFailed(what, why=f"after {self._settings.rollout_seconds:.0f} s: {reason}")
            self._sleep(1.0)


def _is_replaced(pod: Mapping[str, Any], told: int) -> bool:
    """Its workload makes another in its place, which takes its number; of an older generation it is told until it is gone."""
    return bool(reading.at(pod, "metadata", "deletionTimestamp")) and reading.generation_of(pod) == told


def _is_strange(pod: Mapping[str, Any], makers: set[str], named: Named, workload: Mapping[str, Any]) -> bool:
    """A pod that nobody launched. What ran before the first generation is none, and neither is what another workload made."""
    if reading.owner(pod) in makers:
        return bool(reading.generation_of(workload)) and reading.rollout(named.kind, workload).done
    return not reading.owner(pod)


def _number(pod: Mapping[str, Any]) -> int:
    found = reading.annotation(pod, reading.NUMBER)
    return int(found) if found.isdecimal() and len(found) < 8 else 0


def _percents(counted: Mapping[int, int]) -> dict[int, int]:
    """Shares of 100 that add up to it: the last one gets what rounding left."""
    total, given = sum(counted.values()), 0
    found: dict[int, int] = {}
    for position, (generation, count) in enumerate(counted.items(), 1):
        found[generation] = 100 - given if position == len(counted) else count * 100 // total
        given += found[generation]
    return found
