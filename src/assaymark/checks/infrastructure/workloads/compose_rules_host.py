"""Rules of compose files: what a container takes of its machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.compose_document import Compose, Service, volumes
from assaymark.checks.infrastructure.workloads.compose_places import flaw
from assaymark.checks.infrastructure.workloads.host_facts import capability_name, capability_risk, is_socket, path_risk, strength
from assaymark.checks.infrastructure.workloads.lookups import mapping, pairs, says_yes, scalar, texts
from assaymark.checks.reading.yaml_tree import Scalar
from assaymark.checks.rulebook import Flaw
from assaymark.model.severity import Severity


def privileged(service: Service) -> Iterator[Flaw]:
    """The container has every right of the machine."""
    node = service.get("privileged")
    if isinstance(node, Scalar) and says_yes(node):
        message = f"{service.name} has every right of the machine: leaving the container takes one command"
        yield flaw("privileged", service, node, "privileged", message, replacement="false")


_NAMESPACES = (
    ("host-pid", "pid", "host", "sees and can end every process of the machine"),
    ("host-ipc", "ipc", "host", "shares memory with every process of the machine"),
    ("host-network", "network_mode", "host", "listens on the machine's own addresses and reaches its local services"),
    ("host-users", "userns_mode", "host", "is root on the machine where it is root inside, although the engine would keep them apart"),
    ("host-cgroup", "cgroup", "host", "sees the control groups of the whole machine"),
    ("host-uts", "uts", "host", "can change the machine's name"),
)


def host_namespaces(service: Service) -> Iterator[Flaw]:
    """The container lives in a name space of the machine."""
    for rule, key, bad, what in _NAMESPACES:
        node = service.get(key)
        if isinstance(node, Scalar) and node.text == bad:
            yield flaw(rule, service, node, key, f"{service.name} {what}")


def capability_added(service: Service) -> Iterator[Flaw]:
    """A capability beyond the default ones."""
    for node in texts(service.get("cap_add")):
        name = capability_name(node.text)
        severity = capability_risk(name)
        if name and "$" not in name:
            message = f"{service.name} gets {name}, which {strength(severity)}"
            yield flaw("capability-added", service, node, f"cap_add: {name}", message, severity=severity)


def host_paths(service: Service) -> Iterator[Flaw]:
    """A folder or socket of the machine inside of the container."""
    for volume in volumes(service.get("volumes")):
        if is_socket(volume.source):
            message = f"{service.name} holds {volume.source}: whoever writes to it is root on the machine, read-only or not"
            yield flaw("container-socket", service, volume.node, f"volumes: {volume.source}", message)
            continue
        risk = path_risk(volume.source, read_only=volume.read_only) if volume.source.startswith("/") else None
        if risk is not None and risk.rank >= Severity.LOW.rank and (risk is not Severity.LOW or volume.read_only):
            yield flaw(
                "host-path",
                service,
                volume.node,
                f"volumes: {volume.source}",
                f"{service.name} sees {volume.source} of its machine",
                severity=risk,
            )
        if volume.options in {"shared", "rshared"}:
            message = f"What is mounted below {volume.source} in the container appears on the machine"
            yield flaw("mount-propagation", service, volume.node, f"volumes: {volume.source}: {volume.options}", message)


def named_volumes(file: Compose) -> Iterator[Flaw]:
    """A named volume that is a folder of the machine."""
    for key, volume in pairs(mapping(file.root, "volumes")):
        for option in ("device", "mountpoint"):
            node = scalar(volume, "driver_opts", option)
            risk = path_risk(node.text, read_only=False) if node is not None else None
            if node is not None and risk is not None and risk.rank > Severity.LOW.rank:
                message = f"Whoever uses the volume {key.text} writes to {node.text} of the machine"
                yield Flaw("host-path", f"volumes.{key.text}", f"driver_opts: {node.text}", message, node.span, risk)


_DEVICES = re.compile(r"/dev(?:/(?:mem|kmem|port|sd[a-z]\d*|nvme\w+|vd[a-z]\d*|xvd[a-z]\d*|dm-\d+|mapper/.+|disk/.+))?\Z")


def devices(service: Service) -> Iterator[Flaw]:
    """A device that holds the machine's memory or disks."""
    for node in texts(service.get("devices")):
        source = node.text.partition(":")[0].rstrip("/")
        if _DEVICES.match(source):
            message = f"{service.name} reads and writes {source} of the machine, past every right of its files"
            yield flaw("host-device", service, node, f"devices: {source}", message)


def guards_off(service: Service) -> Iterator[Flaw]:
    """A kernel guard is switched off."""
    for node in texts(service.get("security_opt")):
        option = node.text.replace("=", ":").replace(" ", "")
        found = next((rule for start, rule in _GUARDS if option.startswith(start)), "")
        if found:
            message = f"{service.name} runs without a guard of the kernel ({option})"
            yield flaw(found, service, node, f"security_opt: {option}", message)


_GUARDS = (
    ("seccomp:unconfined", "seccomp-off"),
    ("apparmor:unconfined", "apparmor-off"),
    ("label:disable", "selinux-off"),
    ("systempaths:unconfined", "proc-mount"),
    ("no-new-privileges:false", "escalation-allowed"),
)


def root_user(service: Service) -> Iterator[Flaw]:
    """The container is told to run as root."""
    node = service.get("user")
    if isinstance(node, Scalar) and node.text.partition(":")[0] in {"root", "0"}:
        yield flaw("root-user", service, node, "user", f"{service.name} is told to run as root")


def confinement(service: Service) -> Iterator[Flaw]:
    """What nobody took from the container."""
    if service.partial:
        return
    options = " ".join(node.text for node in texts(service.get("security_opt")))
    if "no-new-privileges" not in options:
        yield _missing("escalation-not-forbidden", service, "may gain rights: no-new-privileges is not set")
    if not any(capability_name(node.text) == "ALL" for node in texts(service.get("cap_drop"))):
        yield _missing("capabilities-kept", service, "keeps the engine's default capabilities: ALL is not dropped")
    if not says_yes(service.get("read_only")):
        yield _missing("root-filesystem-writable", service, "can change its own programs: read_only is not true")


def limits(service: Service) -> Iterator[Flaw]:
    """Nothing bounds what the container takes from its neighbours."""
    if service.partial:
        return
    if not any(service.get(*path) for path in (("mem_limit",), ("deploy", "resources", "limits", "memory"))):
        message = f"{service.name} may take all memory of the machine"
        yield flaw("no-memory-limit", service, service.key, "limits", message)
    if not any(service.get(*path) for path in (("pids_limit",), ("deploy", "resources", "limits", "pids"))):
        message = f"{service.name} may start processes until the machine has no room for more"
        yield flaw("no-process-limit", service, service.key, "limits", message)


def _missing(rule: str, service: Service, what: str) -> Flaw:
    return flaw(rule, service, service.key, "hardening", f"{service.name} {what}")
