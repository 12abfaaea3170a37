"""Policies of the user over Kubernetes objects."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.workloads import dockerfile
from assaymark.checks.infrastructure.workloads.kubernetes import make_policies
from assaymark.checks.reading.yaml_plain import plain
from assaymark.checks.reading.yaml_tree import Unreadable, documents
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite

POLICY = """
[[policy]]
id = "team"
applies-to = ["kubernetes:Deployment", "kubernetes:Shop*"]
require = '''{}'''
severity = "high"
message = "nobody is named"
fix = "Add a label `team`."
attribute = "metadata.labels"
"""
OBJECT = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {app: shop, version: "1"}
spec:
  replicas: 3
  paused: false
"""


def judged(text: str, require: str) -> Outcome:
    files = (NamedFile("p.toml", POLICY.replace("{}", require).encode()),)
    check = make_policies(CheckSettings(cache_dir="", installation_key=Secret(b"k"), policies=files))
    assert check.select("a.yaml") == "kubernetes"
    content = text.encode()
    ((_, outcome),) = check.run([Input(sha256(content), Dialect("kubernetes"), (Part("", content),))])
    return outcome


def test_policies_an_object_that_breaks_one_is_a_finding_with_the_policys_words() -> None:
    found = judged(OBJECT, "has(resource.metadata.labels.team)")
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.rule == "kubernetes-policies/team"
    assert only.site == ConfigurationSite("Deployment/shop", "metadata.labels")
    assert only.message == "Deployment/shop: nobody is named"
    assert only.span is not None
    assert only.span.start_line == 10


@pytest.mark.parametrize(
    "require",
    [
        "resource.spec.replicas >= 2 && !resource.spec.paused",
        "resource.metadata.labels.version == '1'",
        "kind == 'Deployment' && name == 'shop' && address == 'Deployment/shop'",
    ],
)
def test_policies_that_hold_are_silent(require: str) -> None:
    assert judged(OBJECT, require) == Checked()


def test_policies_see_objects_of_every_kind() -> None:
    found = judged("apiVersion: example.org/v1\nkind: ShopWindow\nmetadata: {name: w}\n", "false")
    assert isinstance(found, Checked)
    assert len(found.sightings) == 1


def test_policies_leave_templates_undecided_and_failures_unchecked() -> None:
    assert judged(OBJECT.replace("replicas: 3", "replicas: {{ .Values.n }}"), "false") == Checked(undecided=1)
    failed = judged(OBJECT, "resource.metadata.owner == 'a'")
    assert isinstance(failed, Unchecked)
    assert failed.reason_class == "unsupported"
    assert "team" in failed.reason


def test_policies_without_any_about_kubernetes_read_nothing() -> None:
    check = make_policies(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
    assert check.select("a.yaml") is None


def test_plain_values_are_those_of_kubernetes() -> None:
    text = "{a: &x {n: 1, f: 1.5, t: true, z: null, s: '1', y: yes}, b: *x, c: {<<: *x, n: 2}, d: [1, ~]}"
    x = {"n": 1, "f": 1.5, "t": True, "s": "1", "y": "yes"}
    assert plain(documents(text)[0]) == {"a": x, "b": x, "c": {**x, "n": 2}, "d": [1, None]}


@pytest.mark.parametrize(
    "text", ["&a [*a]", "a0: &a0 [x]\n" + "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(60))]
)
def test_plain_values_of_circles_and_bombs_are_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        plain(documents(text)[0])


# --- Dockerfiles -----------------------------------------------------------------------------------------------------

RECIPE = "# x\nFROM a\nRUN make \\\n  all\nRUN <<EOF\nUSER nobody\nEOF\nuser root\n"


def of_dockerfile(text: str, require: str) -> Outcome:
    policy = POLICY.replace("{}", require).replace('["kubernetes:Deployment", "kubernetes:Shop*"]', '["dockerfile"]')
    files = (NamedFile("p.toml", policy.replace('"metadata.labels"', '"USER"').encode()),)
    check = dockerfile.make_policies(CheckSettings(cache_dir="", installation_key=Secret(b"k"), policies=files))
    assert check.select("a/Dockerfile") == "dockerfile"
    assert check.select("a.yaml") is None
    content = text.encode()
    ((_, outcome),) = check.run([Input(sha256(content), Dialect("dockerfile"), (Part("", content),))])
    return outcome


def test_policies_a_dockerfile_is_judged_by_its_instructions() -> None:
    found = of_dockerfile(RECIPE, "resource.instructions.filter(i, i.name == 'USER').all(i, i.value != 'root')")
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.rule == "dockerfile-policies/team"
    assert only.site == ConfigurationSite("dockerfile", "USER")
    assert only.span is not None
    assert only.span.start_line == 8
    assert of_dockerfile(RECIPE, "resource.instructions.size() == 4 && resource.instructions[0].value == 'a'") == Checked()


def test_policies_a_dockerfile_without_instructions_is_counted_and_a_failing_policy_is_a_gap() -> None:
    assert of_dockerfile("", "true") == Checked(skipped="empty")
    failed = of_dockerfile(RECIPE, "resource.instructions[99].value == ''")
    assert isinstance(failed, Unchecked)
    assert "team" in failed.reason


def test_policies_without_any_about_dockerfiles_nothing_is_asked_for() -> None:
    check = dockerfile.make_policies(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
    assert check.select("Dockerfile") is None
