"""ImageReview v1alpha1, as the ImagePolicyWebhook plugin of an API server sends it, and what is answered.

Guarantees as in `review`. The plugin sends names of images without saying what ran before: a pod whose approval was withdrawn cannot even
be labelled while it is asked this way, and image volumes are not sent at all. The webhook or the policy (`policy`) ask better.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assaymark.deployment.admission.images import Image
from assaymark.deployment.admission.judging import Decision, Judge, Terms, decide, sentence, shown
from assaymark.deployment.admission.review import MOST_BYTES, ReviewInvalidError, notes
from assaymark.endorsement import strict_json

API = "imagepolicy.k8s.io/v1alpha1"
KIND = "ImageReview"


class Container(Struct, frozen=True):
    image: str = ""


class Spec(Struct, frozen=True):
    containers: tuple[Container, ...] | None = None
    annotations: dict[str, str] | None = None
    namespace: str = ""


class _Review(Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    spec: Spec


def read(data: bytes) -> Spec:
    """What is asked.

    Raises:
        ReviewInvalidError: when it is no review.
    """
    if len(data) > MOST_BYTES:
        raise ReviewInvalidError(f"the review has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        found = strict_json.read(data, _Review)
    except strict_json.NotStrictError as error:
        raise ReviewInvalidError(f"this is no {KIND} {API}: {error}") from error
    if found.api_version != API or found.kind != KIND:
        raise ReviewInvalidError(f"this is a {shown(found.kind)} {shown(found.api_version)}, asked for is {KIND} {API}")
    return found.spec


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
