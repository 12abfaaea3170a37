"""Rules of Kubernetes: what a container may do inside, and what nobody took from it.

Settings that weaken a container are findings of their own. Settings that are merely missing make one finding per container together: they
share one address and one family, so the finding has as many witnesses as settings are missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.host_facts import capability_name
from assaymark.checks.infrastructure.workloads.lookups import at, mapping, pairs, says_no, says_yes, texts
from assaymark.checks.infrastructure.workloads.pods import Container, Pod
from assaymark.checks.infrastructure.workloads.templates import unknown
from assaymark.checks.reading.yaml_tree import Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw

_MISSING = "securityContext"


def root_user(container: Container) -> Iterator[Flaw]:
    """The container is told to run as root."""
    user = container.own("runAsUser")
    if isinstance(user, Scalar) and user.text == "0":
        place = "securityContext.runAsUser"
        yield Flaw("root-user", container.address, place, f"The {container.role} {container.name} is told to run as root", user.span)
        return
    allowed = container.own("runAsNonRoot")
    if isinstance(allowed, Scalar) and says_no(allowed) and not _other_user(container.context("runAsUser")):
        message = f"The {container.role} {container.name} is allowed to run as root, against the pod's own setting or the default"
        yield Flaw("root-user", container.address, "securityContext.runAsNonRoot", message, allowed.span, replacement="true")


def pod_root_user(pod: Pod) -> Iterator[Flaw]:
    """The pod's own user is root, and a container follows it."""
    user = at(pod.spec, "securityContext", "runAsUser")
    follows = any(not isinstance(container.own("runAsUser"), Scalar) for container in pod.containers())
    if isinstance(user, Scalar) and user.text == "0" and follows:
        yield Flaw("root-user", pod.address, "securityContext.runAsUser", "The pod is told to run as root", user.span)


def _other_user(user: Node | None) -> bool:
    return isinstance(user, Scalar) and user.text not in {"", "0"}


def root_not_forbidden(container: Container) -> Iterator[Flaw]:
    """Nothing keeps the image's root user out."""
    user = container.context("runAsUser")
    strict = says_yes(container.context("runAsNonRoot"))
    if not strict and user is None and not isinstance(container.own("runAsNonRoot"), Scalar):
        yield _missing("root-not-forbidden", container, "is root whenever its image says so: runAsNonRoot is not set")


def escalation(container: Container) -> Iterator[Flaw]:
    """Programs may get more rights than they were started with."""
    node = container.own("allowPrivilegeEscalation")
    if isinstance(node, Scalar) and says_yes(node):
        message = f"Programs of the {container.role} {container.name} may gain rights that it was not started with"
        place = "securityContext.allowPrivilegeEscalation"
        yield Flaw("escalation-allowed", container.address, place, message, node.span, replacement="false")
    elif node is None and container.whole and not container.pod.windows:
        yield _missing("escalation-not-forbidden", container, "may gain rights: allowPrivilegeEscalation is not false")


def not_confined(container: Container) -> Iterator[Flaw]:
    """What the restricted Pod Security Standard asks for and nobody wrote.

    Asked of privileged containers too, where it changes nothing yet: otherwise taking the privilege away would bring new findings.
    """
    if not container.whole or container.pod.windows:
        return
    yield from root_not_forbidden(container)
    dropped = {capability_name(node.text) for node in texts(container.own("capabilities", "drop"))}
    if "ALL" not in dropped:
        yield _missing("capabilities-kept", container, "keeps the engine's default capabilities: ALL is not dropped")
    profile = container.context("seccompProfile")
    if profile is None and not _annotated(container.pod, "seccomp.security.alpha.kubernetes.io/"):
        yield _missing("seccomp-not-set", container, "may make every call to the kernel: seccompProfile is not set")
    root = container.own("readOnlyRootFilesystem")
    if root is None:
        yield _missing("root-filesystem-writable", container, "can change its own programs: readOnlyRootFilesystem is not true")


def _missing(rule: str, container: Container, what: str) -> Flaw:
    return Flaw(rule, container.address, _MISSING, f"The {container.role} {container.name} {what}", container.span)


def root_filesystem(container: Container) -> Iterator[Flaw]:
    """Somebody decided for a root file system that can be written."""
    root = container.own("readOnlyRootFilesystem")
    if isinstance(root, Scalar) and says_no(root):
        message = f"Programs of the {container.role} {container.name} can be exchanged while it runs"
        yield Flaw(
            "root-filesystem-writable", container.address, "securityContext.readOnlyRootFilesystem", message, root.span, replacement="true"
        )


def _annotated(pod: Pod, prefix: str) -> bool:
    return any(key.text.startswith(prefix) for key, _ in pairs(mapping(pod.meta, "annotations")))


def profiles_off(pod: Pod) -> Iterator[Flaw]:
    """A kernel guard is switched off for the whole pod."""
    yield from _unconfined(pod.address, at(pod.spec, "securityContext"))
    for key, value in pairs(mapping(pod.meta, "annotations")):
        guard = next((name for prefix, name in _GUARDS if key.text.startswith(prefix)), "")
        if guard and isinstance(value, Scalar) and value.text.lower() == "unconfined":
            yield Flaw(guard, pod.address, f"annotations: {key.text}", _OFF[guard], value.span, replacement="runtime/default")


_GUARDS = (("seccomp.security.alpha.kubernetes.io/", "seccomp-off"), ("container.apparmor.security.beta.kubernetes.io/", "apparmor-off"))
_OFF = {
    "seccomp-off": "The filter of calls to the kernel is switched off",
    "apparmor-off": "AppArmor is switched off",
}


def container_profiles_off(container: Container) -> Iterator[Flaw]:
    """A kernel guard is switched off for one container."""
    yield from _unconfined(container.address, at(container.node, "securityContext"))


def _unconfined(address: str, context: Node | None) -> Iterator[Flaw]:
    for key, rule in (("seccompProfile", "seccomp-off"), ("appArmorProfile", "apparmor-off")):
        node = at(context, key, "type")
        if isinstance(node, Scalar) and node.text == "Unconfined":
            yield Flaw(rule, address, f"securityContext.{key}", _OFF[rule], node.span, replacement="RuntimeDefault")
    for key in ("user", "role", "type"):
        node = at(context, "seLinuxOptions", key)
        harmless = key == "type" and scalar_text(node) in {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
        if isinstance(node, Scalar) and node.text and not harmless and not unknown(node.text):
            message = f"SELinux is told to treat the processes as {node.text}"
            yield Flaw("selinux-changed", address, f"securityContext.seLinuxOptions.{key}", message, node.span)


def limits(container: Container) -> Iterator[Flaw]:
    """Nothing bounds the memory that a container may take from its neighbours."""
    if not container.whole or container.role != "container":
        return
    resources = mapping(container.node, "resources")
    if at(resources, "limits", "memory") is None and at(container.pod.spec, "resources", "limits", "memory") is None:
        message = f"The container {container.name} may take all memory of its node"
        yield Flaw("no-memory-limit", container.address, "resources", message, container.span)
    if at(resources, "limits", "cpu") is None and at(resources, "requests", "cpu") is None:
        message = f"The container {container.name} neither asks for processor time nor has a bound"
        yield Flaw("no-cpu-bounds", container.address, "resources", message, container.span)
