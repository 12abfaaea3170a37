"""Taking pods away for good, although their workload makes them anew.

Guarantees: a burnt pod of the generation that the workload is told to run is not replaced (one fewer is wanted from then on) and its number
is written down before it goes; a pod of an older generation, or of nobody, is only removed. Each can be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assaymark.deployment.drivers.driver import DriverFailed, Pair
from assaymark.deployment.drivers.kubernetes import patching, reading
from assaymark.deployment.drivers.kubernetes.client import MERGE, Refused
from assaymark.deployment.drivers.kubernetes.cluster import Namespace
from assaymark.deployment.drivers.kubernetes.settings import Kind, Named

_CONFLICTS = 5
_COST = "controller.kubernetes.io/pod-deletion-cost"
_FIRST = "-2147483647"


def burn(
    there: Namespace, named: Named, pod: Mapping[str, Any], which: tuple[int, int], pods: Sequence[tuple[Mapping[str, Any], int]]
) -> None:
    """`which` is generation and number; `pods` are all of its generation with theirs, which are written on them first."""
    generation, number = which
    for _ in range(_CONFLICTS):
        workload = there.workload(named)
        if not generation or reading.generation_of(workload) != generation:
            break
        for each, its in pods:
            if not reading.annotation(each, reading.NUMBER):
                there.note(each, its)
        burnt = patching.burnt_numbers(workload, generation)
        if number in burnt:
            break
        if named.kind is Kind.DEPLOYMENT:
            _first_to_go(there, pod)
        left = max(reading.number(workload, "spec", "replicas") - 1, 0)
        try:
            there.api.patch(there.path_of(named), patching.without(workload, burnt | {number}, left), MERGE)
            break
        except Refused as error:
            if error.status != 409:
                raise
    else:
        raise DriverFailed(f"{named.kind}/{named.name} is changed by somebody else all the time", advice="look at who else deploys it")
    there.remove_pod(pod)


def gone(there: Namespace, pod: Mapping[str, Any]) -> str:
    """Empty when it is; otherwise what it still does."""
    found = there.pod(reading.text(pod, "metadata", "name"))
    if found is None or reading.text(found, "metadata", "uid") != reading.text(pod, "metadata", "uid"):
        return ""
    return f"it is {reading.text(found, 'status', 'phase') or 'there'}"


def stop(there: Namespace, named: Named) -> None:
    """Nobody serves."""
    there.api.patch(there.path_of(named), {"spec": {"replicas": 0}}, MERGE)


def forget(there: Namespace, pair: Pair, generation: int, workloads: Sequence[Named], running: Callable[[], Sequence[int]]) -> None:
    """The Secret of a generation goes with its last pod, when no workload is told to run it any more."""
    told = [there.workload(each) for each in workloads]
    if not any(generation in patching.kept_generations(each) for each in told):
        return
    if any(reading.generation_of(each) == generation and reading.number(each, "spec", "replicas") for each in told):
        return
    if generation not in running():
        there.api.delete(there.secret_path(patching.secret_name(pair, generation)))


def _first_to_go(there: Namespace, pod: Mapping[str, Any]) -> None:
    body = {"metadata": {"uid": reading.text(pod, "metadata", "uid"), "annotations": {_COST: _FIRST}}}
    try:
        there.api.patch(there.pod_path(reading.text(pod, "metadata", "name")), body, MERGE)
    except Refused as error:
        if error.status not in (404, 409):
            raise
