"""All rules of the compose check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.workloads import compose_rules_host as host
from assaymark.checks.infrastructure.workloads import compose_rules_service as service
from assaymark.checks.infrastructure.workloads.compose_document import Compose, Service
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.rules import SHELL_RULES
from assaymark.model.severity import Confidence, Severity

_INFO, _LOW, _MEDIUM, _HIGH, _CRITICAL = Severity
_MAYBE, _LIKELY, _SURE = Confidence

EXAMINERS: Final[tuple[Callable[[Service], Iterator[Flaw]], ...]] = (
    host.privileged,
    host.host_namespaces,
    host.capability_added,
    host.host_paths,
    host.devices,
    host.guards_off,
    host.root_user,
    host.confinement,
    host.limits,
    service.image,
    service.environment,
    service.start,
    service.published,
    service.build,
    service.logging_off,
)
SHARED_FINDING: Final = frozenset(
    {"escalation-not-forbidden", "capabilities-kept", "root-filesystem-writable", "no-memory-limit", "no-process-limit"}
)
"""Rules about what is missing: those of one family are witnesses of one finding per service."""


def examine(file: Compose) -> Iterator[Flaw]:
    """Everything wrong with the file; a value that several services share is told once."""
    told: set[tuple[str, str, str, object]] = set()
    for each in file.services():
        for rule in EXAMINERS:
            for flaw in rule(each):
                key = (flaw.rule, flaw.resource, flaw.attribute, flaw.span)
                if key not in told:
                    told.add(key)
                    yield flaw
    yield from host.named_volumes(file)


RULES: Final[dict[str, Rule]] = {
    **{name: SHELL_RULES[name][1] for name in service.SHELL_RULES_TAKEN},
    "privileged": Rule(_HIGH, _SURE, "Remove `privileged`; give single capabilities or devices for what the program needs."),
    "host-pid": Rule(_HIGH, _SURE, "Remove `pid: host`."),
    "host-ipc": Rule(_MEDIUM, _SURE, "Remove `ipc: host`; services share memory with `ipc: service:…`."),
    "host-network": Rule(_MEDIUM, _SURE, "Remove `network_mode: host` and publish the ports that users need."),
    "host-users": Rule(_MEDIUM, _SURE, "Remove `userns_mode: host`."),
    "host-cgroup": Rule(_MEDIUM, _SURE, "Remove `cgroup: host`."),
    "host-uts": Rule(_LOW, _SURE, "Remove `uts: host`."),
    "container-socket": Rule(_HIGH, _SURE, "Remove the volume, or put a proxy in between that lets only the needed requests through."),
    "host-path": Rule(_MEDIUM, _SURE, "Use a named volume; where it must be the machine's, one folder, read-only."),
    "mount-propagation": Rule(_MEDIUM, _LIKELY, "Use `rslave` or `rprivate`."),
    "host-device": Rule(_HIGH, _SURE, "Name the one device that the program needs; disks and memory are none of them."),
    "capability-added": Rule(_MEDIUM, _SURE, "Drop ALL and add the one capability whose use you can name."),
    "seccomp-off": Rule(_MEDIUM, _SURE, "Remove the option, or give a profile with the calls that the program needs."),
    "apparmor-off": Rule(_MEDIUM, _SURE, "Remove the option, or give a profile of your own."),
    "selinux-off": Rule(_MEDIUM, _SURE, "Remove the option; label the volume with `:Z` instead."),
    "proc-mount": Rule(_MEDIUM, _SURE, "Remove the option."),
    "escalation-allowed": Rule(_MEDIUM, _SURE, "Write `no-new-privileges:true`."),
    "root-user": Rule(_MEDIUM, _SURE, "Name a user with a number above 9999, and give the files to that user."),
    "escalation-not-forbidden": Rule(_LOW, _SURE, "Add `security_opt: [no-new-privileges:true]`."),
    "capabilities-kept": Rule(_INFO, _SURE, "Add `cap_drop: [ALL]`, and add back what the program needs."),
    "root-filesystem-writable": Rule(_INFO, _SURE, "Add `read_only: true` and a tmpfs where the program must write."),
    "no-memory-limit": Rule(_INFO, _SURE, "Set `mem_limit` or `deploy.resources.limits.memory`."),
    "no-process-limit": Rule(_INFO, _SURE, "Set `pids_limit`."),
    "image-unpinned": Rule(_LOW, _SURE, "Name a version, better the digest (`name:1.2@sha256:…`), and let a bot raise it."),
    "image-without-digest": Rule(_INFO, _SURE, "Add the digest behind the tag (`name:1.2@sha256:…`), and let a bot raise both."),
    "build-context-unpinned": Rule(_LOW, _SURE, "Name a commit behind `#`."),
    "authentication-off": Rule(_MEDIUM, _LIKELY, "Set a password or token by a secret, and publish the port on 127.0.0.1 only."),
    "debug-enabled": Rule(_LOW, _LIKELY, "Set it in an override file for development only."),
    "open-docker": Rule(_MEDIUM, _SURE, "Use TLS: port 2376 with certificates on both sides."),
    "engine-exposed": Rule(_HIGH, _SURE, "Do not publish the port; use ssh or TLS with client certificates."),
    "remote-access-port": Rule(_LOW, _LIKELY, "Leave the server out; `docker compose exec` needs none."),
    "store-exposed": Rule(_LOW, _LIKELY, "Remove the port, or publish it on 127.0.0.1: services reach one another without."),
    "secret-argument": Rule(_LOW, _LIKELY, "Use `build.secrets` and `RUN --mount=type=secret`, which leave nothing in the image."),
    "logging-off": Rule(_LOW, _LIKELY, "Use a driver that keeps what the service says, with a bound of size."),
}
