"""The policy that a cluster follows by itself: it fits the published schema, and answers each recorded review as the webhook does."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import cel
import jsonschema_rs
import pytest
import yaml
from tests.deployment.cluster import Cluster
from tests.deployment.recorded_reviews import APPROVED, ENDED, ENVIRONMENT, UNKNOWN, cases, listed

from assaymark.deployment.admission import manifest, webhook
from assaymark.deployment.admission.approved import MOST_IN_A_MAP, ApprovedDigest, Place, maps, shards_for, shards_of
from assaymark.deployment.admission.judging import Terms
from assaymark.deployment.admission.policy import Shape, bindings, policy, variables
from assaymark.errors import UsageError

SCHEMA = json.loads((Path(__file__).parent / "kubernetes_schema.json").read_text("utf-8"))
PLACE = Place(ENVIRONMENT)
CASES = cases()
OF_TEAMS = (("shop", ENVIRONMENT), ("team-b", "test"), ("team-*", ENVIRONMENT))
KINDS = {
    "ValidatingAdmissionPolicy": "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding": "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration": "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
}


def check(document: Any) -> None:
    """Against Kubernetes' own schema, in which a name that it does not know is an error."""
    jsonschema_rs.validate(SCHEMA | {"$ref": f"#/$defs/{KINDS[document['kind']]}"}, document)


def cluster(*, enforce: bool = True, shards: tuple[str, ...] = ("",), **shape: Any) -> Cluster:
    wanted = Shape(PLACE, enforce=enforce, shards=shards, url="https://assay.example", **shape)
    return Cluster(policy(wanted), bindings(wanted), maps(PLACE, listed(), shards))


@functools.cache
def standing(*, enforce: bool, shards: int) -> Cluster:
    return cluster(enforce=enforce, shards=shards_of(shards))


def asked(name: str) -> dict[str, Any]:
    return copy.deepcopy(next(case["review"]["request"] for known, case in CASES if known == name))


def asked_about(digest: str) -> dict[str, Any]:
    request = asked("pods: an approved pod")
    request["object"]["spec"]["containers"][0]["image"] = f"registry.example.org/app@{digest}"
    return request


@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize("shards", [1, 16, 256])
def test_what_is_generated_fits_the_published_schema(enforce: bool, shards: int) -> None:
    shape = Shape(PLACE, enforce, ("monitoring",), OF_TEAMS, elsewhere=False, shards=shards_of(shards), url="https://assay.example")
    documents = [policy(shape), *bindings(shape), *maps(PLACE, listed(), shape.shards)]
    again = list(yaml.safe_load_all(manifest.written(documents)))
    assert again == documents
    for document in again:
        check(document)
    asking = webhook.Asking("https://assay.example", PLACE, "token", "-----BEGIN CERTIFICATE-----", enforce)
    check(webhook.configuration(asking))


def test_the_schema_finds_a_misspelt_name() -> None:
    broken = policy(Shape(PLACE))
    broken["spec"]["failPolicy"] = broken["spec"].pop("failurePolicy")
    with pytest.raises(jsonschema_rs.ValidationError):
        check(broken)


def test_every_expression_compiles() -> None:
    made = policy(Shape(PLACE, namespaces=(*OF_TEAMS, ('odd"name\\', ENVIRONMENT))))
    expressions = [*variables().values(), *(each["expression"] for each in made["spec"]["matchConditions"])]
    expressions += [each[name] for each in made["spec"]["validations"] for name in ("expression", "messageExpression") if name in each]
    for each in expressions:
        cel.compile(each)


ASKED = [(name, case, 1) for name, case in CASES] + [(name, case, 16) for name, case in CASES if name.startswith("pods")]


