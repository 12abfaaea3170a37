"""Rules of Kubernetes: what is reachable from where, and under which standard a namespace stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.lookups import at, entries, mapping, pairs, says_no, says_yes, scalar, texts
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.templates import unknown
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw
from assaymark.model.severity import Severity

_INGRESS_GROUPS = frozenset({"networking.k8s.io", "extensions"})
_ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def ingress_cleartext(manifest: Manifest) -> Iterator[Flaw]:
    """An entrance without encryption."""
    if manifest.kind != "Ingress" or manifest.group not in _INGRESS_GROUPS or manifest.template is not None:
        return
    spec = mapping(manifest.root, "spec")
    if spec is None or at(spec, "rules") is None or at(spec, "tls") is not None or _tls_elsewhere(manifest):
        return
    message = f"{manifest.name} is served without TLS as far as this manifest says"
    yield Flaw("ingress-cleartext", manifest.address, "tls", message, spec.span)


_ELSEWHERE = re.compile(r"certificate|ssl|tls|cert-manager|backend-protocol|listen-ports|managed-cert|frontend-config", re.IGNORECASE)


def _tls_elsewhere(manifest: Manifest) -> bool:
    """True when an annotation shows that a load balancer brings the certificate."""
    return any(_ELSEWHERE.search(key.text) for key, _ in pairs(mapping(manifest.root, "metadata", "annotations")))


_SNIPPET = re.compile(r"nginx\.(?:ingress\.kubernetes\.io|org)/(?:server|configuration|auth|location|stream|modsecurity)-?snippets?\Z")
_BREAKS_OUT = re.compile(r"_by_lua|\blua_|\balias\b|\broot\s+/|serviceaccount|load_module|\bkubernetes\.io\b")


def ingress_snippet(manifest: Manifest) -> Iterator[Flaw]:
    """Text of a manifest becomes configuration of the shared proxy."""
    if manifest.kind != "Ingress":
        return
    for key, value in pairs(mapping(manifest.root, "metadata", "annotations")):
        if not _SNIPPET.match(key.text) or not isinstance(value, Scalar):
            continue
        breaks = _BREAKS_OUT.search(value.text)
        severity = Severity.HIGH if breaks else Severity.LOW
        what = f"with `{breaks.group().strip()}` it reads files of the proxy" if breaks else "whoever writes it rules the proxy of all"
        message = f"{key.text} is pasted into the proxy's configuration: {what}"
        yield Flaw("ingress-snippet", manifest.address, f"annotations: {key.text}", message, key.span, severity)


_PASTED = re.compile(
    r"nginx\.ingress\.kubernetes\.io/(?:auth-url|auth-signin|auth-tls-match-cn|mirror-target|mirror-host|rewrite-target)\Z"
)
_LEAVES = re.compile(r"[;{}\n`](?!\Z)|#;")


def ingress_injection(manifest: Manifest) -> Iterator[Flaw]:
    """A value that ends its own line in the proxy's configuration and begins another (CVE-2025-1097, CVE-2025-1098, CVE-2025-24514)."""
    if manifest.kind != "Ingress":
        return
    for key, value in pairs(mapping(manifest.root, "metadata", "annotations")):
        if _PASTED.match(key.text) and isinstance(value, Scalar) and not unknown(value.text) and _LEAVES.search(value.text.strip()):
            message = f"The value of {key.text} brings configuration of its own into the proxy"
            yield Flaw("ingress-injection", manifest.address, f"annotations: {key.text}", message, value.span)


def ingress_downgrade(manifest: Manifest) -> Iterator[Flaw]:
    """TLS is there and not insisted upon."""
    if manifest.kind != "Ingress" or at(manifest.root, "spec", "tls") is None:
        return
    for key, value in pairs(mapping(manifest.root, "metadata", "annotations")):
        off = key.text == "nginx.ingress.kubernetes.io/ssl-redirect" and says_no(value)
        if off or (key.text == "kubernetes.io/ingress.allow-http" and says_yes(value)):
            message = "Requests without TLS are answered instead of being sent to the encrypted address"
            yield Flaw("ingress-cleartext", manifest.address, f"annotations: {key.text}", message, value.span)


