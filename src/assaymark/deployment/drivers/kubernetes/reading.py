"""What a cluster's objects say, read out of their JSON. Pure; nothing here asks anybody.

Guarantees: an object that is not of its kind's shape is an error and never "nothing runs".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.drivers.kubernetes.settings import Kind
from assaymark.endorsement import approval
from assaymark.model.assessment import Instant

PREFIX = "assaymark.dev/"
GENERATION = f"{PREFIX}generation"
CONFIGURATION = f"{PREFIX}configuration"
DIGEST = f"{PREFIX}digest"
PAIR = f"{PREFIX}pair"
NUMBER = f"{PREFIX}number"
BURNT = f"{PREFIX}burnt"
VARIABLES = f"{PREFIX}variables"
KEPT = f"{PREFIX}kept"
TEMPLATE = f"{PREFIX}template"
FILES = f"{PREFIX}files"

_DIGEST = re.compile(r"(?:\A|@|//)(sha256:[0-9a-f]{64})\Z")
_GENERATION = re.compile(r"[1-9][0-9]{0,8}\Z")


class Rollout(Struct, frozen=True):
    """How far a workload is with what it was told."""

    done: bool
    text: str
    failed: bool = False
    """The cluster itself gave up."""


def at(document: Mapping[str, Any], *way: str) -> Any:
    """What stands there, or nothing."""
    found: Any = document
    for name in way:
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise DriverFailed(f"the cluster's answer has another shape than its kind: {'.'.join(way)}")
        found = found.get(name)
    return found


def text(document: Mapping[str, Any], *way: str) -> str:
    found = at(document, *way)
    if found is not None and not isinstance(found, str):
        raise DriverFailed(f"the cluster's answer has another shape than its kind: {'.'.join(way)} is no text")
    return found or ""


def number(document: Mapping[str, Any], *way: str) -> int:
    found = at(document, *way)
    if found is not None and type(found) is not int:
        raise DriverFailed(f"the cluster's answer has another shape than its kind: {'.'.join(way)} is no number")
    return found or 0


def entries(document: Mapping[str, Any], *way: str) -> Iterator[Mapping[str, Any]]:
    found = at(document, *way)
    if found is not None and not isinstance(found, list):
        raise DriverFailed(f"the cluster's answer has another shape than its kind: {'.'.join(way)} is no list")
    for each in found or ():
        if not isinstance(each, Mapping):
            raise DriverFailed(f"the cluster's answer has another shape than its kind: {'.'.join(way)} holds something else")
        yield each


def annotation(document: Mapping[str, Any], name: str) -> str:
    return text(document, "metadata", "annotations", name)


def generation_of(document: Mapping[str, Any]) -> int:
    """0 where none is written."""
    found = annotation(document, GENERATION)
    return int(found) if _GENERATION.match(found) else 0


def labels(document: Mapping[str, Any], *way: str) -> dict[str, str]:
    found = at(document, *way)
    if not isinstance(found, Mapping):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def selector(workload: Mapping[str, Any]) -> str:
    """As a query writes it.

    Raises:
        DriverFailed: when it is none that a query can say exactly; one that is said half would find strangers' pods.
    """
    if at(workload, "spec", "selector", "matchExpressions"):
        raise DriverFailed("the workload selects by expressions", advice="select its pods by labels (matchLabels) alone")
    found = labels(workload, "spec", "selector", "matchLabels")
    if not found:
        raise DriverFailed("the workload does not say which pods are its own")
    return ",".join(f"{key}={value}" for key, value in sorted(found.items()))


def owner(document: Mapping[str, Any]) -> str:
    """The uid of what made it."""
    return next((text(each, "uid") for each in entries(document, "metadata", "ownerReferences") if each.get("controller") is True), "")


def born(document: Mapping[str, Any]) -> Instant:
    try:
        return approval.instant(text(document, "metadata", "creationTimestamp"))
    except ValueError:
        return Instant(0)


def digest_in(image: str) -> str:
    """The digest in ``name@sha256:…``, ``docker-pullable://name@sha256:…`` or ``docker://sha256:…``; empty where there is none."""
    found = _DIGEST.search(image)
    return found[1] if found else ""


def container_name(template: Mapping[str, Any], wanted: str) -> str:
    """The container that gets the image; `template` holds a pod's ``spec``.

    Raises:
        DriverFailed: when it is not there, or there are several and it is not said which.
    """
    names = [text(each, "name") for each in entries(template, "spec", "containers")]
    if wanted and wanted not in names:
        raise DriverFailed(
            f"there is no container {wanted}", why=f"there are {', '.join(names)}", advice="name another as the option container"
        )
    if not wanted and len(names) != 1:
        raise DriverFailed("there are several containers", why=", ".join(names), advice="say which one gets the image: option container")
    return wanted or names[0]


def status_of(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    return next((each for each in entries(pod, "status", "containerStatuses") if each.get("name") == container), {})


def is_ready(pod: Mapping[str, Any]) -> bool:
    if at(pod, "metadata", "deletionTimestamp"):
        return False
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in entries(pod, "status", "conditions"))


def waits_for(pod: Mapping[str, Any]) -> str:
    """Why it is not ready, in the kubelet's words."""
    for each in (*entries(pod, "status", "initContainerStatuses"), *entries(pod, "status", "containerStatuses")):
        for state in ("waiting", "terminated"):
            reason = text(each, "state", state, "reason")
            if reason and reason != "Completed":
                return f"{text(each, 'name')}: {reason} {text(each, 'state', state, 'message')}".strip()
    for each in entries(pod, "status", "conditions"):
        if each.get("status") == "False" and each.get("message"):
            return text(each, "message")
    return text(pod, "status", "phase") or "it has no status yet"


def rollout(kind: Kind, workload: Mapping[str, Any]) -> Rollout:
    """As `kubectl rollout status` judges it."""
    if number(workload, "status", "observedGeneration") < number(workload, "metadata", "generation"):
        return Rollout(done=False, text="the cluster has not seen it yet")
    wanted = at(workload, "spec", "replicas")
    count = 1 if wanted is None else number(workload, "spec", "replicas")
    updated = number(workload, "status", "updatedReplicas")
    if kind is Kind.STATEFUL_SET:
        return _of_stateful_set(workload, count, updated)
    for each in entries(workload, "status", "conditions"):
        if each.get("type") == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded":
            return Rollout(done=False, text=text(each, "message") or "it made no progress in its time", failed=True)
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            return Rollout(done=False, text=text(each, "message"))
    return _of_deployment(workload, count, updated)


def _of_deployment(workload: Mapping[str, Any], count: int, updated: int) -> Rollout:
    there, available = number(workload, "status", "replicas"), number(workload, "status", "availableReplicas")
    if updated < count:
        return Rollout(done=False, text=f"{updated} of {count} pods are made anew")
    if there > updated:
        return Rollout(done=False, text=f"{there - updated} old pods are still there")
    return Rollout(done=available >= updated, text=f"{available} of {updated} pods are available")


def _of_stateful_set(workload: Mapping[str, Any], count: int, updated: int) -> Rollout:
    ready = number(workload, "status", "readyReplicas")
    same = text(workload, "status", "updateRevision") == text(workload, "status", "currentRevision")
    if ready < count:
        return Rollout(done=False, text=f"{ready} of {count} pods are ready")
    if not same:
        return Rollout(done=False, text=f"{updated} of {count} pods are made anew")
    return Rollout(done=number(workload, "status", "replicas") == count, text=f"{ready} of {count} pods are ready")
