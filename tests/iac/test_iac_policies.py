"""Policies of the user in CEL."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.iac import manifests, terraform
from assaymark.checks.policies.files import read
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.errors import PolicyInvalid
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite
from assaymark.verdict.policy import narrowed

POLICY = """
[[policy]]
id = "owner"
applies-to = ["terraform:aws_s3_*"]
require = '''{}'''
severity = "high"
message = "nobody is named as owner"
fix = "Add a tag."
attribute = "tags"
"""


def settings(*texts: str) -> CheckSettings:
    files = tuple(NamedFile(f"{number}.toml", text.encode()) for number, text in enumerate(texts))
    return CheckSettings(cache_dir="", installation_key=Secret(b"k"), policies=files)


def judged(text: str, require: str) -> Outcome:
    check = terraform.make_policies(settings(POLICY.replace("{}", require)))
    content = text.encode()
    ((_, outcome),) = check.run([Input(sha256(content), Dialect("terraform"), (Part("main.tf", content),))])
    return outcome


BUCKET = """
resource "aws_s3_bucket" "b" {
  bucket = "b"
  tags   = { Team = "x" }
  versioning { enabled = true }
  acl = var.v
}
"""


def test_a_resource_that_breaks_a_policy_is_a_finding_with_the_policys_words() -> None:
    found = judged(BUCKET, "has(resource.tags.Owner)")
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.rule == "terraform-policies/owner"
    assert only.site == ConfigurationSite("aws_s3_bucket.b", "")
    assert only.message == "aws_s3_bucket.b: nobody is named as owner"
    assert only.fix
    assert only.fix.advice == "Add a tag."
    assert only.span
    assert only.span.start_line == 4


@pytest.mark.parametrize(
    "require",
    [
        'resource.tags.Team == "x"',
        "resource.versioning[0].enabled",
        "resource.versioning.exists(v, v.enabled)",
        'type == "aws_s3_bucket" && name == "b" && address == "aws_s3_bucket.b"',
        '"Team" in resource.tags',
        "!resource.tags.exists(k, resource.tags[k] == 'y')",
    ],
)
def test_a_policy_that_holds_is_silent_whatever_else_is_unknown(require: str) -> None:
    assert judged(BUCKET, require) == Checked()


@pytest.mark.parametrize(
    "require",
    [
        'resource.acl != "public-read"',
        "resource.exists(k, resource[k] == 'private')",
        "!resource.exists(k, k == 'acl')",
        'has(resource.acl) && resource.acl == "private"',
        "resource.acl.size() > 3",
    ],
)
def test_a_policy_that_depends_on_an_unknown_value_is_counted(require: str) -> None:
    assert judged(BUCKET, require) == Checked(undecided=1)


@pytest.mark.parametrize(
    ("require", "words"), [("resource.nope == 1", "nope"), ("1 +", "no CEL"), ("1 + 1", "true or false"), ("1 / 0 == 1", "Zero")]
)
def test_a_policy_that_fails_is_unchecked_with_its_name(require: str, words: str) -> None:
    found = judged(BUCKET.replace("var.v", '"private"'), require)
    assert isinstance(found, Unchecked)
    assert found.reason_class == "unsupported"
    assert "owner" in found.reason
    assert words in found.reason


def test_a_list_too_long_for_loops_is_unchecked() -> None:
    found = judged('resource "aws_s3_bucket" "b" { x = range(5000) }', "resource.x.all(a, resource.x.all(b, a == b))")
    assert isinstance(found, Unchecked)
    assert found.reason_class == "complexity"


@pytest.mark.parametrize(
    "text",
    [
        "policy = 1",
        "[[policy]]\nid = 'x'\n",
        POLICY.replace("terraform:", "cloud:"),
        POLICY.replace('"owner"', '"Owner of"'),
        POLICY.replace("severity", "sevrity"),
        POLICY.replace("Add a tag.", ""),
        POLICY.replace("{}", "x" * 5000),
        POLICY.replace("{}", "a.all(x, b.all(y, c.all(z, true)))"),
        POLICY + POLICY,
        "\x00",
    ],
)
def test_a_wrong_file_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        terraform.make_policies(settings(text))
    assert "0.toml" in caught.value.what


def test_loops_in_texts_and_comparisons_do_not_count() -> None:
    (policy,) = read([NamedFile("p", POLICY.replace("{}", "a.all(x, x != 'b.all(y.map(z.filter(') && (b) && c.exists(d, d)").encode())])
    assert policy.id == "owner"


def test_without_policies_nothing_is_read() -> None:
    assert terraform.make_policies(settings()).select("main.tf") is None
    assert terraform.make_policies(settings(POLICY)).select("main.tf") == "terraform"


def test_other_policies_are_other_knowledge() -> None:
    one, other = (terraform.make_policies(settings(POLICY.replace("{}", text))).knowledge() for text in ("true", "false"))
    assert one != other


@pytest.mark.parametrize(
    ("after", "weaker"), [(POLICY + POLICY.replace("owner", "second"), 0), (POLICY.replace("high", "low"), 1), ("", 1), ("not toml [", 1)]
)
def test_a_file_that_asks_for_less_is_a_weakening(after: str, weaker: int) -> None:
    found = narrowed("ci/p.toml", "policies", POLICY.encode(), after.encode())
    assert len(found) == weaker
    assert all(each.name == "checks.policies:ci/p.toml" for each in found)


MANIFEST = """apiVersion: v1
kind: Service
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: &labels {team: web}
spec:
  replicas: 1
  selector: {matchLabels: *labels}
