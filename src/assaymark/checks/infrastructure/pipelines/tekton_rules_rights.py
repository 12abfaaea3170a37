"""Rules of Tekton: rights of steps on the node and in the cluster, and who may start a run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.tekton_document import Resource, Tekton
from assaymark.checks.infrastructure.pipelines.vocabulary import is_true
from assaymark.checks.infrastructure.pipelines.walking import at, entries, key_span, pairs, text_at
from assaymark.checks.reading.yaml_tree import Keyed, Node, Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span

_ADMINISTRATOR = re.compile(r"(?:^|[-_.])(?:cluster-?)?admin(?:istrator)?(?:$|[-_.])|(?:^|[-_])root(?:$|[-_])", re.IGNORECASE)
_AUTHENTICATES = frozenset({"github", "gitlab", "bitbucket", "slack"})


def privileged_step(file: Tekton) -> Iterator[Flaw]:
    """A step or sidecar with all rights of the node."""
    for step in file.steps:
        node = at(step.node, "securityContext", "privileged")
        if isinstance(node, Scalar) and is_true(node):
            message = "The step has all rights of the node, with every pod on it"
            yield Flaw("host-rights", step.owner, f"{step.name}.securityContext.privileged", message, node.span)


def root_step(file: Tekton) -> Iterator[Flaw]:
    """A step that asks to run as root."""
    for step in file.steps:
        node = at(step.node, "securityContext", "runAsUser")
        if isinstance(node, Scalar) and node.text == "0" and not is_true(at(step.node, "securityContext", "privileged")):
            message = "The step runs as root, one kernel flaw away from the node"
            yield Flaw("root-step", step.owner, f"{step.name}.securityContext.runAsUser", message, node.span)


def _pod_parts(resource: Resource) -> Iterator[tuple[str, Node | None]]:
    yield from resource.specs
    spec = resource.node.get("spec")
    for template in (at(spec, "podTemplate"), at(spec, "taskRunTemplate", "podTemplate"), at(spec, "taskPodTemplate")):
        yield resource.owner, template


def host_access(file: Tekton) -> Iterator[Flaw]:
    """Folders, network or processes of the node."""
    for resource in file.resources:
        seen: set[int] = set()
        for owner, part in _pod_parts(resource):
            if part is None or id(part) in seen:
                continue
            seen.add(id(part))
            for volume in entries(at(part, "volumes")):
                path = at(volume, "hostPath", "path")
                if isinstance(path, Scalar):
                    message = f"The steps can change {path.text} of the node, and with it what else runs there"
                    yield Flaw("host-access", owner, f"volumes.hostPath: {path.text}", message, path.span)
            for key in ("hostNetwork", "hostPID", "hostIPC"):
                node = at(part, key)
                if isinstance(node, Scalar) and is_true(node):
                    yield Flaw("host-access", owner, key, f"{key} puts the steps beside the node's own processes", node.span)


def administrator_account(file: Tekton) -> Iterator[Flaw]:
    """A run with a service account that is named like an administrator's."""
    for resource in file.resources:
        spec = resource.node.get("spec")
        for place in (spec, at(spec, "taskRunTemplate")):
            node = at(place, "serviceAccountName")
            if isinstance(node, Scalar) and _ADMINISTRATOR.search(node.text):
                message = f"Every step can do in the cluster what {node.text} can"
                yield Flaw("administrator-account", resource.owner, f"serviceAccountName: {node.text}", message, node.span)


def whole_secret(file: Tekton) -> Iterator[Flaw]:
    """All keys of a secret in the environment, or a secret for every step."""
    for step in file.steps:
        for each in entries(step.node.get("envFrom")):
            name = at(each, "secretRef", "name")
            if isinstance(name, Scalar):
                message = f"All keys of the secret {name.text} are in the environment of whatever the step starts"
                yield Flaw("whole-secret", step.owner, f"{step.name}.envFrom: {name.text}", message, name.span)
        for each in entries(step.node.get("env")) if step.name == "stepTemplate" else ():
            name = at(each, "name")
            if at(each, "valueFrom", "secretKeyRef") is not None and isinstance(name, Scalar):
                message = f"Every step of the task can read {name.text}, also those that do not need it"
                yield Flaw("whole-secret", step.owner, f"stepTemplate.env: {name.text}", message, name.span)


def listener_unauthenticated(file: Tekton) -> Iterator[Flaw]:
    """A listener that starts runs for events that nobody signed."""
    for resource in file.resources:
        if resource.kind != "EventListener":
            continue
        groups = [at(group, "interceptors") for group in entries(at(resource.node, "spec", "triggerGroups"))]
        triggers = [] if any(_proves(group) for group in groups) else entries(at(resource.node, "spec", "triggers"))
        for trigger in triggers:
            if isinstance(trigger, Keyed) and trigger.get("triggerRef") is None and not _proves(trigger.get("interceptors")):
                name = text_at(trigger, "name") or "trigger"
                message = "Whoever reaches the listener's address starts a run with text of their own"
                yield Flaw("listener-unauthenticated", resource.owner, f"triggers: {name}", message, _span(trigger, resource))


def _span(trigger: Keyed, resource: Resource) -> Span:
    return key_span(trigger, "name") if trigger.get("name") is not None else resource.node.span


def _proves(interceptors: Node | None) -> bool:
    """True when one of them compares a signature or a token, or is a service of one's own that may."""
    for each in entries(interceptors):
        reference = scalar_text(at(each, "ref", "name"))
        kinds = {key.text for key, _ in pairs(each)}
        if any("compareSecret" in node.text for node in scalars_below(each, set())):
            return True
        given = {text_at(one, "name") for one in entries(at(each, "params"))}
        if "webhook" in kinds or (reference and reference not in _AUTHENTICATES | {"cel"}):
            return True
        if reference in _AUTHENTICATES and "secretRef" in given:
            return True
        if any(at(each, kind, "secretRef") is not None for kind in _AUTHENTICATES):
            return True
    return False
