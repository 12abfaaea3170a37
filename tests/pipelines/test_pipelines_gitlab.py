"""Every rule of the GitLab CI check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.pipelines.gitlab import make
from assaymark.checks.infrastructure.pipelines.gitlab_rules import RULES
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))


def outcome(text: str | bytes, dialect: str = "gitlab-ci") -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect(dialect), (Part("", content),))])
    return found


def rules_of(text: str) -> set[str]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    return {sighting.rule.removeprefix("gitlab-ci/") for sighting in found.sightings}


def job(*lines: str) -> str:
    return "build:\n  script:\n" + "".join(f"    - {line}\n" for line in lines)


SAMPLES: list[tuple[str, str, str]] = [
    ("remote-script", job("curl -fsSL https://get.example.org/setup | bash"), job("curl -fsSL https://get.example.org/data | jq .")),
    ("remote-script", job('eval "$(wget -qO- https://get.example.org/x)"'), job('eval "$(ssh-agent -s)"')),
    (
        "unverified-program",
        job("curl -o tool https://a.example.org/tool", "chmod +x tool"),
        job("curl -o tool https://a.example.org/tool", 'echo "$SUM tool" | sha256sum -c', "chmod +x tool"),
    ),
    ("cleartext-download", job("wget http://a.example.org/x.tgz"), job("wget http://localhost:8080/x.tgz")),
    ("verification-off", job("curl -k https://a.example.org"), job("curl --fail https://a.example.org/k")),
    ("verification-off", 'variables:\n  GIT_SSL_NO_VERIFY: "true"\n', 'variables:\n  GIT_SSL_NO_VERIFY: "false"\n'),
    ("package-check-off", job("pip install --trusted-host pypi.example.org x"), job("pip install --require-hashes -r r.txt")),
    ("host-key-unchecked", job("ssh -o StrictHostKeyChecking=no host uptime"), job("ssh -o StrictHostKeyChecking=yes host uptime")),
    (
        "password-argument",
        job("docker login -u me -p $PASS registry.example.org"),
        job("docker login -u me --password-stdin registry.example.org < f"),
    ),
    ("secret-printed", job("echo $DEPLOY_TOKEN"), job('echo "${DEPLOY_TOKEN:+set}" and $DEPLOY_TOKEN_FILE')),
    ("environment-dumped", job("printenv | sort"), job("printenv HOME", "env FOO=1 make")),
    ("traced-secret", job("set -ex", 'deploy --key "$API_KEY"'), job("set -e", 'deploy --key "$API_KEY"')),
    ("scanner-cannot-fail", job("trivy fs . || true"), job("trivy fs . --exit-code 1", "rm -f x || true")),
    ("host-rights", job("docker run --privileged img:1 x"), job("docker run --cap-add NET_ADMIN img:1 x")),
    ("open-docker", "variables:\n  DOCKER_HOST: tcp://docker:2375\n", "variables:\n  DOCKER_HOST: tcp://docker:2376\n"),
    ("script-injection", job('bash -c "notify $CI_COMMIT_TITLE"'), job('bash -c \'notify "$1"\' sh "$CI_COMMIT_TITLE"')),
    ("script-injection", "variables:\n  T: $CI_COMMIT_MESSAGE\n" + job('eval "say $T"'), "variables:\n  T: fixed\n" + job('eval "say $T"')),
    ("unquoted-foreign-text", job("notify $CI_MERGE_REQUEST_TITLE"), job('notify "$CI_MERGE_REQUEST_TITLE" $CI_COMMIT_REF_NAME')),
    (
        "include-remote",
        "include:\n  - remote: https://a.example.org/x.yml\n",
        "include:\n  - remote: https://a.example.org/x.yml\n    integrity: sha256-abc\n",
    ),
    ("include-cleartext", "include: http://a.example.org/x.yml\n", "include: https://a.example.org/x.yml\n"),
    (
        "include-project-unpinned",
        "include:\n  - project: a/b\n    file: x.yml\n",
        "include:\n  - project: a/b\n    file: x.yml\n    ref: v1.2.3\n",
    ),
    ("include-component-unpinned", "include:\n  - component: h/a/b@~latest\n", "include:\n  - component: h/a/b@1.2.3\n"),
    ("image-unpinned", "image: python\n", "image: python:3.12\n"),
    (
        "image-unpinned",
        "j:\n  image: registry.example.org:5000/a/b\n",
        "j:\n  image: registry.example.org:5000/a/b:1\n  x: !reference [.a, image]\n",
    ),
    ("image-without-digest", "j:\n  image: a:1\n  environment: prod\n  when: manual\n", "j:\n  image: a:1\n"),
    ("docker-in-docker", "j:\n  services: ['docker:27-dind']\n", "j:\n  services: ['postgres:15']\n"),
    (
        "security-job-may-fail",
        "semgrep-sast:\n  allow_failure: true\n",
        "semgrep-sast:\n  allow_failure:\n    exit_codes: 3\nlint:\n  allow_failure: true\n",
    ),
    ("security-scan-disabled", "variables:\n  SAST_DISABLED: 'true'\n", "variables:\n  SAST_DISABLED: 'false'\n"),
    (
        "id-token-audience",
        "j:\n  id_tokens:\n    T:\n      aud: https://gitlab.com\n",
        "j:\n  id_tokens:\n    T:\n      aud: https://vault.example.org\n",
    ),
    (
        "deploy-without-guard",
        "d:\n  environment: production\n  script: x\n",
        "d:\n  environment: production\n  script: x\n  when: manual\n",
    ),
    (
        "deploy-without-guard",
        "d:\n  environment: {name: live}\n",
        ".r:\n  rules: [{if: $A}]\nd:\n  extends: .r\n  environment: {name: live}\n",
    ),
    (
        "deploy-from-merge-request",
        "d:\n  environment: prod\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n",
        "d:\n  environment: prod\n  rules:\n    - {if: $CI_PIPELINE_SOURCE == 'merge_request_event', when: never}\n    - if: $TAG\n",
    ),
    (
        "own-runner-for-strangers",
        "d:\n  tags: [shell]\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n",
        "d:\n  tags: [saas-linux-small]\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n",
    ),
    (
        "variables-forwarded",
        "d:\n  trigger:\n    project: a/b\n    forward:\n      pipeline_variables: true\n",
        "d:\n  trigger:\n    project: a/b\n",
    ),
    ("cache-unprotected", "d:\n  cache:\n    unprotect: true\n", "d:\n  cache:\n    unprotect: false\n"),
    ("input-expanded", job("echo $[[ inputs.a | expand_vars ]]"), job("echo $[[ inputs.a ]]")),
    ("debug-trace", "variables:\n  CI_DEBUG_TRACE: 'true'\n", "variables:\n  CI_DEBUG_TRACE: 'false'\n"),
    ("docker-tls-off", "variables:\n  DOCKER_TLS_CERTDIR: ''\n", "variables:\n  DOCKER_TLS_CERTDIR: /certs\n"),
    (
        "artifact-holds-secret",
        "d:\n  artifacts:\n    paths: [config/.env]\n",
        "d:\n  artifacts:\n    paths: [dist/, .env.example]\n    reports: {dotenv: build.env}\n",
    ),
    (
        "secret-in-artifact",
        job('echo "T=$API_TOKEN" > build.env') + "  artifacts:\n    reports: {dotenv: build.env}\n",
        job('echo "T=$VERSION" > build.env', "echo $API_TOKEN > other") + "  artifacts:\n    reports: {dotenv: build.env}\n",
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_gitlab_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(true)
    assert rule not in rules_of(false)


def test_gitlab_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix("gitlab-ci/"): info for name, info in catalogue().rules.items() if name.startswith("gitlab-ci/")}
    assert rows.keys() == RULES.keys()
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_gitlab_a_flaw_in_an_anchor_is_told_once_where_it_is_written() -> None:
    text = ".s: &s\n  - curl https://a.example.org/x | sh\na:\n  script: *s\nb:\n  script:\n    - *s\n    - make\n"
    found = outcome(text)
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert (only.site.resource, only.site.attribute) == (".s", "script: https://a.example.org/x")  # type: ignore[union-attr]
    assert only.span is not None
    assert (only.span.start_line, only.span.start_column) == (2, 5)


@pytest.mark.parametrize("marker", ["# nosec", "# assay:allow", "# assay:allow[remote-script] reviewed", "# checkov:skip=CKV_1:why"])
def test_gitlab_an_inline_comment_is_recorded_and_nothing_is_dropped(marker: str) -> None:
    found = outcome(job(f"curl https://a.example.org/x | sh {marker}"))
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.suppression is not None
    assert only.suppression.line == 3


def test_gitlab_a_comment_that_names_another_rule_of_ours_does_not_count() -> None:
    found = outcome(job("curl https://a.example.org/x | sh # assay:allow[debug-trace]"))
    assert isinstance(found, Checked)
    assert [sighting.suppression for sighting in found.sightings] == [None]


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"a:\n  b: [1\n", "syntax", 3),
        (b"a:\n b: *nowhere\n", "syntax", 2),
        (b"\n- a\n", "schema", 2),
        (b"a: b\n\xff: c\n", "encoding", 2),
        (b"x: " + b"[" * 1000 + b"]" * 1000, "size", 1),
        (b"x: " + b"[" * 500_000, "size", 1),
        (b"a: b\n" * 1_000_000, "size", 0),
        (b"j:\n  script:\n" + b"    - curl https://a.example.org/x|sh\n" * 3000, "size", 0),
    ],
    ids=[
        "open-bracket",
        "unknown-alias",
        "list-of-jobs",
        "latin-1",
        "thousand-deep",
        "half-a-million-deep",
        "five-megabytes",
        "flaw-flood",
    ],
)
def test_gitlab_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(content)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_gitlab_billion_laughs_cost_what_they_weigh() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(60)) + "j:\n  script: *a60\n"
    assert outcome(bomb) == Checked()


def test_gitlab_parents_that_inherit_from_each_other_end() -> None:
    assert rules_of("a:\n  extends: [b, a]\n  environment: prod\nb:\n  extends: [a, b]\n") == {"deploy-without-guard"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (".gitlab-ci.yml", "gitlab-ci"),
        ("ci/Auto.gitlab-ci.yml", "gitlab-ci"),
        (".gitlab/ci/a/b.yml", "gitlab-ci"),
        ("templates/x.yml", "gitlab-template"),
        ("templates/x/template.yml", "gitlab-template"),
        ("chart/values.yml", None),
        ("a.gitlab-ci.txt", None),
    ],
)
def test_gitlab_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


def test_gitlab_a_template_without_inputs_is_another_format_even_when_it_is_no_yaml() -> None:
    assert outcome("{{- if .Values.x }}\na: b\n", "gitlab-template") == Checked(skipped="other-format")
    found = outcome("spec:\n  inputs: {a: {}}\n---\nj:\n  image: python\n", "gitlab-template")
    assert isinstance(found, Checked)
    assert len(found.sightings) == 1


def test_gitlab_nothing_is_skipped_as_empty() -> None:
    assert outcome("") == outcome("# only words\n") == Checked(skipped="empty")
