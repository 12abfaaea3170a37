"""Two Deployments behind one Service: whose pods its selector finds serve.

Guarantees: the selector is exchanged in one patch, which the API server does as one; before it every pod of the new one has to be ready,
and after it this waits until the EndpointSlices name its pods and no others. Nodes that are behind are not seen: who calls waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.drivers.kubernetes import reading
from assaymark.deployment.drivers.kubernetes.client import MERGE, Refused
from assaymark.deployment.drivers.kubernetes.cluster import Namespace
from assaymark.deployment.drivers.kubernetes.launching import Waiting
from assaymark.deployment.drivers.kubernetes.settings import Named, Settings

NOBODY = {f"{reading.PREFIX}nobody": "true"}
_CONFLICTS = 5


def serving(there: Namespace, settings: Settings) -> Named | None:
    """The Deployment whose pods the Service finds; nothing when it finds neither's.

    Raises:
        DriverFailed: when it finds both.
    """
    wanted = reading.labels(there.api.get(there.service_path(settings.service)), "spec", "selector")
    found = [each for each in settings.workloads if wanted and wanted.items() <= _labels(there.workload(each)).items()]
    if len(found) > 1:
        raise DriverFailed(
            f"the Service {settings.service} finds the pods of both Deployments",
            advice="give the pods of each a label of its own, and select one of them",
        )
    return found[0] if found else None


def turn(there: Namespace, settings: Settings, target: Named | None, waiting: Waiting) -> None:
    """The target serves, and nobody else; without one, nobody."""
    wanted: dict[str, str] = dict(NOBODY)
    ready: set[str] = set()
    if target is not None:
        workload = there.workload(target)
        far = reading.rollout(target.kind, workload)
        ready = {reading.text(each, "metadata", "uid") for each in there.pods(workload) if reading.is_ready(each)}
        if not far.done or not ready:
            raise DriverFailed(f"{target.name} does not get the traffic", why=far.text if ready else "none of its pods is ready")
        wanted = reading.labels(workload, "spec", "selector", "matchLabels")
    _select(there, settings.service, wanted)
    waiting(f"the Service {settings.service} was not turned", lambda: _behind(there, settings.service, ready))


def _select(there: Namespace, service: str, wanted: Mapping[str, str]) -> None:
    path = there.service_path(service)
    for _ in range(_CONFLICTS):
        found = there.api.get(path)
        now = reading.labels(found, "spec", "selector")
        if now == wanted:
            return
        gone: dict[str, Any] = dict.fromkeys(now.keys() - wanted.keys())
        version = reading.text(found, "metadata", "resourceVersion")
        body = {"metadata": {"resourceVersion": version}, "spec": {"selector": {**gone, **wanted}}}
        try:
            there.api.patch(path, body, MERGE)
        except Refused as error:
            if error.status != 409:
                raise
        else:
            return
    raise DriverFailed(f"the Service {service} is changed by somebody else all the time")


def _behind(there: Namespace, service: str, ready: set[str]) -> str:
    now = there.endpoints(service)
    if now - ready:
        return f"{len(now - ready)} others still get connections"
    return f"{len(ready - now)} pods get no connections yet" if ready - now else ""


def _labels(workload: Mapping[str, Any]) -> dict[str, str]:
    return reading.labels(workload, "spec", "template", "metadata", "labels")