def external_addresses(manifest: Manifest) -> Iterator[Flaw]:
    """A service that takes over traffic to any address (CVE-2020-8554)."""
    if manifest.kind != "Service":
        return
    for node in texts(manifest.root, "spec", "externalIPs"):
        if node.text and not unknown(node.text):
            message = f"Traffic of the whole cluster to {node.text} goes to {manifest.name}, whoever owns the address"
            yield Flaw("service-external-address", manifest.address, f"externalIPs: {node.text}", message, node.span)
    for node in texts(manifest.root, "spec", "loadBalancerSourceRanges"):
        if node.text in _ANYWHERE:
            message = f"The load balancer of {manifest.name} admits every address on purpose"
            yield Flaw("service-open", manifest.address, f"loadBalancerSourceRanges: {node.text}", message, node.span)
    yield from _opened(manifest)


_INNER = re.compile(r"internal|private|scheme", re.IGNORECASE)
_TILLER_PORT = "44134"


def _opened(manifest: Manifest) -> Iterator[Flaw]:
    for port in entries(manifest.root, "spec", "ports"):
        node = scalar(port, "port")
        if node is not None and node.text == _TILLER_PORT and "tiller" in manifest.name:
            message = "Tiller of Helm 2 does for everybody who reaches it what its own rights allow, often everything"
            yield Flaw("tiller", manifest.address, "ports", message, node.span)
    kind = scalar(manifest.root, "spec", "type")
    if kind is not None and kind.text == "LoadBalancer" and at(manifest.root, "spec", "loadBalancerSourceRanges") is None:
        notes = pairs(mapping(manifest.root, "metadata", "annotations"))
        inner = any(_INNER.search(f"{key.text} {scalar_text(value)}") and not says_no(value) for key, value in notes)
        if not inner:
            message = f"{manifest.name} gets an address on the internet on most clouds, for everybody"
            yield Flaw("service-open", manifest.address, "type: LoadBalancer", message, kind.span, Severity.INFO)
    if kind is not None and kind.text == "NodePort":
        message = f"{manifest.name} is opened on every node's own address"
        yield Flaw("service-open", manifest.address, "type: NodePort", message, kind.span, Severity.INFO)


def open_policy(manifest: Manifest) -> Iterator[Flaw]:
    """A network policy that lets everything through."""
    if manifest.kind != "NetworkPolicy":
        return
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        rules = at(manifest.root, "spec", direction)
        for rule in rules.entries if isinstance(rules, Items) else ():
            if isinstance(rule, Keyed) and not rule.entries and manifest.template is None:
                message = f"The policy {manifest.name} lets {direction} traffic of everybody through, on every port"
                yield Flaw("network-policy-open", manifest.address, direction, message, rule.span)
            for peer in entries(rule, peers):
                block = scalar(peer, "ipBlock", "cidr")
                if block is not None and block.text in _ANYWHERE and at(peer, "ipBlock", "except") is None:
                    message = f"The policy {manifest.name} opens {direction} for every address"
                    severity = Severity.LOW if direction == "ingress" else Severity.INFO
                    yield Flaw("network-policy-open", manifest.address, f"{direction}: {block.text}", message, block.span, severity)


def namespace_standard(manifest: Manifest) -> Iterator[Flaw]:
    """Nothing is refused in the namespace."""
    if manifest.kind != "Namespace":
        return
    for key, value in pairs(mapping(manifest.root, "metadata", "labels")):
        if key.text == "pod-security.kubernetes.io/enforce" and scalar_text(value) == "privileged":
            message = f"Pods in {manifest.name} may take every right of their nodes"
            yield Flaw("namespace-privileged", manifest.address, f"labels: {key.text}", message, value.span, replacement="baseline")


_PSP = (
    ("privileged", "true"),
    ("hostPID", "true"),
    ("hostIPC", "true"),
    ("hostNetwork", "true"),
    ("allowPrivilegeEscalation", "true"),
    ("allowPrivilegedContainer", "true"),
    ("allowHostPID", "true"),
    ("allowHostIPC", "true"),
    ("allowHostNetwork", "true"),
    ("allowHostDirVolumePlugin", "true"),
)


