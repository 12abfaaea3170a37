"""What a cluster is told to ask the server: a ValidatingWebhookConfiguration, or the files of the ImagePolicyWebhook plugin.

Guarantees: while a gate is only tried out a server that is down delays by at most a second and refuses nothing (`Ignore`); when it
enforces, it does (`Fail`). The cluster's own and our own namespaces are never asked about.
"""

from __future__ import annotations

import base64
from typing import Any

from msgspec import Struct

from assaymark.deployment.admission.approved import LABEL, Place
from assaymark.deployment.admission.policy import API, exempted, rules
from assaymark.errors import UsageError

REVIEWS, IMAGES = "/admission/k8s", "/admission/imagereview"


class Asking(Struct, frozen=True):
    """How the cluster reaches the server."""

    url: str
    """``https://…`` of the server."""
    place: Place
    token: str = ""
    """In the address, for clusters that are told nothing else; empty: it is sent as a header (`plugin_files`)."""
    authority: str = ""
    """Certificates in PEM that the server's is signed by; empty: those of the system."""
    enforce: bool = False
    exempt: tuple[str, ...] = ()


def configuration(asking: Asking) -> dict[str, Any]:
    """The ValidatingWebhookConfiguration.

    Raises:
        UsageError: when the address is none that an API server calls.
    """
    client: dict[str, Any] = {"url": _address(asking, REVIEWS) + (f"/{asking.token}" if asking.token else "")}
    if asking.authority:
        client["caBundle"] = base64.b64encode(asking.authority.encode()).decode()
    webhook = {
        "name": "quality-approved.assaymark.dev",
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "rules": rules(),
        "failurePolicy": "Fail" if asking.enforce else "Ignore",
        "matchPolicy": "Equivalent",
        "namespaceSelector": exempted(asking.place, asking.exempt),
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 3 if asking.enforce else 1,
    }
    metadata = {"name": asking.place.policy, "labels": {LABEL: asking.place.slug}}
    return {"apiVersion": API, "kind": "ValidatingWebhookConfiguration", "metadata": metadata, "webhooks": [webhook]}


def plugin(asking: Asking, kubeconfig: str) -> dict[str, Any]:
    """The AdmissionConfiguration of the ImagePolicyWebhook plugin, which is told where the kubeconfig lies."""
    policy = {
        "kubeConfigFile": kubeconfig,
        "allowTTL": 30,
        "denyTTL": 5,
        "retryBackoff": 500,
        "defaultAllow": not asking.enforce,
    }
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "ImagePolicyWebhook", "configuration": {"imagePolicy": policy}}],
    }


def kubeconfig(asking: Asking, path: str = IMAGES) -> dict[str, Any]:
    """By which an API server presents the gate's token as a header; the token is in it, so it is for the control plane alone."""
    cluster: dict[str, Any] = {"server": _address(asking, path)}
    if asking.authority:
        cluster["certificate-authority-data"] = base64.b64encode(asking.authority.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "assaymark", "cluster": cluster}],
        "users": [{"name": "api-server", "user": {"token": asking.token or "<token of the gate>"}}],
        "contexts": [{"name": "assaymark", "context": {"cluster": "assaymark", "user": "api-server"}}],
        "current-context": "assaymark",
    }


def _address(asking: Asking, path: str) -> str:
    url = asking.url.rstrip("/")
    if not url.startswith("https://") or "?" in url or "#" in url or "@" in url:
        raise UsageError(
            f"an API server does not call {url[:200]!r}", why="it asks https addresses alone, without user, query or fragment",
            advice="put the server behind TLS and set ASSAYMARK_URL",
        )  # fmt: skip
    return url + path
