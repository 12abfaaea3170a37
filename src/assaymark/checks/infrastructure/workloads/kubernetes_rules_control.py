"""Rules of Kubernetes: flags of the control plane's own programs, in static pods and anywhere else that they are started.

What is written is judged; of what is missing only what opens the cluster and what leaves no trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.lookups import entries, mapping, pairs, scalar
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import Container
from assaymark.checks.reading.yaml_tree import Items, Keyed, Scalar
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span
from assaymark.model.severity import Severity

_PROGRAMS = frozenset({"kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "etcd"})
_API, _KUBELET, _MANAGER, _SCHEDULER, _ETCD = "kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "etcd"
_FALSE = r"false"
_WEAK_CIPHER = r"(?:^|,)TLS_(?:\w*_(?:RC4|3DES|NULL|DES)_\w+|RSA_WITH_\w+|\w+_CBC_SHA\d*)(?:,|$)"


class _FlagRule(Struct, frozen=True):
    programs: tuple[str, ...]
    flag: str
    bad: str
    """Expression that the value must match somewhere."""
    rule: str
    message: str
    severity: Severity | None = None


_FLAGS: Final[tuple[_FlagRule, ...]] = (
    _FlagRule((_API, _KUBELET), "anonymous-auth", "^true$", "anonymous-access", "answers whoever asks, without a login"),
    _FlagRule((_API, _KUBELET), "authorization-mode", r"\bAlwaysAllow\b", "authorisation-off", "lets everybody do everything"),
    _FlagRule((_API,), "insecure-port", "^[1-9]", "insecure-port", "listens without TLS and without a login"),
    _FlagRule((_API,), "insecure-bind-address", ".", "insecure-port", "listens without TLS and without a login"),
    _FlagRule((_KUBELET,), "read-only-port", "^[1-9]", "insecure-port", "tells everybody what runs on the node", Severity.MEDIUM),
    _FlagRule((_API, _MANAGER, _SCHEDULER), "secure-port", "^0$", "insecure-port", "has no encrypted port", Severity.MEDIUM),
    _FlagRule((_MANAGER, _SCHEDULER), "port", "^[1-9]", "insecure-port", "listens without TLS", Severity.MEDIUM),
    _FlagRule((_API,), "basic-auth-file", ".", "static-credentials", "takes passwords from a file, which nobody can call back"),
    _FlagRule((_API,), "token-auth-file", ".", "static-credentials", "takes tokens from a file, which nobody can call back"),
    _FlagRule((_API,), "enable-admission-plugins", r"\bAlwaysAdmit\b", "admission-off", "admits every object unseen"),
    _FlagRule((_API,), "admission-control", r"\bAlwaysAdmit\b", "admission-off", "admits every object unseen"),
    _FlagRule(
        (_API,),
        "disable-admission-plugins",
        r"\b(?:NodeRestriction|PodSecurity|PodSecurityPolicy|ServiceAccount|NamespaceLifecycle)\b",
        "admission-off",
        "has a protecting admission plugin switched off",
    ),
    _FlagRule((_API,), "service-account-lookup", _FALSE, "token-lookup-off", "accepts tokens of deleted service accounts"),
    _FlagRule((_API,), "kubelet-https", _FALSE, "control-plane-cleartext", "talks to nodes without encryption"),
    _FlagRule((_ETCD,), "client-cert-auth", _FALSE, "etcd-open", "gives the whole cluster's state to whoever asks"),
    _FlagRule((_ETCD,), "peer-client-cert-auth", _FALSE, "etcd-open", "takes whoever asks for a peer"),
    _FlagRule((_ETCD,), "(?:peer-)?auto-tls", "^true$", "etcd-open", "signs its own certificate, so nobody can check it", Severity.MEDIUM),
    _FlagRule((_ETCD,), "(?:listen|advertise)-client-urls", r"http://(?!127\.|localhost)", "etcd-open", "is reached without encryption"),
    _FlagRule(
        (_API, _KUBELET, _ETCD), "(?:tls-)?cipher-suites", _WEAK_CIPHER, "weak-ciphers", "offers ciphers that no longer resist attack"
    ),
    _FlagRule(
        (_API, _KUBELET), "tls-min-version", r"VersionTLS1[01]$", "weak-ciphers", "offers a TLS version that no longer resists attack"
    ),
    _FlagRule((_API, _MANAGER, _SCHEDULER), "profiling", "^true$", "profiling", "shows its inner workings over the network"),
    _FlagRule((_MANAGER, _SCHEDULER), "(?:bind-)?address", r"^(?:0\.0\.0\.0|::)$", "control-plane-exposed", "listens on every interface"),
    _FlagRule((_MANAGER,), "use-service-account-credentials", _FALSE, "shared-controller-rights", "runs all controllers with one account"),
    _FlagRule((_KUBELET,), "streaming-connection-idle-timeout", "^0", "idle-connections", "keeps connections into containers for ever"),
    _FlagRule((_KUBELET,), "rotate-certificates", _FALSE, "certificates-not-rotated", "does not renew its certificate"),
)
_ADMISSION: Final = ("enable-admission-plugins", "admission-control")


def _flags(container: Container) -> tuple[str, dict[str, tuple[str, Span]]]:
    """The program of the control plane that a container starts, and its flags."""
    words = container.words
    program = words[0].text.rpartition("/")[2] if words else ""
    rest = words[1:]
    if program == "hyperkube" and rest:
        program, rest = rest[0].text.replace("apiserver", _API).replace("kube-kube-", "kube-"), rest[1:]
    if program in {"sh", "bash"}:
        return "", {}
    if program.startswith("-") and container.name in _PROGRAMS:
        program, rest = container.name, words
    flags: dict[str, tuple[str, Span]] = {}
    for at, word in enumerate(rest):
        found = re.match(r"--([\w-]+)(?:=(.*))?\Z", word.text, re.DOTALL)
        if found:
            after = rest[at + 1].text if at + 1 < len(rest) and not rest[at + 1].text.startswith("-") else "true"
            flags[found[1]] = (found[2].strip("\"'") if found[2] is not None else after, word.span)
    return (program, flags) if program in _PROGRAMS else ("", {})


def control_plane(container: Container) -> Iterator[Flaw]:
    """A flag that opens the cluster."""
    program, flags = _flags(container)
    yield from _judged(program, flags, container.address)
    if program == _API and container.whole:
        yield from _absent(flags, container)
    if flags and container.whole and "config-file" not in flags:
        yield from _incomplete(program, flags, container)


def _judged(program: str, flags: dict[str, tuple[str, Span]], address: str) -> Iterator[Flaw]:
    for name, (value, span) in flags.items():
        for each in _FLAGS:
            if program in each.programs and re.fullmatch(each.flag, name) and re.search(each.bad, value):
                yield Flaw(each.rule, address, f"--{name}", f"{program} {each.message} (--{name})", span, each.severity)


def _absent(flags: dict[str, tuple[str, Span]], container: Container) -> Iterator[Flaw]:
    if "audit-log-path" not in flags and "audit-webhook-config-file" not in flags:
        message = "kube-apiserver keeps no record of who did what (--audit-log-path)"
        yield Flaw("audit-off", container.address, "--audit-log-path", message, container.span)
    mode = flags.get("authorization-mode")
    if mode is not None and "RBAC" not in mode[0] and "AlwaysAllow" not in mode[0]:
        message = "kube-apiserver does not ask roles who may do what (--authorization-mode)"
        yield Flaw("authorisation-off", container.address, "--authorization-mode: RBAC", message, mode[1], Severity.MEDIUM)
    if mode is None and "authorization-config" not in flags:
        message = "kube-apiserver lets everybody do everything: --authorization-mode is missing and its default is AlwaysAllow"
        yield Flaw("authorisation-off", container.address, "--authorization-mode", message, container.span, Severity.MEDIUM)


_WANTED: Final[dict[str, dict[str, str]]] = {
    _API: {
        "client-ca-file": "does not check certificates of those who call",
        "etcd-cafile": "does not check etcd's certificate",
        "etcd-certfile": "has no certificate for etcd",
        "kubelet-certificate-authority": "does not check certificates of nodes",
        "kubelet-client-certificate": "has no certificate for nodes",
        "service-account-key-file": "has no key of its own for tokens",
        "tls-cert-file": "makes a certificate itself, which nobody can check",
        "encryption-provider-config": "stores secrets as they are",
        "audit-policy-file": "records nothing of what is asked",
    },
    _MANAGER: {
        "root-ca-file": "gives pods nothing to check the API server by",
        "service-account-private-key-file": "has no key of its own for tokens",
    },
    _ETCD: {
        "cert-file": "is reached without encryption",
        "client-cert-auth": "gives the whole cluster's state to whoever asks",
        "peer-client-cert-auth": "takes whoever asks for a peer",
    },
}
"""Flags without which the part is open or unproved, and what it then does."""


def _incomplete(program: str, flags: dict[str, tuple[str, Span]], container: Container) -> Iterator[Flaw]:
    for name, what in _WANTED.get(program, {}).items():
        if name not in flags:
            yield Flaw(
                "control-plane-incomplete", container.address, f"--{name}", f"{program} {what} (--{name} is missing)", container.span
            )


def cluster_configuration(manifest: Manifest) -> Iterator[Flaw]:
    """The same flags as kubeadm's file gives them."""
    if manifest.kind not in {"ClusterConfiguration", "InitConfiguration", "JoinConfiguration"}:
        return
    for key, program in (("apiServer", _API), ("controllerManager", _MANAGER), ("scheduler", _SCHEDULER), ("nodeRegistration", _KUBELET)):
        yield from _judged(program, _extra(mapping(manifest.root, key), key), f"{manifest.address} {key}")
    etcd = mapping(manifest.root, "etcd", "local")
    yield from _judged(_ETCD, _extra(etcd, "etcd"), f"{manifest.address} etcd")


def _extra(section: Keyed | None, key: str) -> dict[str, tuple[str, Span]]:
    """Additional arguments: a mapping, since v1beta4 a list of name and value."""
    name = "kubeletExtraArgs" if key == "nodeRegistration" else "extraArgs"
    flags: dict[str, tuple[str, Span]] = {}
    given = section.get(name) if section is not None else None
    if isinstance(given, Items):
        for entry in entries(given):
            label, value = scalar(entry, "name"), scalar(entry, "value")
            if label is not None and value is not None:
                flags[label.text] = (value.text, value.span)
    else:
        flags.update((label.text, (value.text, value.span)) for label, value in pairs(given) if isinstance(value, Scalar))
    return flags
