"""A ValidatingAdmissionPolicy in CEL, with its bindings: the cluster itself refuses what is not in the maps of digests (`approved`).

Guarantees: it asks no server; it asks about the same places and the same changes as `review`; a map that is missing, or is another one's,
refuses; an approval that ended refuses a CREATE, by the API server's own clock. While it is only tried out (`enforce` off) nothing is
ever refused, also not by an error: a missing map would otherwise deny whatever the binding's actions say, so the failure policy is
`Ignore` then.

What it cannot: see a revocation before the maps were renewed; look into kinds that it does not name (their pods are asked about). Whoever
may write ConfigMaps in our namespace, or label namespaces, may open it.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from assaymark.deployment.admission.approved import LABEL, Place
from assaymark.deployment.admission.judging import NEVER_ASKED

_NAME = "kubernetes.io/metadata.name"
API = "admissionregistration.k8s.io/v1"
PINNED = "^[^@\\\\s]+@sha256:[0-9a-f]{64}$"
"""As `images.digest_of` has it, within a text of CEL."""
_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers")),
    ("apps", ("deployments", "replicasets", "statefulsets", "daemonsets")),
    ("batch", ("jobs", "cronjobs")),
)


class Shape(Struct, frozen=True):
    """How the policy is wanted."""

    place: Place
    enforce: bool = False
    exempt: tuple[str, ...] = ()
    """Beside kube-system and the namespace of the maps."""
    namespaces: tuple[tuple[str, str], ...] = ()
    """(namespace, environment); a namespace may end in ``*``, the first that fits counts. Asked about are those of this environment."""
    elsewhere: bool = True
    """Whether namespaces that are not named are of this environment."""
    shards: tuple[str, ...] = ("",)
    url: str = ""
    """Of the server, named in refusals."""


def rules() -> list[dict[str, Any]]:
    """What is asked about, for the policy and for the webhook."""
    return [
        {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": list(names), "scope": "Namespaced"}
        for group, names in _RULES
    ]


def exempted(place: Place, exempt: tuple[str, ...]) -> dict[str, Any]:
    """A selector of namespaces that leaves out what must never be locked out."""
    names = sorted({NEVER_ASKED, place.namespace, *exempt})
    return {"matchExpressions": [{"key": _NAME, "operator": "NotIn", "values": names}]}


def policy(shape: Shape) -> dict[str, Any]:
    """The policy."""
    constraints = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": exempted(shape.place, shape.exempt),
        "objectSelector": {},
        "resourceRules": rules(),
    }
    spec: dict[str, Any] = {
        "failurePolicy": "Fail" if shape.enforce else "Ignore",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": constraints,
        "variables": [{"name": name, "expression": expression} for name, expression in variables().items()],
        "validations": validations(shape),
    }
    condition = _within(shape)
    if condition:
        spec["matchConditions"] = [{"name": "namespaces", "expression": condition}]
    return {"apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": _metadata(shape.place, shape.place.policy), "spec": spec}


def bindings(shape: Shape) -> list[dict[str, Any]]:
    """One per map, each by its name: with a selector, a map that is missing would be one fewer to obey."""
    return [
        {
            "apiVersion": API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": _metadata(shape.place, f"{shape.place.policy}-{shard or 'all'}"),
            "spec": {
                "policyName": shape.place.policy,
                "paramRef": {
                    "name": shape.place.map_of(shard),
                    "namespace": shape.place.namespace,
                    "parameterNotFoundAction": "Deny",
                },
                "matchResources": {"namespaceSelector": exempted(shape.place, shape.exempt)},
                "validationActions": ["Deny", "Audit"] if shape.enforce else ["Warn", "Audit"],
            },
        }
        for shard in shape.shards
    ]


def variables() -> dict[str, str]:
    """Name -> expression, in an order in which each names only earlier ones."""
    found = {
        "spec": _spec("object", "object == null"),
        "oldSpec": _spec("oldObject", "request.operation != 'UPDATE' || oldObject == null"),
        "images": _images("variables.spec"),
        "oldImages": _images("variables.oldSpec"),
        "fresh": "variables.images.filter(i, !(i in variables.oldImages))",
        "unpinned": f"variables.fresh.filter(i, !i.matches('{PINNED}'))",
        "digests": f"variables.fresh.filter(i, i.matches('{PINNED}')).map(i, i.substring(size(i) - 64))",
        "now": (
            "request.operation != 'CREATE' ? timestamp('1970-01-01T00:00:00Z') : "
            "has(object.metadata.creationTimestamp) && object.metadata.creationTimestamp != null ? "
            "timestamp(object.metadata.creationTimestamp) : timestamp('9999-12-31T23:59:59Z')"
        ),
        "unapproved": (
            "variables.digests.filter(d, d.startsWith(params.data.shard) && !("
            "('sha256-' + d.substring(0, 2)) in params.data && "
            "params.data['sha256-' + d.substring(0, 2)].split('\\n').exists(l, "
            "l.startsWith(d + ' ') && timestamp(l.substring(65)) > variables.now)))"
        ),
    }
    return found  # noqa: RET504 - named, to be read


def validations(shape: Shape) -> list[dict[str, Any]]:
    place = shape.place
    where = f" for {place.environment}" if place.environment else ""
    link = f" (see {shape.url}/trace)" if shape.url else ""
    prefix = _text(place.map_of("").removesuffix("all"))
    return [
        {
            "expression": (
                f"params.metadata.name == {prefix} + (params.data.shard == '' ? 'all' : params.data.shard) && "
                f"params.data.environment == {_text(place.environment)}"
            ),
            "message": "the map of approved digests is not the one of this environment and part",
            "reason": "Forbidden",
        },
        {
            # Each part would say it; the first does.
            "expression": "!(params.data.shard in ['', '0', '00']) || size(variables.unpinned) == 0",
            "message": "an image is not pinned by a digest: add @sha256:… to its name",
            "messageExpression": f"{_text('not pinned by a digest, add @sha256:… to the name: ')} + variables.unpinned.join(', ')",
            "reason": "Forbidden",
        },
        {
            "expression": "size(variables.unapproved) == 0",
            "message": f"an image is not Quality Approved{where}",
            "messageExpression": (
                f"{_text(f'not Quality Approved{where}: ')} + variables.unapproved.map(d, 'sha256:' + d).join(', ') + {_text(link)}"
            ),
            "reason": "Forbidden",
        },
    ]


# --- expressions -----------------------------------------------------------------------------------------------------


def _spec(name: str, absent: str) -> str:
    """Where an object of its kind describes its pod; an empty one where there is none."""
    nothing = "dyn({})"
    cron = f"{name}.spec.jobTemplate.spec.template.spec"
    template = f"has({name}.spec) && has({name}.spec.template) && {name}.spec.template != null && has({name}.spec.template.spec)"
    return (
        f"{absent} ? {nothing} : request.kind.kind == 'Pod' ? {name}.spec : request.kind.kind == 'CronJob' ? {cron} : "
        f"request.kind.kind == 'PodTemplate' ? {name}.template.spec : {template} ? {name}.spec.template.spec : {nothing}"
    )


def _images(spec: str) -> str:
    containers = [
        f"(has({spec}.{name}) && {spec}.{name} != null ? {spec}.{name}.filter(c, has(c.image) && c.image != '').map(c, c.image) : [])"
        for name in ("containers", "initContainers", "ephemeralContainers")
    ]
    volumes = (
        f"(has({spec}.volumes) && {spec}.volumes != null ? {spec}.volumes.filter(v, has(v.image) && v.image != null && "
        "has(v.image.reference) && v.image.reference != '').map(v, v.image.reference) : [])"
    )
    return " + ".join([*containers, volumes])


def _within(shape: Shape) -> str:
    """Whether the namespace is of this environment, as `judging.Terms.environment_of` has it; empty where all are."""
    if not shape.namespaces and shape.elsewhere:
        return ""
    asked = [
        f"{f'request.namespace.startsWith({_text(name[:-1])})' if name.endswith('*') else f'request.namespace == {_text(name)}'} ? "
        f"{_true(environment == shape.place.environment)} : "
        for name, environment in shape.namespaces
    ]
    return "".join(asked) + _true(shape.elsewhere)


def _true(value: object) -> str:
    return "true" if value else "false"


def _text(text: str) -> str:
    """A text of CEL: JSON's way to write one is CEL's too, as long as nothing is written as halves of a character."""
    return json.dumps(text, ensure_ascii=False)


def _metadata(place: Place, name: str) -> dict[str, Any]:
    return {"name": name, "labels": {LABEL: place.slug}}
