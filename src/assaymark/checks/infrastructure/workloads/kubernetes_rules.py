"""All rules of the Kubernetes check in one table.

Severity follows what an attacker gains: medium and above is what takes over a node or the cluster, or lets everybody in. What is merely not
hardened is low or less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.workloads import kubernetes_rules_access as access
from assaymark.checks.infrastructure.workloads import kubernetes_rules_confinement as confinement
from assaymark.checks.infrastructure.workloads import kubernetes_rules_control as control
from assaymark.checks.infrastructure.workloads import kubernetes_rules_host as host
from assaymark.checks.infrastructure.workloads import kubernetes_rules_images as images
from assaymark.checks.infrastructure.workloads import kubernetes_rules_network as network
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import Container, Pod, pods
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.rules import SHELL_RULES
from assaymark.model.severity import Confidence, Severity

_INFO, _LOW, _MEDIUM, _HIGH, _CRITICAL = Severity
_MAYBE, _LIKELY, _SURE = Confidence

OF_POD: Final[tuple[Callable[[Pod], Iterator[Flaw]], ...]] = (
    host.host_namespaces,
    host.host_paths,
    host.unsafe_sysctl,
    confinement.pod_root_user,
    confinement.profiles_off,
    access.token,
)
OF_CONTAINER: Final[tuple[Callable[[Container], Iterator[Flaw]], ...]] = (
    host.privileged,
    host.capability_added,
    host.host_ports,
    host.proc_mount,
    host.mount_propagation,
    confinement.root_user,
    confinement.escalation,
    confinement.not_confined,
    confinement.container_profiles_off,
    confinement.root_filesystem,
    confinement.limits,
    images.image,
    images.risky_image,
    images.authentication_off,
    images.remote_port,
    images.shell,
    control.control_plane,
)
OF_MANIFEST: Final[tuple[Callable[[Manifest], Iterator[Flaw]], ...]] = (
    host.host_volume,
    access.grants,
    access.bindings,
    access.default_account,
    network.ingress_cleartext,
    network.ingress_downgrade,
    network.ingress_snippet,
    network.ingress_injection,
    network.external_addresses,
    network.open_policy,
    network.namespace_standard,
    network.admission_policy,
    network.kubelet_configuration,
    network.encryption,
    control.cluster_configuration,
    images.kustomization,
)


def examine(manifest: Manifest) -> Iterator[Flaw]:
    """Everything wrong with one object; positions are those of its document."""
    for of_manifest in OF_MANIFEST:
        yield from of_manifest(manifest)
    for pod in pods(manifest):
        for of_pod in OF_POD:
            yield from of_pod(pod)
        for container in pod.containers():
            for of_container in OF_CONTAINER:
                yield from of_container(container)


SHARED_FINDING: Final = frozenset(
    {
        *("root-not-forbidden", "escalation-not-forbidden", "capabilities-kept", "seccomp-not-set", "root-filesystem-writable"),
        *("no-memory-limit", "no-cpu-bounds"),
    }
)
"""Rules about what is missing: those of one family are witnesses of one finding per container."""

RULES: Final[dict[str, Rule]] = {
    **{name: SHELL_RULES[name][1] for name in images.SHELL_RULES_TAKEN},
    "privileged": Rule(_HIGH, _SURE, "Remove `privileged`; give single capabilities or a device plugin for what the program needs."),
    "host-pid": Rule(_HIGH, _SURE, "Remove `hostPID`; read metrics of processes from the kubelet or an agent of their own."),
    "host-ipc": Rule(_MEDIUM, _SURE, "Remove `hostIPC`; containers of one pod share memory without it."),
    "host-network": Rule(_MEDIUM, _SURE, "Remove `hostNetwork` and offer the port by a service or ingress."),
    "container-socket": Rule(
        _HIGH, _SURE, "Remove the volume; build images with a rootless builder and read events from the Kubernetes API."
    ),
    "host-path": Rule(
        _MEDIUM, _SURE, "Use an emptyDir, a configMap or a persistent volume; where it must be the node's, one folder, `readOnly: true`."
    ),
    "host-port": Rule(_LOW, _SURE, "Remove `hostPort` and offer the port by a service."),
    "capability-added": Rule(_MEDIUM, _SURE, "Drop ALL and add the one capability whose use you can name."),
    "unsafe-sysctl": Rule(_MEDIUM, _SURE, "Set it on the node for all, or keep to the settings that the kubelet calls safe."),
    "proc-mount": Rule(_MEDIUM, _SURE, "Remove `procMount`; for containers in containers use user name spaces."),
    "mount-propagation": Rule(_MEDIUM, _LIKELY, "Use HostToContainer or None; only storage drivers need both directions."),
    "root-user": Rule(_MEDIUM, _SURE, "Set `runAsNonRoot: true` and a `runAsUser` above 9999, and give the files to that user."),
    "root-not-forbidden": Rule(_LOW, _SURE, "Set `runAsNonRoot: true` in the pod's securityContext."),
    "escalation-allowed": Rule(_MEDIUM, _SURE, "Set `allowPrivilegeEscalation: false`."),
    "escalation-not-forbidden": Rule(_LOW, _SURE, "Set `allowPrivilegeEscalation: false` in the container's securityContext."),
    "capabilities-kept": Rule(_LOW, _SURE, 'Set `capabilities: {drop: ["ALL"]}`, and add back what the program needs.'),
    "seccomp-not-set": Rule(_INFO, _SURE, "Set `seccompProfile: {type: RuntimeDefault}` in the pod's securityContext."),
    "seccomp-off": Rule(_MEDIUM, _SURE, "Use RuntimeDefault, or a profile with the calls that the program needs."),
    "apparmor-off": Rule(_MEDIUM, _SURE, "Use RuntimeDefault, or a profile of your own."),
    "selinux-changed": Rule(_MEDIUM, _LIKELY, "Remove the option; label the volume or ship a policy module instead."),
    "root-filesystem-writable": Rule(
        _INFO, _SURE, "Set `readOnlyRootFilesystem: true` and mount an emptyDir where the program must write."
    ),
    "no-memory-limit": Rule(_LOW, _SURE, "Set `resources.limits.memory` to what the program needs under load."),
    "no-cpu-bounds": Rule(_INFO, _SURE, "Set `resources.requests.cpu`, so that neighbours get their share."),
    "image-unpinned": Rule(_LOW, _SURE, "Name a version, better the digest (`name:1.2@sha256:…`), and let a bot raise it."),
    "image-without-digest": Rule(_INFO, _SURE, "Add the digest behind the tag (`name:1.2@sha256:…`), and let a bot raise both."),
    "kustomize-remote-unpinned": Rule(_LOW, _SURE, "Add `?ref=` with a commit or a release, or keep a copy in the repository."),
    "tiller": Rule(_HIGH, _SURE, "Move to Helm 3 or later, which acts with the rights of who calls it, and delete Tiller."),
    "dashboard": Rule(_LOW, _LIKELY, "Keep it off shared clusters, or behind a login of your own with a role that only reads."),
    "authentication-off": Rule(_MEDIUM, _LIKELY, "Set a password or token from a secret, and let only its clients reach the port."),
    "debug-enabled": Rule(_LOW, _LIKELY, "Set it in an overlay for development only."),
    "open-docker": Rule(_MEDIUM, _SURE, "Use TLS: port 2376 with certificates on both sides."),
    "remote-access-port": Rule(_LOW, _LIKELY, "Remove the server from the image; `kubectl exec` and `kubectl debug` leave a record."),
    "rbac-wildcard": Rule(_HIGH, _SURE, "Name the groups, resources and verbs that the program uses."),
    "rbac-escalation": Rule(_HIGH, _SURE, "Remove the verb, or limit it by resourceNames to the roles that are handed out."),
    "rbac-bindings": Rule(_MEDIUM, _LIKELY, "Let people or the deployment make bindings; if a program must, one namespace and few roles."),
    "rbac-exec": Rule(_MEDIUM, _LIKELY, "Give it to people for a time, not to programs; if needed, in one namespace."),
    "rbac-nodes-proxy": Rule(_MEDIUM, _SURE, "Use nodes/metrics and nodes/stats for metrics."),
    "rbac-tokens": Rule(_MEDIUM, _SURE, "Let pods get their tokens by projected volumes; if needed, limit it by resourceNames."),
    "rbac-certificates": Rule(_MEDIUM, _LIKELY, "Limit it to one signer by resourceNames of `signers`."),
    "rbac-webhooks": Rule(_LOW, _LIKELY, "Limit it by resourceNames to the program's own webhook."),
    "rbac-secrets": Rule(_MEDIUM, _LIKELY, "Use a Role in the namespaces that it serves, or name the secrets by resourceNames."),
    "rbac-workloads": Rule(_LOW, _LIKELY, "Use a Role in the namespaces that it serves."),
    "cluster-admin-bound": Rule(_HIGH, _SURE, "Bind a role with what is needed; keep cluster-admin for people in an emergency."),
    "bound-to-everybody": Rule(_HIGH, _SURE, "Bind to the users, groups or service accounts that need it."),
    "default-account-bound": Rule(_LOW, _SURE, "Make a service account for the program and bind the role to that."),
    "token-mounted": Rule(_INFO, _SURE, "Set `automountServiceAccountToken: false`, or give the program an account of its own."),
    "ingress-cleartext": Rule(_LOW, _LIKELY, "Add `tls:` with a secret of a certificate, and send plain requests on to it."),
    "ingress-snippet": Rule(_LOW, _SURE, "Use the annotation made for the purpose, and forbid snippets in the controller."),
    "ingress-injection": Rule(_HIGH, _LIKELY, "Write a plain address; keep the controller at a release that checks annotations."),
    "service-external-address": Rule(_MEDIUM, _LIKELY, "Use a load balancer or ingress, and refuse `externalIPs` by an admission policy."),
    "service-open": Rule(_LOW, _SURE, "Name the ranges that may come, or leave the service inside and publish it by an ingress."),
    "network-policy-open": Rule(_LOW, _LIKELY, "Name the pods, namespaces or ranges that may speak, and the ports."),
    "namespace-privileged": Rule(
        _LOW, _SURE, "Enforce `baseline`, better `restricted`, and keep privileged pods in a namespace of their own."
    ),
    "pod-policy-open": Rule(_MEDIUM, _LIKELY, "Take it back; use Pod Security admission, which replaces the policy."),
    "anonymous-access": Rule(_HIGH, _SURE, "Set it to false."),
    "authorisation-off": Rule(_CRITICAL, _SURE, "Use `Node,RBAC` for the API server and Webhook for kubelets."),
    "insecure-port": Rule(_HIGH, _SURE, "Remove the flag, or set the port to 0."),
    "static-credentials": Rule(_HIGH, _SURE, "Remove the flag; use certificates, service account tokens or OIDC."),
    "admission-off": Rule(_HIGH, _SURE, "Remove AlwaysAdmit, and switch the protecting plugins on again."),
    "token-lookup-off": Rule(_MEDIUM, _SURE, "Remove the flag: the lookup is on by default."),
    "control-plane-cleartext": Rule(_HIGH, _SURE, "Remove the flag."),
    "control-plane-exposed": Rule(_LOW, _LIKELY, "Use --bind-address=127.0.0.1."),
    "etcd-open": Rule(_HIGH, _SURE, "Use https, --client-cert-auth=true and an own certificate authority for etcd."),
    "weak-ciphers": Rule(_MEDIUM, _SURE, "Use TLS 1.2 or later with ECDHE and AES-GCM or ChaCha20 only."),
    "profiling": Rule(_LOW, _SURE, "Set --profiling=false."),
    "control-plane-incomplete": Rule(_LOW, _LIKELY, "Give the flag with the file that the cluster's authority made."),
    "shared-controller-rights": Rule(_LOW, _SURE, "Set --use-service-account-credentials=true."),
    "idle-connections": Rule(_LOW, _SURE, "Set a time, such as 5m."),
    "certificates-not-rotated": Rule(_LOW, _SURE, "Remove the flag: certificates are rotated by default."),
    "audit-off": Rule(_LOW, _SURE, "Set --audit-log-path and --audit-policy-file."),
    "secrets-unencrypted": Rule(_MEDIUM, _SURE, "Put kms or secretbox first, and `identity` last for reading what is old."),
}