@pytest.mark.parametrize(("name", "case", "shards"), ASKED, ids=[f"{name} ({shards})" for name, _, shards in ASKED])
def test_the_policy_answers_as_the_webhook_does(name: str, case: dict[str, Any], shards: int) -> None:
    wanted = case["answer"]
    found = standing(enforce=True, shards=shards).admit(case["review"]["request"])
    assert found.matched is (wanted["policy"])
    if found.matched:
        assert found.allowed is wanted["allowed"], found.messages
        by_error = any("expression failed" in each for each in found.messages)
        assert by_error is (["", "unreadable"] in wanted["refused"])
    tried = standing(enforce=False, shards=shards).admit(case["review"]["request"])
    assert tried.allowed
    assert bool(tried.warnings) is (found.matched and not wanted["allowed"] and wanted["refused"] != [["", "unreadable"]])


def test_a_refusal_names_the_images() -> None:
    (told,) = cluster().admit(asked_about(UNKNOWN)).messages
    assert told == f"not Quality Approved for production: {UNKNOWN} (see https://assay.example/trace)"
    (told,) = cluster().admit(asked("pods: a pod with a tag alone")).messages
    assert told.endswith("registry.example.org/shop/app:1.2")


def test_a_part_that_is_missing_refuses_and_one_that_is_tried_out_does_not() -> None:
    for enforce in (True, False):
        made = cluster(enforce=enforce, shards=shards_of(16))
        del made.maps["assaymark", PLACE.map_of("a")]
        assert made.admit(asked_about(APPROVED[0])).allowed is not enforce
        assert made.admit(asked_about("sha256:" + "f" * 64)).allowed is not enforce


@pytest.mark.parametrize(("name", "value"), [("shard", "b"), ("environment", "staging"), ("shard", None), ("environment", None)])
def test_a_map_that_is_another_ones_refuses(name: str, value: str | None) -> None:
    made = cluster(shards=shards_of(16))
    data = made.maps["assaymark", PLACE.map_of("a")]["data"]
    if value is None:
        del data[name]
    else:
        data[name] = value
    assert not made.admit(asked_about(APPROVED[0])).allowed


def test_an_approval_that_ended_refuses_what_is_made_and_not_what_runs() -> None:
    request = asked_about(ENDED)
    assert not cluster().admit(request).allowed
    request["object"]["metadata"]["creationTimestamp"] = "2026-05-29T00:00:00Z"
    assert cluster().admit(request).allowed
    del request["object"]["metadata"]["creationTimestamp"]
    assert not cluster().admit(request).allowed
    assert not cluster().admit(asked_about(APPROVED[0]) | {"object": request["object"]}).allowed


def test_only_the_namespaces_that_were_named_are_asked_about() -> None:
    request = asked_about(UNKNOWN)
    standing = cluster(namespaces=OF_TEAMS, elsewhere=False, exempt=("team-infra",))
    names = ("shop", "team-a", "team-b", "team-infra", "shop-2", "kube-system", "assaymark")
    assert {name for name in names if standing.admit(request | {"namespace": name}).matched} == {"shop", "team-a"}


def test_a_namespace_is_of_the_same_environment_to_policy_and_webhook() -> None:
    mapped = (("shop", "test"), ("shop-*", ENVIRONMENT), ("team-a", ENVIRONMENT), ("team-*", "test"), ("x*", "other"))
    for default in (ENVIRONMENT, "test"):
        terms = Terms(default, namespaces=mapped)
        standing = cluster(namespaces=mapped, elsewhere=default == ENVIRONMENT)
        for name in ("shop", "shop-1", "team-a", "team-ab", "x", "xy", "other"):
            found = standing.admit(asked_about(UNKNOWN) | {"namespace": name})
            assert found.matched is (terms.environment_of(name) == ENVIRONMENT)


def test_the_end_of_one_digest_does_not_open_another() -> None:
    near = "sha256:" + "a" * 63 + "b"
    assert not cluster().admit(asked_about(near)).allowed
    assert not cluster().admit(asked_about("sha256:" + "a" * 62 + "20")).allowed


# --- maps ------------------------------------------------------------------------------------------------------------


def many(number: int) -> list[ApprovedDigest]:
    return [ApprovedDigest("sha256:" + hashlib.sha256(str(each).encode()).hexdigest(), "2026-12-01T00:00:00Z") for each in range(number)]