def admission_policy(manifest: Manifest) -> Iterator[Flaw]:
    """A policy for pods (PodSecurityPolicy, OpenShift's constraints) that admits what takes the node over."""
    if manifest.kind not in {"PodSecurityPolicy", "SecurityContextConstraints"}:
        return
    spec = at(manifest.root, "spec") if manifest.kind == "PodSecurityPolicy" else manifest.root
    for key, bad in _PSP:
        node = at(spec, key)
        if isinstance(node, Scalar) and says_yes(node) and bad == "true":
            severity = Severity.LOW if key == "allowPrivilegeEscalation" else None
            yield Flaw("pod-policy-open", manifest.address, key, f"{manifest.name} admits pods with {key}", node.span, severity)
    root = scalar(spec, "runAsUser", "rule")
    if root is not None and root.text == "RunAsAny":
        message = f"{manifest.name} admits containers that run as root"
        yield Flaw("pod-policy-open", manifest.address, "runAsUser", message, root.span, Severity.LOW)
    yield from _admitted(manifest, spec)
    for node in texts(spec, "allowedCapabilities"):
        if node.text in {"*", "ALL", "SYS_ADMIN", "CAP_SYS_ADMIN"}:
            message = f"{manifest.name} admits pods that add the capability {node.text}"
            yield Flaw("pod-policy-open", manifest.address, f"allowedCapabilities: {node.text}", message, node.span)


def _admitted(manifest: Manifest, spec: Node | None) -> Iterator[Flaw]:
    for node in texts(spec, "allowedProcMountTypes"):
        if node.text == "Unmasked":
            message = f"{manifest.name} admits containers that see what is hidden in /proc"
            yield Flaw("pod-policy-open", manifest.address, "allowedProcMountTypes", message, node.span)
    for node in texts(spec, "allowedUnsafeSysctls"):
        message = f"{manifest.name} admits pods that change {node.text}"
        yield Flaw("pod-policy-open", manifest.address, f"allowedUnsafeSysctls: {node.text}", message, node.span)
    for entry in entries(spec, "allowedHostPaths"):
        prefix = scalar(entry, "pathPrefix")
        if prefix is not None and prefix.text == "/" and not says_yes(at(entry, "readOnly")):
            message = f"{manifest.name} admits pods that see the whole node"
            yield Flaw("pod-policy-open", manifest.address, "allowedHostPaths: /", message, prefix.span)


def kubelet_configuration(manifest: Manifest) -> Iterator[Flaw]:
    """The kubelet's own file: who may ask it to run commands."""
    if manifest.kind != "KubeletConfiguration":
        return
    for path, bad, rule, message, instead in _KUBELET:
        node = at(manifest.root, *path)
        if isinstance(node, Scalar) and re.fullmatch(bad, node.text):
            yield Flaw(rule, manifest.address, ".".join(path), message, node.span, replacement=instead)


_KUBELET = (
    (
        ("authentication", "anonymous", "enabled"),
        "true",
        "anonymous-access",
        "The kubelet answers whoever asks, without a login",
        "false",
    ),
    (("authorization", "mode"), "AlwaysAllow", "authorisation-off", "The kubelet lets everybody do everything", "Webhook"),
    (("readOnlyPort",), "[1-9][0-9]*", "insecure-port", "The kubelet tells everybody what runs on the node, without a login", "0"),
    (("streamingConnectionIdleTimeout",), "0[smh]?", "idle-connections", "Connections into containers stay open for ever", "5m"),
    (("rotateCertificates",), "false", "certificates-not-rotated", "The kubelet's certificate is not renewed", "true"),
)


def encryption(manifest: Manifest) -> Iterator[Flaw]:
    """Secrets are stored as they are."""
    if manifest.kind not in {"EncryptionConfiguration", "EncryptionConfig"}:
        return
    for resource in entries(manifest.root, "resources"):
        first = next(iter(entries(resource, "providers")), None)
        if isinstance(first, Keyed) and first.get("identity") is not None:
            message = "New secrets are stored in etcd without encryption: identity stands first"
            what = ", ".join(sorted(node.text for node in texts(resource, "resources")))
            yield Flaw("secrets-unencrypted", manifest.address, f"resources: {what}", message, first.span)
