"""Every review that an API server sends is answered rightly, at a gate that enforces and at one that is only tried out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.deployment.recorded_reviews import APPROVED, ENFORCING, UNKNOWN, cases, image_cases, judge

from assaymark.deployment.admission import imagereview, review
from assaymark.deployment.admission.judging import BREAK_GLASS, Terms
from assaymark.deployment.admission.review import MOST_BYTES, ReviewInvalidError

CASES, IMAGES = cases(), image_cases()
JUDGE = judge()
TRYING = replace(ENFORCING, enforce=False)


def answered(document: Any, terms: Terms = ENFORCING) -> dict[str, Any]:
    request = review.read(json.dumps(document).encode())
    found = msgspec.json.decode(review.answer(request, review.judged(request, terms, JUDGE), terms))
    assert (found["apiVersion"], found["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert found["response"]["uid"] == document["request"]["uid"]
    return dict(found["response"])


def pod(image: str, **of_request: Any) -> dict[str, Any]:
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": image}]}}
    request = {
        "uid": "1",
        "operation": "CREATE",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "namespace": "shop",
        "object": made,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | of_request}


@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_each_recorded_review_is_answered_rightly(name: str, case: dict[str, Any]) -> None:
    wanted = case["answer"]
    request = review.read(json.dumps(case["review"]).encode())
    decision = review.judged(request, ENFORCING, JUDGE)
    assert (decision.allowed, decision.outcome) == (wanted["allowed"], wanted["outcome"])
    assert [[each.path, each.reason] for each in decision.doubts] == wanted["refused"]
    said = answered(case["review"])
    assert said["allowed"] is wanted["allowed"]
    assert ("status" in said) is not wanted["allowed"]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_a_gate_that_is_tried_out_allows_everything_and_says_what_it_would_refuse(name: str, case: dict[str, Any]) -> None:
    said = answered(case["review"], TRYING)
    wanted = case["answer"]
    assert said["allowed"] is True
    assert "status" not in said
    warned = [each for each in said.get("warnings", []) if each.startswith("would be refused")]
    assert len(warned) == len(wanted["refused"])
    assert said["auditAnnotations"]["outcome"] == ("would-refuse" if wanted["refused"] else wanted["outcome"])


@pytest.mark.parametrize(("name", "case"), IMAGES, ids=[name for name, _ in IMAGES])
def test_each_recorded_image_review_is_answered_rightly(name: str, case: dict[str, Any]) -> None:
    spec = imagereview.read(json.dumps(case["review"]).encode())
    decision = imagereview.judged(spec, ENFORCING, JUDGE)
    wanted = case["answer"]
    assert (decision.allowed, decision.outcome) == (wanted["allowed"], wanted["outcome"])
    assert [[each.path, each.reason] for each in decision.doubts] == wanted["refused"]
    said = msgspec.json.decode(imagereview.answer(decision, ENFORCING))
    assert (said["apiVersion"], said["kind"]) == ("imagepolicy.k8s.io/v1alpha1", "ImageReview")
    assert said["status"]["allowed"] is wanted["allowed"]
    assert bool(said["status"].get("reason")) is bool(wanted["refused"])
    tried = msgspec.json.decode(imagereview.answer(imagereview.judged(spec, TRYING, JUDGE), TRYING))
    assert tried["status"]["allowed"] is True


def test_a_refusal_names_the_image_the_reason_and_where_to_read_on() -> None:
    said = answered(pod(f"registry.example.org/x@{UNKNOWN}"))
    assert said["status"]["code"] == 403
    message = said["status"]["message"]
    assert "no-endorsement" in message
    assert "spec.containers[0]" in message
    assert f"https://assay.example/trace?q={UNKNOWN}" in message


def test_what_is_allowed_names_its_endorsement_in_the_clusters_audit_log() -> None:
    said = answered(pod(f"registry.example.org/x@{APPROVED[0]}"))
    assert said["auditAnnotations"]["endorsements"].startswith("sha256:")
    assert said["auditAnnotations"]["environment"] == "production"


def test_whoever_starts_an_index_is_warned_of_the_platforms_of_which_nothing_is_known() -> None:
    request = review.read(json.dumps(pod(f"app@{APPROVED[0]}")).encode())
    decision = review.judged(request, ENFORCING, lambda *asked: replace(JUDGE(*asked), unjudged=("linux/arm64",)))
    found = msgspec.json.decode(review.answer(request, decision, ENFORCING))["response"]
    warning = f"app@{APPROVED[0]}: nothing is known of its platforms linux/arm64"
    assert (found["allowed"], found["warnings"]) == (True, [warning])


def test_the_environment_is_that_of_the_namespace() -> None:
    terms = replace(ENFORCING, environment="production", namespaces=(("shop-test", "test"), ("stage-*", "staging"), ("*-x", "never")))
    image = f"x@{APPROVED[0]}"
    assert answered(pod(image, namespace="stage-1"), terms)["auditAnnotations"]["environment"] == "staging"
    refused = answered(pod(image, namespace="shop-test"), terms)
    assert (refused["allowed"], "wrong-environment" in refused["status"]["message"]) == (False, True)
    assert answered(pod(image), terms)["allowed"] is True


def test_break_glass_opens_only_a_gate_that_was_told_to_obey_it() -> None:
    asked = pod(f"x@{UNKNOWN}")
    asked["request"]["object"]["metadata"]["annotations"] = {BREAK_GLASS: "incident 4711"}
    closed = answered(asked)
    assert closed["allowed"] is False
    assert closed["auditAnnotations"]["break-glass"] == "incident 4711"
    assert any("opens nothing" in each for each in closed["warnings"])
    opened = answered(asked, replace(ENFORCING, obeys_break_glass=True))
    assert opened["allowed"] is True
    assert opened["auditAnnotations"]["outcome"] == "break-glass"
    assert any("not Quality Approved" in each for each in opened["warnings"])
    asked["request"]["object"]["metadata"]["annotations"] = {BREAK_GLASS: "  "}
    assert answered(asked, replace(ENFORCING, obeys_break_glass=True))["allowed"] is False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
        json.dumps(pod("x") | {"apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps(pod("x") | {"kind": "AdmissionReviewList"}).encode(),
        json.dumps(pod("x", uid="")).encode(),
        json.dumps(pod("x", uid="u" * 300)).encode(),
        json.dumps(pod("x", uid=7)).encode(),
        json.dumps(pod("x", operation="PATCH")).encode(),
        json.dumps(pod("x", object="text")).encode(),
        json.dumps(pod("x", object=[1])).encode(),
        json.dumps(pod("x", namespace=None)).encode(),
        json.dumps(pod("x")).encode()[:-5],
        json.dumps(pod("x")).replace('"operation"', '"operation": "DELETE", "operation"').encode(),
        json.dumps(pod("x")).replace('"image"', '"image": "a", "image"').encode(),
        json.dumps(pod("x")).replace('"uid"', '"uid": "2", "uid"').encode(),
        b'{"apiVersion": NaN}',
        b'{"a":' * 100_000,
        b"[" * 100_000,
        json.dumps(pod("x" * MOST_BYTES)).encode(),
    ],
)
def test_what_is_no_review_is_an_error_and_allows_nothing(data: bytes) -> None:
    with pytest.raises(ReviewInvalidError):
        review.read(data)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"apiVersion":"imagepolicy.k8s.io/v1alpha1","kind":"ImageReview"}', b"{" * 10_000, b" " * (MOST_BYTES + 1)]
)
def test_what_is_no_image_review_is_an_error_and_allows_nothing(data: bytes) -> None:
    with pytest.raises(ReviewInvalidError):
        imagereview.read(data)


def test_a_review_of_three_mebibytes_is_read() -> None:
    asked = pod(f"x@{APPROVED[0]}")
    asked["request"]["object"]["metadata"]["annotations"] = {"note": "n" * (MOST_BYTES - 2000)}
    assert answered(asked)["allowed"] is True


def test_more_images_than_anybody_looks_at_are_refused() -> None:
    asked = pod("x")
    asked["request"]["object"]["spec"]["containers"] = [{"name": "c", "image": f"x@{APPROVED[0]}"}] * 501
    assert answered(asked)["allowed"] is False


def test_words_of_strangers_stand_on_one_line_and_in_a_bound() -> None:
    said = answered(pod("evil\r\nSet-Cookie: x=1\x00" + "y" * 10_000))
    message = said["status"]["message"]
    assert message.isprintable()
    assert len(message) < 4000


def test_of_an_update_without_its_old_object_everything_is_judged() -> None:
    assert answered(pod(f"x@{UNKNOWN}", operation="UPDATE"))["allowed"] is False
    assert answered(pod(f"x@{UNKNOWN}", operation="UPDATE", oldObject={"apiVersion": "v1", "kind": "Pod", "spec": []}))["allowed"] is False
