"""Making a generation rise: its Secret, the patch of its workload, and waiting until the cluster is done with it.

Guarantees: each of the three can be asked again; a workload that somebody else changed between reading and patching refuses the patch
(``resourceVersion``), and is read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assaymark.deployment.drivers.driver import DriverFailed, Launch
from assaymark.deployment.drivers.kubernetes import patching, reading
from assaymark.deployment.drivers.kubernetes.client import MERGE, Refused
from assaymark.deployment.drivers.kubernetes.cluster import Namespace
from assaymark.deployment.drivers.kubernetes.settings import Kind, Named, Settings

Waiting = Callable[[str, Callable[[], str]], None]
_CONFLICTS = 5


def launch(there: Namespace, named: Named, asked: Launch, settings: Settings, waiting: Waiting) -> None:
    """The workload was told, and the cluster says that it is done.

    Raises:
        DriverFailed: when it is not within its time, or gave up.
    """
    workload = _looked_at(there, named, asked, settings)
    if not asked.again:
        _clean(there, asked, workload)
    kept = _secret(there, asked, workload)
    container = reading.container_name(reading.at(workload, "spec", "template") or {}, settings.container)
    if not patching.is_launched(workload, asked, container):
        workload = _told(there, named, asked, kept, settings)
    waiting(f"generation {asked.generation} of {asked.pair} did not rise", lambda: _complaint(there, named, asked))
    if not reading.annotation(workload, reading.TEMPLATE):
        there.api.patch(there.path_of(named), patching.sealing(there.workload(named)), MERGE)


def rehearsed(there: Namespace, named: Named, asked: Launch, settings: Settings) -> list[str]:
    """The same, with nothing kept."""
    workload = _looked_at(there, named, asked, settings)
    container = reading.container_name(reading.at(workload, "spec", "template") or {}, settings.container)
    if patching.is_launched(workload, asked, container):
        return [f"{there.path_of(named)} was told to run generation {asked.generation} already"]
    steps = []
    kept: patching.Held | None = None
    if _has_configuration(asked):
        made = patching.secret(asked)
        given = asked.configuration
        what = f"{len(given.variables)} variables, {len(given.secrets)} secrets, {len(given.files)} files"
        there.api.post(there.secret_path(), made, rehearse=True)
        steps.append(f"POST {there.secret_path()} {made['metadata']['name']}: {what}; it cannot be changed afterwards")
        kept = patching.held(made, asked)
    there.api.patch(there.path_of(named), patching.launching(workload, asked, container, kept, rolls=not settings.turns), rehearse=True)
    before = {
        reading.text(each, "name"): reading.text(each, "image")
        for each in reading.entries(workload, "spec", "template", "spec", "containers")
    }
    steps.append(f"PATCH {there.path_of(named)}: container {container} from {before[container] or 'no image'} to {asked.image}, "
                 f"{asked.count} pods, generation {asked.generation}")  # fmt: skip
    steps.append(f"GET {there.path_of(named)} until the rollout is done, for {settings.rollout_seconds:.0f} s at most")
    steps.append(f"GET the pods: each must run {asked.digest}")
    return steps


def _looked_at(there: Namespace, named: Named, asked: Launch, settings: Settings) -> dict[str, Any]:
    """The workload, when it is one that can be driven."""
    if reading.digest_in(asked.image) != asked.digest:
        raise DriverFailed(f"{asked.image} does not name {asked.digest}", advice="a digest is deployed, never a tag")
    workload = there.workload(named)
    whose = reading.annotation(workload, reading.PAIR)
    if whose and whose != str(asked.pair):
        raise DriverFailed(f"{named.kind}/{named.name} belongs to {whose}", advice=f"give {asked.pair} a workload of its own")
    if reading.at(workload, "spec", "paused") is True:
        raise DriverFailed(f"{named.kind}/{named.name} is paused", advice=f"kubectl rollout resume {named.kind}/{named.name}")
    if not settings.turns:
        _can_roll(named, workload, asked, settings)
    return workload


def _can_roll(named: Named, workload: Mapping[str, Any], asked: Launch, settings: Settings) -> None:
    """Its own strategy replaces all pods, and keeps as many answering as is asked for."""
    stateful = named.kind is Kind.STATEFUL_SET
    strategy = reading.text(workload, "spec", "updateStrategy" if stateful else "strategy", "type") or "RollingUpdate"
    partition = reading.number(workload, "spec", "updateStrategy", "rollingUpdate", "partition")
    if stateful and (strategy != "RollingUpdate" or partition):
        raise DriverFailed(
            f"{named.kind}/{named.name} does not replace all its pods", why=f"{strategy}, partition {partition}",
            advice="set updateStrategy to RollingUpdate without a partition",
        )  # fmt: skip
    keeps = asked.count - 1 if stateful else 0 if strategy == "Recreate" else asked.count
    if (asked.healthy or asked.count) > keeps and not settings.gap:
        raise DriverFailed(
            f"{named.kind}/{named.name} cannot keep {asked.healthy or asked.count} of {asked.count} pods answering",
            why="it replaces each in its place" if stateful else "its strategy is Recreate",
            advice="lower min_healthy, or set the option gap",
        )  # fmt: skip


def _clean(there: Namespace, asked: Launch, workload: Mapping[str, Any]) -> None:
    """Secrets of generations that neither run nor may be gone back to."""
    spared = {asked.generation, reading.generation_of(workload)}
    old = [each for each in patching.kept_generations(workload) if each not in spared]
    running = {reading.generation_of(each) for each in there.pods(workload)} if old else set()
    for each in old:
        if each not in running:
            there.api.delete(there.secret_path(patching.secret_name(asked.pair, each)))


def _has_configuration(asked: Launch) -> bool:
    given = asked.configuration
    return bool(given.variables or given.secrets or given.files)


def _secret(there: Namespace, asked: Launch, workload: Mapping[str, Any]) -> patching.Held | None:
    """Of this generation; made when it is not there."""
    name = patching.secret_name(asked.pair, asked.generation)
    if asked.again:
        if asked.generation not in patching.kept_generations(workload):
            return None
        found = there.secret(name)
        if found is None:
            raise DriverFailed(f"generation {asked.generation} cannot run again", why=f"its Secret {name} is gone", advice="deploy anew")
        return patching.held(found, asked)
    if not _has_configuration(asked):
        return None
    made = patching.secret(asked)
    try:
        return patching.held(there.api.post(there.secret_path(), made), asked)
    except Refused as error:
        if error.status != 409:
            raise
    found = there.secret(name) or {}
    if not patching.same(found, made):
        raise DriverFailed(f"there is another Secret {name}", why="its values are not those of this generation", advice="delete it")
    return patching.held(found, asked)


def _told(there: Namespace, named: Named, asked: Launch, kept: patching.Held | None, settings: Settings) -> dict[str, Any]:
    for _ in range(_CONFLICTS):
        workload = _looked_at(there, named, asked, settings)
        container = reading.container_name(reading.at(workload, "spec", "template") or {}, settings.container)
        try:
            return there.api.patch(
                there.path_of(named), patching.launching(workload, asked, container, kept, rolls=not settings.turns)
            )  # fmt: skip
        except Refused as error:
            if error.status != 409:
                raise
    raise DriverFailed(f"{named.kind}/{named.name} is changed by somebody else all the time", advice="look at who else deploys it")


def _complaint(there: Namespace, named: Named, asked: Launch) -> str:
    workload = there.workload(named)
    if reading.generation_of(workload) != asked.generation:
        raise DriverFailed(f"somebody else told {named.kind}/{named.name} to run generation {reading.generation_of(workload)}")
    far = reading.rollout(named.kind, workload)
    if far.done:
        return ""
    new = [each for each in there.pods(workload) if reading.generation_of(each) == asked.generation and not reading.is_ready(each)]
    why = "; ".join(sorted({reading.waits_for(each) for each in new})[:3])
    said = f"{far.text} ({why})" if why else far.text
    if far.failed:
        raise DriverFailed(f"generation {asked.generation} of {asked.pair} did not rise", why=said)
    return said
