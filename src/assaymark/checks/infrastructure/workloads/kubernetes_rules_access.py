"""Rules of Kubernetes: who may do what (roles, bindings, tokens).

An entry of a role is judged as a whole and told once, by the worst thing that it allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.lookups import at, entries, says_no, says_yes, scalar, texts
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import Pod
from assaymark.checks.reading.yaml_tree import Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span
from assaymark.model.severity import Severity

_READS = frozenset({"get", "list", "watch", "*"})
_WRITES = frozenset({"create", "update", "patch", "*"})
_BUILT_IN = frozenset(
    {"", "apps", "batch", "extensions", "rbac.authorization.k8s.io", "networking.k8s.io", "policy", "storage.k8s.io", "*"}
)
_WORKLOADS = frozenset({"pods", "deployments", "daemonsets", "statefulsets", "jobs", "cronjobs", "replicasets", "replicationcontrollers"})


class _Grant(Struct, frozen=True, eq=False):
    """One entry of a role."""

    verbs: frozenset[str]
    resources: frozenset[str]
    groups: frozenset[str]
    named: bool
    """Limited to single objects by name."""
    span: Span
    wide: bool
    """Of a cluster role."""

    def may(self, verbs: frozenset[str], *resources: str) -> bool:
        """True when it allows one of the verbs on one of the resources."""
        asked = set(resources) | {"*"} | {f"*/{each.partition('/')[2]}" for each in resources if "/" in each}
        return bool(self.verbs & (verbs | {"*"})) and bool(self.resources & asked)


def grants(manifest: Manifest) -> Iterator[Flaw]:
    """What a role allows beyond what programs need."""
    if manifest.kind not in {"Role", "ClusterRole"} or manifest.name.startswith("system:"):
        return
    wide = manifest.kind == "ClusterRole"
    for entry in entries(manifest.root, "rules"):
        grant = _grant(entry, wide)
        worst = next(_judge(grant), None)
        if worst is not None:
            rule, attribute, message, severity = worst
            yield Flaw(rule, manifest.address, attribute, f"{manifest.kind} {manifest.name} {message}", grant.span, severity)


def _grant(entry: Node, wide: bool) -> _Grant:
    verbs = list(texts(entry, "verbs"))
    return _Grant(
        verbs=frozenset(node.text.lower() for node in verbs),
        resources=frozenset(node.text.lower() for node in texts(entry, "resources")),
        groups=frozenset(node.text for node in texts(entry, "apiGroups")),
        named=at(entry, "resourceNames") is not None,
        span=next((node.span for node in texts(entry, "resources")), entry.span),
        wide=wide,
    )


_Found = tuple[str, str, str, Severity | None]


def _judge(grant: _Grant) -> Iterator[_Found]:
    """Everything wrong with an entry, the worst first."""
    yield from _wildcards(grant)
    yield from _escalations(grant)
    yield from _take_overs(grant)
    yield from _reading(grant)


def _wildcards(grant: _Grant) -> Iterator[_Found]:
    every_verb, every_resource = "*" in grant.verbs, bool(grant.resources & {"*", "*/*"})
    if not (every_verb or every_resource) or not grant.resources:
        return
    own = not grant.groups & _BUILT_IN
    if every_verb and every_resource and not own:
        severity = None if grant.wide or "*" in grant.groups else Severity.MEDIUM
        yield "rbac-wildcard", "verbs *, resources *", "allows everything", severity
    elif every_resource and not own:
        verbs = ", ".join(sorted(grant.verbs))
        writes = grant.verbs & (_WRITES | {"delete", "deletecollection"})
        severity = Severity.HIGH if writes and grant.wide else Severity.MEDIUM
        yield "rbac-wildcard", "resources *", f"allows {verbs} on every kind of resource, secrets included", severity


def _escalations(grant: _Grant) -> Iterator[_Found]:
    milder = Severity.LOW if grant.named else None
    for verb, resources in (("impersonate", ("users", "groups", "serviceaccounts")), ("escalate", ("roles", "clusterroles"))):
        if verb in grant.verbs and grant.may(frozenset({verb}), *resources):
            yield "rbac-escalation", verb, f"allows {verb}, with which every other right can be taken", milder
    if "bind" in grant.verbs and grant.may(frozenset({"bind"}), "roles", "clusterroles"):
        yield "rbac-escalation", "bind", "allows bind, with which every other right can be taken", milder
    if grant.may(_WRITES, "rolebindings", "clusterrolebindings") and not grant.named:
        what = "clusterrolebindings" if grant.may(_WRITES, "clusterrolebindings") else "rolebindings"
        yield (
            "rbac-bindings",
            what,
            f"allows to change {what}: it can hand on every right that it has",
            None if grant.wide else Severity.LOW,
        )


def _take_overs(grant: _Grant) -> Iterator[_Found]:
    for resource in ("pods/exec", "pods/attach", "pods/ephemeralcontainers"):
        if grant.may(frozenset({"create", "get", "patch", "update"}), resource) and not grant.named:
            yield "rbac-exec", resource, f"allows {resource}: commands in containers of others", None if grant.wide else Severity.LOW
            return
    if grant.may(frozenset({"create", "get"}), "pods/portforward") and not grant.named:
        yield "rbac-exec", "pods/portforward", "allows pods/portforward: ports of containers of others", Severity.LOW
    if grant.may(_READS | _WRITES, "nodes/proxy"):
        reads = not grant.verbs & (_WRITES | {"*"})
        yield (
            "rbac-nodes-proxy",
            "nodes/proxy",
            "allows nodes/proxy: commands in every container of a node",
            Severity.LOW if reads else None,
        )
    if grant.may(frozenset({"create"}), "serviceaccounts/token"):
        yield "rbac-tokens", "serviceaccounts/token", "can make tokens of service accounts", Severity.LOW if grant.named else None
    if grant.may(frozenset({"approve", "update", "patch"}), "certificatesigningrequests/approval"):
        yield "rbac-certificates", "certificatesigningrequests/approval", "can approve certificates of users and nodes", None
    webhooks = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
    if grant.may(_WRITES | {"delete"}, *webhooks) and not grant.named:
        yield "rbac-webhooks", "webhookconfigurations", "can change webhooks, which see and change every object", None


def _reading(grant: _Grant) -> Iterator[_Found]:
    if grant.may(_READS | _WRITES, "secrets") and not grant.named and grant.groups & {"", "*"}:
        reads = grant.verbs & _READS
        where = "every namespace" if grant.wide else "its namespace"
        if reads:
            yield "rbac-secrets", "secrets", f"can read every secret of {where}", None if grant.wide else Severity.LOW
    workloads = sorted(grant.resources & _WORKLOADS)
    if workloads and grant.verbs & _WRITES and not grant.named:
        where, severity = ("every namespace", None) if grant.wide else ("its namespace", Severity.INFO)
        yield "rbac-workloads", "workloads", f"can start {workloads[0]} in {where}, as any service account there", severity


_EVERYBODY = {"system:anonymous": "anybody, without a login", "system:unauthenticated": "anybody, without a login"}
_LOGGED_IN = {"system:authenticated": "everybody with a login", "system:serviceaccounts": "every program in the cluster"}
_PUBLIC_ROLES = frozenset({"system:discovery", "system:basic-user", "system:public-info-viewer", "system:service-account-issuer-discovery"})


def bindings(manifest: Manifest) -> Iterator[Flaw]:
    """A binding that gives everything, or gives to everybody."""
    if manifest.kind not in {"RoleBinding", "ClusterRoleBinding"}:
        return
    role = scalar(manifest.root, "roleRef", "name")
    name = scalar_text(role)
    for subject in entries(manifest.root, "subjects"):
        node = scalar(subject, "name")
        who = scalar_text(node)
        if node is None or name in _PUBLIC_ROLES:
            continue
        if who in _EVERYBODY:
            message = f"{name} is given to {_EVERYBODY[who]}"
            yield Flaw("bound-to-everybody", manifest.address, f"subjects: {who}", message, node.span)
        elif who in _LOGGED_IN or who.startswith("system:serviceaccounts:"):
            message = f"{name} is given to {_LOGGED_IN.get(who, 'every program of a namespace')}"
            severity = Severity.HIGH if name in _ADMINS else Severity.MEDIUM
            yield Flaw("bound-to-everybody", manifest.address, f"subjects: {who}", message, node.span, severity)
        elif who == "system:masters":
            message = "system:masters can do everything, and no role takes it back"
            yield Flaw("cluster-admin-bound", manifest.address, "subjects: system:masters", message, node.span)
        elif who == "default" and scalar_text(scalar(subject, "kind")) == "ServiceAccount":
            message = f"{name} is given to the default service account, with which every pod runs that names none"
            yield Flaw("default-account-bound", manifest.address, f"roleRef: {name}", message, node.span)
    yield from _admin(manifest, role)


_ADMINS = frozenset({"cluster-admin", "admin", "edit"})


def _admin(manifest: Manifest, role: Scalar | None) -> Iterator[Flaw]:
    if role is None or role.text != "cluster-admin" or manifest.name in {"cluster-admin", "system:masters"}:
        return
    wide = manifest.kind == "ClusterRoleBinding"
    where = "the whole cluster" if wide else "the namespace"
    message = f"{manifest.name} gives every right over {where}"
    yield Flaw("cluster-admin-bound", manifest.address, "roleRef: cluster-admin", message, role.span, None if wide else Severity.MEDIUM)


def token(pod: Pod) -> Iterator[Flaw]:
    """The pod gets a token of the cluster that it may not need."""
    node = at(pod.spec, "automountServiceAccountToken")
    if isinstance(node, Scalar) and says_yes(node) and _default_account(pod):
        message = "The token of the default service account is put into the pod on purpose"
        yield Flaw("token-mounted", pod.address, "automountServiceAccountToken", message, node.span, Severity.LOW, replacement="false")
    elif node is None and pod.whole and not pod.patch and _default_account(pod):
        message = "The token of the default service account is put into the pod, which names no account of its own"
        yield Flaw("token-mounted", pod.address, "automountServiceAccountToken", message, pod.spot)


def _default_account(pod: Pod) -> bool:
    name = scalar_text(scalar(pod.spec, "serviceAccountName") or scalar(pod.spec, "serviceAccount"))
    return name in {"", "default"}


def default_account(manifest: Manifest) -> Iterator[Flaw]:
    """The default account hands its token to every pod."""
    if manifest.kind != "ServiceAccount" or manifest.name != "default":
        return
    node = at(manifest.root, "automountServiceAccountToken")
    if not says_no(node):
        span = node.span if isinstance(node, Scalar) else manifest.root.span
        message = "Every pod that names no account gets the default account's token"
        yield Flaw("token-mounted", manifest.address, "automountServiceAccountToken", message, span)