def test_ten_thousand_digests_fit_into_one_map_and_into_what_etcd_takes() -> None:
    (made,) = maps(PLACE, many(MOST_IN_A_MAP))
    assert len(json.dumps(made).encode()) < 1 << 20
    assert sum(text.count("\n") for text in made["data"].values()) == MOST_IN_A_MAP


def test_more_are_parted_and_each_is_found_in_its_part() -> None:
    approved = many(40_000)
    shards = shards_for(len(approved))
    assert len(shards) == 16
    made = maps(PLACE, approved, shards)
    assert all(len(json.dumps(each).encode()) < 1 << 20 for each in made)
    shape = Shape(PLACE, enforce=True, shards=shards)
    found = Cluster(policy(shape), bindings(shape), made)
    for each in (*approved[:5], *approved[-5:]):
        assert found.admit(asked_about(each.digest)).allowed
    assert not found.admit(asked_about(UNKNOWN)).allowed


def test_by_how_many_parts_depends_on_how_many_there_are() -> None:
    assert [len(shards_for(number)) for number in (0, 10_000, 10_001, 140_000, 150_000)] == [1, 1, 16, 16, 256]


def test_the_same_approvals_give_the_same_bytes_and_the_later_end_counts() -> None:
    approved = many(50)
    assert manifest.written(maps(PLACE, approved)) == manifest.written(maps(PLACE, reversed(approved)))
    (made,) = maps(PLACE, [ApprovedDigest(APPROVED[0], end) for end in ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")])
    assert made["data"]["sha256-aa"] == f"{'a' * 64} 2026-03-01T00:00:00Z\n"


@pytest.mark.parametrize(
    "each",
    [
        ApprovedDigest("sha256:ab", "2026-02-01T00:00:00Z"),
        ApprovedDigest(APPROVED[0], "soon"),
        ApprovedDigest(APPROVED[0], "2026-02-01T00:00:00+02:00"),
        ApprovedDigest(APPROVED[0] + "\n", "2026-02-01T00:00:00Z"),
    ],
)
def test_what_is_no_approved_digest_is_not_written(each: ApprovedDigest) -> None:
    with pytest.raises(UsageError):
        maps(PLACE, [each])


def test_too_many_for_a_map_is_said() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        maps(PLACE, many(MOST_IN_A_MAP + 1), ("",))


@pytest.mark.parametrize("environment", ["production", "Production EU", "production-eu", "", "a" * 90, "ö", "prod/eu-1"])
def test_every_environment_has_a_name_that_a_cluster_takes(environment: str) -> None:
    place = Place(environment)
    assert 0 < len(place.policy) <= 63
    assert all(each.isascii() and (each.isdigit() or each.islower() or each == "-") for each in place.policy)
    check(policy(Shape(place)))


def test_environments_that_look_alike_are_told_apart() -> None:
    names = ["Production EU", "production eu", "production-eu", "production--eu"]
    assert len({Place(each).policy for each in names}) == len(names)


# --- what a cluster is told ------------------------------------------------------------------------------------------


def test_a_gate_that_is_tried_out_never_stands_in_the_way() -> None:
    asking = webhook.Asking("https://assay.example", PLACE, "token")
    (made,) = webhook.configuration(asking)["webhooks"]
    assert (made["failurePolicy"], made["timeoutSeconds"], made["sideEffects"]) == ("Ignore", 1, "NoneOnDryRun")
    assert made["clientConfig"]["url"] == "https://assay.example/admission/k8s/token"
    assert {"kube-system", "assaymark"} <= set(made["namespaceSelector"]["matchExpressions"][0]["values"])
    assert webhook.plugin(asking, "/etc/k.yaml")["plugins"][0]["configuration"]["imagePolicy"]["defaultAllow"] is True
    assert webhook.kubeconfig(asking)["users"][0]["user"]["token"] == "token"


@pytest.mark.parametrize("url", ["http://assay.example", "https://u:p@assay.example", "https://assay.example?x=1", "assay.example"])
def test_an_address_that_no_api_server_calls_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        webhook.configuration(webhook.Asking(url, PLACE))
