"""What a container must not have of its machine: paths, sockets, capabilities. Facts that Kubernetes and compose share."""

from __future__ import annotations

import re
from typing import Final

from assaymark.model.severity import Severity

_SOCKET = re.compile(r"(?:^|/)(?:docker|dockershim|containerd|crio|cri-dockerd|podman|k3s-containerd)\.sock\Z|\A/run/(?:k3s/)?containerd\Z")
_PIPE = re.compile(r"\\\\\.\\pipe\\docker_engine|//\./pipe/docker_engine", re.IGNORECASE)
_TAKES_OVER: Final = (
    "/",
    "/etc",
    "/root",
    "/boot",
    "/proc",
    "/var/lib/kubelet",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/etc/kubernetes",
)
_TAKES_OVER_BELOW: Final = (
    *("/etc/kubernetes/", "/root/.ssh", "/etc/cron", "/etc/shadow", "/etc/passwd", "/etc/sudoers", "/etc/ssh", "/etc/systemd"),
    *("/etc/pam.d", "/etc/init.d", "/etc/profile.d", "/etc/ld.so"),
)
_SENSITIVE: Final = (
    *("/bin", "/sbin", "/lib", "/lib64", "/usr", "/dev", "/sys", "/home", "/var", "/var/lib", "/var/run", "/run", "/opt", "/srv"),
    *("/var/lib/etcd", "/var/spool/cron"),
)
_HARMLESS: Final = frozenset(
    {
        *("/etc/localtime", "/etc/timezone", "/etc/machine-id", "/etc/os-release", "/etc/ssl/certs", "/etc/ca-certificates"),
        *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/lib/modules", "/usr/lib/os-release", "/etc/pki"),
        *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/fuse", "/dev/net/tun"),
        "/usr/lib/modules",
    }
)


def is_socket(path: str) -> bool:
    """True for the sockets of container engines: whoever writes to one is root on the machine."""
    return _SOCKET.search(path.rstrip("/")) is not None or _PIPE.search(path) is not None


def path_risk(path: str, *, read_only: bool) -> Severity | None:
    """How much a folder of the machine gives away; None for paths that every image may see.

    Written to, the first group makes a container root on the machine; read, it gives away keys of the node.
    """
    plain = re.sub(r"/+", "/", path).rstrip("/") or "/"
    if plain in _HARMLESS or not plain.startswith("/"):
        return None
    if plain in _TAKES_OVER or plain.startswith(_TAKES_OVER_BELOW):
        return Severity.MEDIUM if read_only else Severity.HIGH
    if plain in _SENSITIVE or plain.startswith(("/proc/", "/var/lib/kubelet/", "/var/lib/docker/", "/usr/bin/")):
        return Severity.LOW if read_only else Severity.MEDIUM
    return Severity.LOW if not read_only else Severity.INFO


_CAPABILITIES: Final = {
    Severity.HIGH: frozenset(
        {
            *("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_BOOT", "BPF", "MAC_ADMIN"),
            *("MAC_OVERRIDE", "PERFMON", "CHECKPOINT_RESTORE"),
        }
    ),
    Severity.MEDIUM: frozenset(
        {"NET_ADMIN", "SYSLOG", "DAC_OVERRIDE", "SETPCAP", "LINUX_IMMUTABLE", "AUDIT_CONTROL", "SYS_CHROOT", "SYS_TIME"}
    ),
    Severity.INFO: frozenset({"NET_BIND_SERVICE"}),
}


def capability_name(text: str) -> str:
    """The name as the kernel has it, without ``CAP_``."""
    return text.strip().upper().removeprefix("CAP_")


def capability_risk(name: str) -> Severity:
    """What an added capability is worth to somebody who wants out of the container."""
    for severity, names in _CAPABILITIES.items():
        if name in names:
            return severity
    return Severity.LOW


def strength(severity: Severity) -> str:
    """How much of the machine a severity stands for, in words."""
    return "suffices to take over the machine" if severity is Severity.HIGH else "gives it rights over the machine"
