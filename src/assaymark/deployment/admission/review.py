"""AdmissionReview v1, as an API server sends it to a ValidatingAdmissionWebhook, and what is answered.

Guarantees: an answer bears the uid of its question; bytes that are no review, are too many, or name something twice are an error and never
an answer that allows; of an UPDATE only images that were not in the object before are judged, so that what runs can be labelled, scaled
and drained after its approval was withdrawn (pods that a controller makes anew are CREATEs and are judged); DELETE and CONNECT start
nothing and are allowed. The request's namespace counts, not what the object says of itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from assaymark.deployment.admission import judging
from assaymark.deployment.admission.images import Image, ShapeError, annotations_of, images_of
from assaymark.deployment.admission.judging import Decision, Judge, Terms, decide, sentence, shown
from assaymark.endorsement import strict_json

API = "admission.k8s.io/v1"
KIND = "AdmissionReview"
MOST_BYTES = 3 << 20
"""What an API server takes for one object; a review that holds two of that size is refused."""
_MOST_UID = 256
_MOST_WARNINGS = 8
_MOST_WARNING = 250


class Operation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class Kind(Struct, frozen=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class User(Struct, frozen=True):
    username: str = ""


class Request(Struct, frozen=True, rename="camel"):
    """What is asked."""

    uid: str
    operation: Operation
    kind: Kind
    namespace: str = ""
    name: str = ""
    sub_resource: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    dry_run: bool | None = None
    user_info: User = User()


class Envelope(Struct, frozen=True, rename="camel"):
    """What every review begins with."""

    api_version: str
    kind: str


class _Review(Envelope, frozen=True, rename="camel"):
    request: Request


_Form = TypeVar("_Form", bound=Envelope)


class ReviewInvalidError(ValueError):
    """These bytes are no review that could be answered."""


def envelope(data: bytes, form: type[_Form], kind: str, api: str) -> _Form:
    """A review of this kind.

    Raises:
        ReviewInvalidError: when it is none.
    """
    if len(data) > MOST_BYTES:
        raise ReviewInvalidError(f"the review has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        found = strict_json.read(data, form)
    except strict_json.NotStrictError as error:
        raise ReviewInvalidError(f"this is no {kind} {api}: {error}") from error
    if found.api_version != api or found.kind != kind:
        raise ReviewInvalidError(f"this is a {shown(found.kind)} {shown(found.api_version)}, asked for is {kind} {api}")
    return found


def read(data: bytes) -> Request:
    """The request.

    Raises:
        ReviewInvalidError: when it is none.
    """
    found = envelope(data, _Review, KIND, API)
    if not found.request.uid or len(found.request.uid) > _MOST_UID:
        raise ReviewInvalidError("the request has no uid that could be answered to")
    return found.request


def judged(request: Request, terms: Terms, judge: Judge) -> Decision:
    """What is decided about it."""
    try:
        images = fresh(request)
        annotations = annotations_of(request.object or {}, request.kind.group, request.kind.kind)
    except ShapeError as error:
        return judging.unreadable(str(error), request.namespace, terms)
    return decide(images, request.namespace, annotations, terms, judge)


def fresh(request: Request) -> tuple[Image, ...]:
    """Images that would start running somewhere, and did not before.

    Raises:
        ShapeError: when the new object's images cannot be found out.
    """
    if request.operation in {Operation.DELETE, Operation.CONNECT} or request.object is None:
        return ()
    images = images_of(request.object, request.kind.group, request.kind.kind)
    if request.operation is not Operation.UPDATE or request.old_object is None:
        return images
    try:
        before = {each.text for each in images_of(request.old_object, request.kind.group, request.kind.kind)}
    except ShapeError:
        before = set()
    return tuple(each for each in images if each.text not in before)


def answer(request: Request, decision: Decision, terms: Terms) -> bytes:
    """The review that goes back."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": decision.allowed}
    if not decision.allowed:
        response["status"] = {"code": 403, "reason": "Forbidden", "message": sentence(decision, terms.url)}
    warnings = _warnings(decision)
    if warnings:
        response["warnings"] = warnings
    response["auditAnnotations"] = notes(decision)
    return msgspec.json.encode({"apiVersion": API, "kind": KIND, "response": response})


def notes(decision: Decision) -> dict[str, str]:
    """For the cluster's audit log."""
    found = {"outcome": decision.outcome, "environment": shown(decision.environment), "endorsements": ",".join(decision.endorsements)}
    found["refused"] = "; ".join(f"{each.reason}: {shown(each.image)}" for each in decision.doubts[:20])
    found["break-glass"] = shown(decision.break_glass)
    return {name: text for name, text in found.items() if text}


def _warnings(decision: Decision) -> list[str]:
    """Shown to whoever sent the object; of a refusal its message says it."""
    found = []
    if decision.allowed:
        word = "break-glass, not" if decision.outcome == "break-glass" else "would be refused, not"
        found = [f"{word} Quality Approved: {shown(each.image)}: {each.reason}, {shown(each.text)}" for each in decision.doubts]
    found += decision.remarks
    if decision.break_glass and decision.outcome != "break-glass":
        found.append("the break-glass annotation is reported and opens nothing here")
    return [each[:_MOST_WARNING] for each in found[:_MOST_WARNINGS]]