---
kind: List
apiVersion: v1
items:
  - {kind: Deployment, apiVersion: apps/v1, metadata: {name: second}, spec: {replicas: 3}}
"""


def of_file(text: str, require: str, target: str, dialect: str) -> Outcome:
    check = manifests.make(
        settings(POLICY.replace("{}", require).replace("terraform:aws_s3_*", target).replace('"tags"', '"spec.replicas"'))
    )
    content = text.encode()
    ((_, outcome),) = check.run([Input(sha256(content), Dialect(dialect), (Part("", content),))])
    return outcome


def test_a_manifest_is_judged_object_by_object() -> None:
    found = of_file(MANIFEST, "resource.spec.replicas >= 2", "kubernetes:Deployment", "manifest")
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.rule == "manifest-policies/owner"
    assert only.site == ConfigurationSite("Deployment/shop", "")
    assert only.span
    assert only.span.start_line == 11
    assert of_file(MANIFEST, "resource.metadata.labels.team == 'web'", "kubernetes:Deploy*", "manifest") != Checked()
    assert of_file(MANIFEST, "has(resource.metadata.name)", "kubernetes:*", "manifest") == Checked()


def test_a_dockerfile_is_judged_by_its_instructions() -> None:
    text = "# x\nFROM a\nRUN make \\\n  all\nRUN <<EOF\nUSER nobody\nEOF\nuser root\n"
    asks = "resource.instructions.filter(i, i.name == 'USER').all(i, i.value != 'root')"
    found = of_file(text, asks, "dockerfile", "dockerfile")
    assert isinstance(found, Checked)
    assert [sighting.site for sighting in found.sightings] == [ConfigurationSite("dockerfile", "")]
    holds = "resource.instructions.size() == 4 && resource.instructions[1].value == 'make all'"
    assert of_file(text, holds, "dockerfile", "dockerfile") == Checked()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("a: 1\n", "other-format"),
        ("apiVersion: v1\nkind: Pod\n  x: [\n", "syntax"),
        (
            "apiVersion: v1\nkind: Pod\nx: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\ny: &b [" + "*a, " * 99 + "*a]\nz: [" + "*b, " * 99 + "*b]\n",
            "complexity",
        ),
        ("apiVersion: v1\nkind: Pod\nx: &a [*a]\n", "complexity"),
        ("apiVersion: v1\nkind: [Pod]\nmetadata: 3\n", ""),
    ],
)
def test_what_is_no_manifest_or_a_bomb_has_its_outcome(text: str, outcome: str) -> None:
    found = of_file(text, "true", "kubernetes:Pod", "manifest")
    assert (found.reason_class if isinstance(found, Unchecked) else found.skipped) == outcome


def test_only_files_that_a_policy_is_about_are_asked_for() -> None:
    check = manifests.make(settings(POLICY.replace("terraform:aws_s3_*", "dockerfile")))
    assert [check.select(name) for name in ("a/Dockerfile", "x.yaml", "main.tf")] == ["dockerfile", None, None]
    check = manifests.make(settings(POLICY.replace("terraform:aws_s3_*", "kubernetes:Pod")))
    assert [check.select(name) for name in ("a/Dockerfile", "x.yaml", "main.tf")] == [None, "manifest", None]
    assert manifests.make(settings()).select("x.yaml") is None
    with pytest.raises(PolicyInvalid):
        manifests.make(settings(POLICY.replace("terraform:aws_s3_*", "dockerfile:x")))
