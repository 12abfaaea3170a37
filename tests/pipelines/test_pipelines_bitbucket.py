"""Every rule of the Bitbucket Pipelines check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import SETTINGS, SHELL, Sample, indented, outcome, rules_of, sites_of

from assaymark.checks.infrastructure.pipelines.bitbucket import make
from assaymark.checks.infrastructure.pipelines.bitbucket_rules import RULES
from assaymark.model.check import Checked, Unchecked
from assaymark.model.rules import catalogue

CHECK = make(SETTINGS)
NAME = "bitbucket-pipelines"


def job(*lines: str) -> str:
    """A step whose lines are one script."""
    return "pipelines:\n  default:\n  - step:\n      name: build\n      script:\n      - |\n" + indented(lines, 8)


def step(*keys: str, way: str = "default", steps: str = "") -> str:
    """A step with keys of its own."""
    start = "pipelines:\n  default:\n" if way == "default" else f"pipelines:\n  {way}:\n    '**':\n"
    return start + steps + "    - step:\n        name: it\n" + indented(keys, 8) + "        script: [make]\n"


def pipe(name: str, *variables: str) -> str:
    given = "          variables:\n" + indented(variables, 12) if variables else ""
    return f"pipelines:\n  default:\n  - step:\n      name: it\n      script:\n        - pipe: {name}\n{given}"


MANUAL = "    - step: {name: ask, trigger: manual, script: [date]}\n"
SAMPLES: list[Sample] = [
    *((rule, job(*true), job(*false)) for rule, true, false in SHELL),
    ("script-injection", job('bash -c "notify $BITBUCKET_BRANCH"'), job('notify "$BITBUCKET_BRANCH"')),
    (
        "script-injection",
        pipe("atlassian/ssh-run:0.4.1", "COMMAND: 'deploy $BITBUCKET_BRANCH'"),
        pipe("atlassian/ssh-run:0.4.1", "COMMAND: 'deploy main'", "SSH_USER: $BITBUCKET_BRANCH"),
    ),
    ("verification-off", "clone: {skip-ssl-verify: true}\n" + job("make"), "clone: {depth: 1}\n" + job("make")),
    (
        "scanner-cannot-fail",
        pipe("snyk/snyk-scan:1.0.1", "DONT_BREAK_BUILD: 'true'"),
        pipe("snyk/snyk-scan:1.0.1", "DONT_BREAK_BUILD: 'false'"),
    ),
    ("debug-enabled", pipe("atlassian/aws-s3-deploy:1.6.1", "DEBUG: 'true'"), pipe("atlassian/aws-s3-deploy:1.6.1", "DEBUG: 'false'")),
    (
        "security-step-may-fail",
        "pipelines:\n  default:\n  - step: {name: gitleaks, script: [x], on-fail: {strategy: ignore}}\n",
        "pipelines:\n  default:\n  - step: {name: lint, script: [x], on-fail: {strategy: ignore}}\n",
    ),
    ("image-unpinned", "image: node\n" + job("make"), "image: node:22.1\n" + job("make")),
    ("image-unpinned", step("image: {name: 'node:latest'}"), step("image: {name: 'node:22'}")),
    (
        "image-unpinned",
        "definitions:\n  services:\n    db: {image: postgres}\n" + job("make"),
        "definitions:\n  services:\n    db: {image: 'postgres:17'}\n" + job("make"),
    ),
    ("pipe-unpinned", pipe("atlassian/aws-s3-deploy:1"), pipe("atlassian/aws-s3-deploy:1.6.1")),
    ("pipe-unpinned", pipe("docker://me/tool"), pipe("docker://me/tool:3")),
    (
        "import-unpinned",
        "pipelines:\n  custom:\n    shared: {import: 'ci:main:build'}\n",
        "pipelines:\n  custom:\n    shared: {import: 'ci:v1.2:build'}\n",
    ),
    (
        "docker-on-own-runner",
        step("runs-on: [self.hosted, linux]", "services: [docker]"),
        step("services: [docker]"),
    ),
    ("own-runner-for-strangers", step("runs-on: self.hosted", way="pull-requests"), step("runs-on: self.hosted", way="branches")),
    ("identity-for-pull-requests", step("oidc: true", way="pull-requests"), step("oidc: true", way="branches")),
    (
        "deploy-from-pull-request",
        step("deployment: production", way="pull-requests"),
        step("deployment: production", "trigger: manual", way="pull-requests"),
    ),
    ("deploy-without-guard", step("deployment: production"), step("deployment: production", steps=MANUAL)),
    ("deploy-without-guard", step("deployment: Live", way="branches"), step("deployment: test", way="branches")),
    (
        "artifact-holds-secret",
        step("artifacts: [dist/**, secrets/server.key]"),
        step("artifacts: {paths: [dist/**]}"),
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_bitbucket_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(CHECK, true, NAME)
    assert rule not in rules_of(CHECK, false, NAME)


def test_bitbucket_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix(f"{NAME}/"): info for name, info in catalogue().rules.items() if name.startswith(f"{NAME}/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_bitbucket_a_step_behind_an_anchor_is_told_once_and_parallel_steps_in_stages_are_read() -> None:
    text = (
        "definitions:\n  steps:\n  - step: &one\n      name: one\n      script: ['curl -k https://a.example.org']\n"
        "pipelines:\n  default:\n  - step: *one\n  branches:\n    main:\n    - stage:\n        name: s\n        steps:\n"
        "        - parallel:\n            steps:\n            - step: *one\n            - step: {name: two, script: ['curl -k https://b.example.org']}\n"
    )
    assert sites_of(CHECK, text, NAME) == [
        ("bitbucket-pipelines/verification-off", "one", "script: curl --insecure"),
        ("bitbucket-pipelines/verification-off", "two", "script: curl --insecure"),
    ]


def test_bitbucket_what_is_merged_into_a_step_counts() -> None:
    base = "definitions:\n  base: &b\n    deployment: production\n    script: [make]\n"
    text = base + "pipelines:\n  default:\n  - step:\n      <<: *b\n      name: d\n"
    assert rules_of(CHECK, text, NAME) == {"deploy-without-guard"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [("bitbucket-pipelines.yml", NAME), ("a/bitbucket-pipelines.yml", NAME), ("bitbucket.yml", None), ("bitbucket-pipelines.md", None)],
)
def test_bitbucket_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"pipelines: [1\n", "syntax", 2),
        (b"\ndevelop:\n- step: {}\n", "schema", 2),
        (b"a: b\n\xff: c\n", "encoding", 2),
        (b"pipelines: " + b"[" * 1000 + b"]" * 1000, "size", 1),
    ],
    ids=["open-bracket", "no-pipelines", "latin-1", "thousand-deep"],
)
def test_bitbucket_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(CHECK, content, NAME)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_bitbucket_shared_steps_and_mappings_that_hold_themselves_cost_what_they_weigh() -> None:
    bomb = "x0: &a0 [{step: {script: [ls]}}]\n" + "".join(f"x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40))
    assert outcome(CHECK, bomb + "pipelines:\n  default: *a39\n", NAME) == Checked()
    assert outcome(CHECK, "pipelines: &p\n  default:\n  - parallel: *p\n  - step: &s\n      <<: *s\n", NAME) == Checked()
