"""Rules of Kubernetes: what a pod takes of its node."""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.host_facts import (
    capability_name,
    capability_risk,
    is_socket,
    path_risk,
    strength,
)
from assaymark.checks.infrastructure.workloads.lookups import at, entries, says_yes, scalar, texts
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import Container, Pod
from assaymark.checks.infrastructure.workloads.templates import shown, unknown
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw

_NAMESPACES = (
    ("host-pid", "hostPID", "sees and can end every process of the node, and reads what is in their memory"),
    ("host-ipc", "hostIPC", "shares memory with every process of the node"),
    ("host-network", "hostNetwork", "listens on the node's own addresses and reaches what only the node may reach"),
)


def host_namespaces(pod: Pod) -> Iterator[Flaw]:
    """The pod lives in a name space of the node."""
    for rule, key, what in _NAMESPACES:
        node = at(pod.spec, key)
        if isinstance(node, Scalar) and says_yes(node):
            yield Flaw(rule, pod.address, key, f"The pod {what}", node.span, replacement="false")


def privileged(container: Container) -> Iterator[Flaw]:
    """The container has every right of the node."""
    node = container.own("privileged")
    if isinstance(node, Scalar) and says_yes(node):
        message = f"The {container.role} {container.name} has every right of the node: leaving it takes one command"
        yield Flaw("privileged", container.address, "securityContext.privileged", message, node.span, replacement="false")
    process = container.own("windowsOptions", "hostProcess") or at(container.pod.spec, "securityContext", "windowsOptions", "hostProcess")
    if isinstance(process, Scalar) and says_yes(process):
        message = f"The {container.role} {container.name} runs as a process of the Windows node"
        yield Flaw(
            "privileged", container.address, "securityContext.windowsOptions.hostProcess", message, process.span, replacement="false"
        )


def capability_added(container: Container) -> Iterator[Flaw]:
    """A capability beyond the default ones."""
    for node in texts(container.own("capabilities", "add")):
        name = capability_name(node.text)
        if not name or unknown(node.text):
            continue
        severity = capability_risk(name)
        message = f"The {container.role} {container.name} gets {name}, which {strength(severity)}"
        yield Flaw("capability-added", container.address, f"securityContext.capabilities.add: {name}", message, node.span, severity)


def host_paths(pod: Pod) -> Iterator[Flaw]:
    """A folder or socket of the node as a volume."""
    for volume in entries(pod.spec, "volumes"):
        node = scalar(volume, "hostPath", "path")
        if node is None or unknown(node.text):
            continue
        if is_socket(node.text):
            message = f"The pod holds {node.text}: whoever writes to it starts containers with every right of the node"
            yield Flaw("container-socket", pod.address, f"volumes: {node.text}", message, node.span)
            continue
        severity = path_risk(node.text, read_only=_read_only(pod, scalar_text(scalar(volume, "name"))))
        if severity is not None:
            message = f"The pod sees {node.text} of its node"
            yield Flaw("host-path", pod.address, f"volumes: {node.text}", message, node.span, severity)


def _read_only(pod: Pod, volume: str) -> bool:
    """True when no container can write to the volume."""
    mounts = [
        mount
        for container in pod.containers()
        for mount in entries(container.node, "volumeMounts")
        if scalar_text(scalar(mount, "name")) == volume
    ]
    return bool(mounts) and all(says_yes(at(mount, "readOnly")) for mount in mounts)


def host_ports(container: Container) -> Iterator[Flaw]:
    """A port of the node itself."""
    for port in entries(container.node, "ports"):
        node = scalar(port, "hostPort")
        if node is not None and node.text != "0" and not unknown(node.text):
            message = f"Port {node.text} is opened on the node's own address, past services and network policies"
            yield Flaw("host-port", container.address, f"ports.hostPort: {node.text}", message, node.span)


def host_volume(manifest: Manifest) -> Iterator[Flaw]:
    """A persistent volume that is a folder of one node."""
    node = scalar(manifest.root, "spec", "hostPath", "path") if manifest.kind == "PersistentVolume" else None
    if node is not None and not unknown(node.text):
        severity = path_risk(node.text, read_only=False)
        if severity is not None:
            message = f"Whoever claims the volume writes to {node.text} of a node"
            yield Flaw("host-path", manifest.address, f"hostPath: {node.text}", message, node.span, severity)


_SAFE_SYSCTLS = frozenset(
    {
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range"),
        *("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time"),
        *("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem"),
        "net.ipv4.tcp_wmem",
    }
)


def unsafe_sysctl(pod: Pod) -> Iterator[Flaw]:
    """A kernel setting that is not the pod's own."""
    for entry in entries(pod.spec, "securityContext", "sysctls"):
        node = scalar(entry, "name")
        if node is not None and node.text not in _SAFE_SYSCTLS and not unknown(node.text):
            message = f"The kernel setting {node.text} is not confined to the pod, or can disturb its neighbours"
            yield Flaw("unsafe-sysctl", pod.address, f"sysctls: {shown(node.text)}", message, node.span)


def proc_mount(container: Container) -> Iterator[Flaw]:
    """The kernel's files are not masked."""
    node = container.own("procMount")
    if isinstance(node, Scalar) and node.text == "Unmasked":
        message = f"The {container.role} {container.name} sees the parts of /proc that are hidden for good reason"
        yield Flaw("proc-mount", container.address, "securityContext.procMount", message, node.span, replacement="Default")


def mount_propagation(container: Container) -> Iterator[Flaw]:
    """What the container mounts appears on the node."""
    for mount in entries(container.node, "volumeMounts"):
        node = scalar(mount, "mountPropagation")
        if node is not None and node.text == "Bidirectional" and isinstance(mount, Keyed):
            where = scalar_text(scalar(mount, "mountPath"))
            message = f"What is mounted below {where} in the container appears on the node"
            yield Flaw("mount-propagation", container.address, f"volumeMounts: {where}", message, node.span, replacement="None")
