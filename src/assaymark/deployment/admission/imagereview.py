"""ImageReview v1alpha1, as the ImagePolicyWebhook plugin of an API server sends it, and what is answered.

Guarantees as in `review`. The plugin sends names of images without saying what ran before: a pod whose approval was withdrawn cannot even
be labelled while it is asked this way, and image volumes are not sent at all. The webhook or the policy (`policy`) ask better.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assaymark.deployment.admission.images import Image
from assaymark.deployment.admission.judging import Decision, Judge, Terms, decide, sentence
from assaymark.deployment.admission.review import Envelope, envelope, notes

API = "imagepolicy.k8s.io/v1alpha1"
KIND = "ImageReview"


class Container(Struct, frozen=True):
    image: str = ""


class Spec(Struct, frozen=True):
    containers: tuple[Container, ...] | None = None
    annotations: dict[str, str] | None = None
    namespace: str = ""


class _Review(Envelope, frozen=True, rename="camel"):
    spec: Spec


def read(data: bytes) -> Spec:
    """What is asked.

    Raises:
        ReviewInvalidError: when it is no review.
    """
    return envelope(data, _Review, KIND, API).spec


def judged(spec: Spec, terms: Terms, judge: Judge) -> Decision:
    """What is decided about it."""
    images = tuple(Image(f"containers[{number}]", each.image) for number, each in enumerate(spec.containers or ()) if each.image)
    return decide(images, spec.namespace, spec.annotations or {}, terms, judge)


def answer(decision: Decision, terms: Terms) -> bytes:
    """The review that goes back."""
    status: dict[str, object] = {"allowed": decision.allowed}
    if decision.doubts:
        status["reason"] = sentence(decision, terms.url)
    status["auditAnnotations"] = notes(decision)
    return msgspec.json.encode({"apiVersion": API, "kind": KIND, "status": status})
