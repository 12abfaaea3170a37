"""What one pod is now, beside what it was to be. Pure.

Guarantees: what the API shows is compared: the digest that the node runs, the pod with its workload's template, the template with what it
was at the launch, containers that were put in, restarts, mounts. A root file system that can be written is told as unseen.

Not here, and never in a cluster's API: what was started by `kubectl exec`. It is said once, in the how-to, and not with each look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assaymark.deployment.drivers.driver import Change, Observation
from assaymark.deployment.drivers.kubernetes import patching, reading
from assaymark.deployment.drivers.kubernetes.client import plain
from assaymark.deployment.drivers.kubernetes.settings import Settings

_OWN_VOLUME = "kube-api-access-"
_POD_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "serviceAccountName", "securityContext", "shareProcessNamespace")
_CONTAINER_FIELDS = ("image", "command", "args", "env", "envFrom", "securityContext")
_LISTS = ("initContainers", "containers")


def observed(instance: str, pod: Mapping[str, Any], workload: Mapping[str, Any], settings: Settings, digest: str) -> Observation:
    """`digest` is that of the container which is endorsed."""
    template = reading.at(workload, "spec", "template") or {}
    changes = [*_workload_changes(workload, pod), *_pod_changes(pod, template, settings), *_tags(pod, settings), *_restarts(pod, settings)]
    ours = reading.generation_of(pod) and reading.annotation(pod, reading.CONFIGURATION)
    return Observation(
        instance,
        digest,
        ours or "",
        reading.born(pod),
        tuple(sorted(changes)),
        tuple(_processes(pod)),
        tuple(_mounts(pod, workload, settings)),
        tuple(_unseen(pod, settings, digest)),
    )


def _workload_changes(workload: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Change]:
    """Of the template since it was launched; pods of an older one say so by their generation."""
    written = reading.annotation(workload, reading.TEMPLATE)
    if written and written != patching.template_digest(workload):
        yield Change("workload/template", "changed", f"after the launch, {_who(workload)}")
    if reading.generation_of(pod) and not reading.owner(pod):
        yield Change("pod/owner", "removed", "it is not made anew by its workload")
    if not reading.generation_of(pod):
        yield Change("pod", "added", "it bears the workload's labels and was not launched")


def _who(document: Mapping[str, Any]) -> str:
    """The last of those who changed it, beside us, as the API server wrote them down."""
    found = [
        (reading.text(each, "time"), reading.text(each, "manager"))
        for each in reading.entries(document, "metadata", "managedFields")
        if each.get("manager") not in ("assaymark", "kube-controller-manager") and not each.get("subresource")
    ]
    if not found:
        return "by whom the cluster does not tell"
    when, who = max(found)
    return plain(f"last by {who} at {when}", 200)


def _pod_changes(pod: Mapping[str, Any], template: Mapping[str, Any], settings: Settings) -> Iterator[Change]:
    if reading.annotation(pod, reading.GENERATION) != reading.annotation(template, reading.GENERATION):
        return  # of an older generation, whose template is gone
    for name in _POD_FIELDS:
        if (reading.at(pod, "spec", name) or None) != _expected(template, name):
            yield Change(f"pod/{name}", "changed", "it is not as in the template")
    for kind in _LISTS:
        wanted = {reading.text(each, "name"): each for each in reading.entries(template, "spec", kind)}
        found = {reading.text(each, "name"): each for each in reading.entries(pod, "spec", kind)}
        for name in sorted(found.keys() - wanted.keys() - set(settings.sidecars)):
            yield Change(f"pod/{kind}/{name}", "added", f"runs {plain(reading.text(found[name], 'image'), 200)}")
        for name in sorted(wanted.keys() & found.keys()):
            for field in _CONTAINER_FIELDS:
                if (reading.at(found[name], field) or None) != (reading.at(wanted[name], field) or None):
                    yield Change(f"pod/{kind}/{name}/{field}", "changed", "it is not as in the template")


def _expected(template: Mapping[str, Any], name: str) -> Any:
    found = reading.at(template, "spec", name) or None
    return found if found is not None or name != "serviceAccountName" else "default"


def _tags(pod: Mapping[str, Any], settings: Settings) -> Iterator[Change]:
    statuses = {
        reading.text(each, "name"): reading.text(each, "imageID")
        for kind in ("initContainerStatuses", "containerStatuses")
        for each in reading.entries(pod, "status", kind)
    }
    for kind in _LISTS:
        for each in reading.entries(pod, "spec", kind):
            name, image = reading.text(each, "name"), reading.text(each, "image")
            if name not in settings.sidecars and not reading.digest_in(image):
                runs = reading.digest_in(statuses.get(name, "")) or "what its node does not name"
                yield Change(f"pod/{kind}/{name}/tag", "changed", f"{plain(image, 200)} names no digest; {runs} runs")


def _restarts(pod: Mapping[str, Any], settings: Settings) -> Iterator[Change]:
    for each in reading.entries(pod, "status", "containerStatuses"):
        count = reading.number(each, "restartCount")
        if count > settings.restarts:
            last = reading.text(each, "lastState", "terminated", "reason") or "unknown"
            yield Change(
                f"pod/containers/{reading.text(each, 'name')}/restarts", "changed", f"{count} times, last ended by {plain(last, 100)}"
            )


def _processes(pod: Mapping[str, Any]) -> Iterator[str]:
    """Ephemeral containers are how somebody gets into a pod that has no shell (`kubectl debug`)."""
    for each in reading.entries(pod, "spec", "ephemeralContainers"):
        command = " ".join(map(str, [*(reading.at(each, "command") or ()), *(reading.at(each, "args") or ())]))
        yield plain(f"ephemeral container {reading.text(each, 'name')}: {reading.text(each, 'image')} {command}", 300)


def _mounts(pod: Mapping[str, Any], workload: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    template = reading.at(workload, "spec", "template") or {}
    if reading.annotation(pod, reading.GENERATION) != reading.annotation(template, reading.GENERATION):
        return
    claims = {reading.text(each, "metadata", "name") for each in reading.entries(workload, "spec", "volumeClaimTemplates")}
    wanted = {reading.text(each, "name") for each in reading.entries(template, "spec", "volumes")} | claims
    sidecars = [each for each in reading.entries(pod, "spec", "containers") if reading.text(each, "name") in settings.sidecars]
    theirs = {reading.text(mount, "name") for each in sidecars for mount in reading.entries(each, "volumeMounts")}
    for each in reading.entries(pod, "spec", "volumes"):
        name = reading.text(each, "name")
        if name not in wanted | theirs and not name.startswith(_OWN_VOLUME):
            kind = next((key for key in each if key != "name"), "?")
            yield plain(f"volume {name} ({kind})", 200)


def _unseen(pod: Mapping[str, Any], settings: Settings, digest: str) -> Iterator[str]:
    if not digest:
        yield "digest: the node does not name one"
    for each in reading.entries(pod, "spec", "containers"):
        name = reading.text(each, "name")
        if name not in settings.sidecars and reading.at(each, "securityContext", "readOnlyRootFilesystem") is not True:
            yield f"changes: {plain(name, 100)} can write its root file system, and the API does not tell what it did"
