"""Where images hide, as a law: whatever the kind, an image that stands in a pod is found, and one that does not is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.deployment.admission.images import ShapeError, digest_of, images_of

NAMES = st.lists(st.text("abc/:@.", min_size=1, max_size=12), max_size=3)
WAYS = {
    ("v1", "Pod"): ("spec",),
    ("v1", "PodTemplate"): ("template", "spec"),
    ("v1", "ReplicationController"): ("spec", "template", "spec"),
    ("apps/v1", "Deployment"): ("spec", "template", "spec"),
    ("apps/v1", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps/v1", "StatefulSet"): ("spec", "template", "spec"),
    ("apps/v1", "DaemonSet"): ("spec", "template", "spec"),
    ("batch/v1", "Job"): ("spec", "template", "spec"),
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("example.org/v1", "Thing"): ("spec", "deep", "er", "pod"),
}


def within(way: tuple[str, ...], inner: Any) -> Any:
    for name in reversed(way):
        inner = {name: inner}
    return inner


@given(st.sampled_from(sorted(WAYS)), NAMES, NAMES, NAMES, NAMES)
def test_every_image_of_a_pod_is_found_whatever_makes_the_pod(
    named: tuple[str, str], containers: list[str], init: list[str], debug: list[str], volumes: list[str]
) -> None:
    pod = {
        "containers": [{"name": "c", "image": each} for each in containers],
        "initContainers": [{"name": "c", "image": each} for each in init],
        "ephemeralContainers": [{"name": "c", "image": each} for each in debug],
        "volumes": [{"name": "e", "emptyDir": {}}, *({"name": "v", "image": {"reference": each}} for each in volumes)],
    }
    document = {"apiVersion": named[0], "kind": named[1], **within(WAYS[named], pod)}
    assert [each.text for each in images_of(document)] == [*containers, *init, *debug, *volumes]
    listed = {"apiVersion": "v1", "kind": "List", "items": [document, document]}
    assert [each.text for each in images_of(listed)] == [*containers, *init, *debug, *volumes] * 2


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("a@sha256:" + "0" * 64, True),
        ("r.example:5000/a/b:1@sha256:" + "0" * 64, True),
        ("a", False),
        ("a:1", False),
        ("@sha256:" + "0" * 64, False),
        ("sha256:" + "0" * 64, False),
        ("a@sha256:" + "0" * 63, False),
        ("a@sha256:" + "0" * 65, False),
        ("a@SHA256:" + "0" * 64, False),
        ("a@sha512:" + "0" * 128, False),
        ("a b@sha256:" + "0" * 64, False),
        ("a@sha256:" + "0" * 64 + "\n", False),
        ("a@sha256:" + "٠" * 64, False),
        ("", False),
    ],
)
def test_only_a_name_with_one_whole_digest_is_pinned(text: str, pinned: bool) -> None:
    assert bool(digest_of(text)) is pinned


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "v1", "kind": "Pod", "spec": []},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": {}}},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": ["x"]}},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": 1}]}},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"image": "x"}]}},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"image": {"reference": []}}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": "x"}},
        {"apiVersion": "v1", "kind": "List", "items": {"a": 1}},
        {"apiVersion": "v1", "kind": "List", "items": ["x"]},
    ],
)
def test_an_object_of_another_shape_than_its_kind_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        images_of(document)


def test_what_is_too_deep_or_too_large_is_an_error() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"a": deep}
    with pytest.raises(ShapeError):
        images_of({"apiVersion": "example.org/v1", "kind": "Thing", "spec": deep})
    with pytest.raises(ShapeError):
        images_of({"apiVersion": "example.org/v1", "kind": "Thing", "spec": [[]] * 300_000})
    nested: Any = {"apiVersion": "v1", "kind": "List", "items": []}
    for _ in range(10):
        nested = {"apiVersion": "v1", "kind": "List", "items": [nested]}
    with pytest.raises(ShapeError):
        images_of(nested)


def test_an_object_that_does_not_say_what_it_is_is_what_the_request_says() -> None:
    spec = {"spec": {"containers": [{"image": "a"}]}}
    assert [each.text for each in images_of(spec, "", "Pod")] == ["a"]
    assert [each.path for each in images_of({"items": [spec]}, "", "PodList")] == ["items[0].spec.containers[0]"]
