"""Every rule of the check of GitHub's scripts finds its true sample and leaves its false one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import SETTINGS, SHELL, Sample, indented, outcome, rules_of, sites_of

from assaymark.checks.infrastructure.pipelines.github import make
from assaymark.checks.infrastructure.pipelines.github_rules import RULES
from assaymark.model.check import Checked, Unchecked
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity

CHECK = make(SETTINGS)
ID = "github-scripts"
NAME = "github-workflow"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def job(*lines: str, shell: str = "bash", on: str = "push") -> str:
    return f"on: {on}\njobs:\n  build:\n    runs-on: ubuntu-24.04\n    steps:\n    - shell: {shell}\n      run: |\n" + indented(lines, 8)


def request(*steps: str, on: str = "pull_request_target", keys: str = "") -> str:
    checkout = f"    - uses: actions/checkout@{COMMIT}\n      with: {{ref: '${{{{ github.event.pull_request.head.sha }}}}'}}\n"
    return f"on: [{on}]\njobs:\n  t:\n    runs-on: ubuntu-24.04\n{keys}    steps:\n{checkout}" + indented(steps, 4)


SAMPLES: list[Sample] = [
    *((rule, job(*true), job(*false)) for rule, true, false in SHELL),
    (
        "remote-script",
        job("curl https://raw.githubusercontent.com/a/b/main/x.sh | bash", "bash <(curl https://github.com/a/b/raw/main/x.sh)"),
        job(f"curl https://raw.githubusercontent.com/a/b/{COMMIT}/x.sh | bash", f"bash <(curl https://github.com/a/b/raw/{COMMIT}/x.sh)"),
    ),
    ("secret-printed", job("{", 'echo "k=$API_KEY"', "}"), job("{", 'echo "k=$API_KEY"', '} >> "$GITHUB_OUTPUT"')),
    ("secret-printed", job("Write-Host $env:API_KEY", shell="pwsh"), job("Write-Host $($env:API_KEY.Length)", shell="pwsh")),
    (
        "verification-off",
        "on: push\nenv: {GIT_SSL_NO_VERIFY: 'true'}\njobs: {}\n",
        "on: push\nenv: {GIT_SSL_NO_VERIFY: 'false'}\njobs: {}\n",
    ),
    ("script-injection", job('bash -c "say $GITHUB_HEAD_REF"'), job('say "$GITHUB_HEAD_REF"')),
    ("debug-enabled", "jobs:\n  a: {env: {ACTIONS_STEP_DEBUG: true}}\n", "jobs:\n  a: {env: {ACTIONS_STEP_DEBUG: false}}\n"),
    ("untrusted-checkout", request("- run: npm ci"), request("- run: npm ci", on="pull_request")),
    ("untrusted-checkout", request("- uses: ./.github/actions/a"), request("- uses: actions/cache@v4")),
    (
        "untrusted-checkout",
        job('gh pr checkout "$NUMBER"', on="issue_comment") + "    - run: make\n",
        job('gh pr view "$NUMBER"', on="issue_comment") + "    - run: make\n",
    ),
    (
        "untrusted-checkout",
        request("- uses: pre-commit/action@v3"),
        request("- run: npm ci").replace("github.event.pull_request.head.sha", "github.event.pull_request.base.sha"),
    ),
    (
        "own-runner-for-strangers",
        "on: pull_request\njobs:\n  a: {runs-on: [self-hosted, linux]}\n",
        "on: pull_request\njobs:\n  a: {runs-on: ubuntu-24.04}\n  b: {runs-on: '${{ matrix.os }}'}\n",
    ),
    (
        "own-runner-for-strangers",
        "on: pull_request\njobs:\n  a: {runs-on: {group: ours}}\n",
        "on: push\njobs:\n  a: {runs-on: {group: ours}}\n",
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_github_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(CHECK, true, NAME)
    assert rule not in rules_of(CHECK, false, NAME)


def test_github_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix(f"{ID}/"): info for name, info in catalogue().rules.items() if name.startswith(f"{ID}/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


@pytest.mark.parametrize(
    ("on", "keys", "severity"),
    [
        ("pull_request_target", "", Severity.HIGH),
        ("pull_request_target", "    environment: review\n", Severity.LOW),
        ("workflow_call", "", Severity.INFO),
    ],
)
def test_github_a_strangers_code_weighs_less_behind_an_approval_and_where_the_caller_decides(
    on: str, keys: str, severity: Severity
) -> None:
    found = outcome(CHECK, request("- run: make", "- run: make again", on=on, keys=keys), NAME)
    assert isinstance(found, Checked)
    assert [each.severity for each in found.sightings] == [severity]


def test_github_composite_actions_and_workflows_that_break_the_schema_are_read() -> None:
    action = "runs:\n  using: composite\n  steps:\n  - run: curl -k https://a.example.org\n"
    broken = "jobs:\n  a:\n    steps:\n    - id: []\n      run: curl -k https://a.example.org\n"
    assert [resource for text in (action, broken) for _, resource, _ in sites_of(CHECK, text, NAME)] == ["action", "a"]


def test_github_expressions_are_shown_to_the_shell_as_variables() -> None:
    assert rules_of(CHECK, job("echo ${{ secrets.TOKEN }}"), NAME) == {"secret-printed"}
    assert rules_of(CHECK, job("docker login -u a -p ${{ secrets.P }} r.example.org"), NAME) == {"password-argument"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (".github/workflows/ci.yml", NAME),
        ("a/.github/workflows/ci.yaml", NAME),
        ("actions/a/action.yml", NAME),
        (".github/dependabot.yml", None),
        ("transaction.yml", None),
    ],
)
def test_github_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


def test_github_what_has_no_jobs_is_another_format_and_what_is_no_yaml_unchecked() -> None:
    assert outcome(CHECK, "a: b\n", NAME) == Checked(skipped="other-format")
    assert outcome(CHECK, "", NAME) == Checked(skipped="empty")
    assert isinstance(outcome(CHECK, "jobs: [", NAME), Unchecked)


def test_github_shared_steps_cost_what_they_weigh() -> None:
    text = "jobs:\n  a: &a\n    steps: &s\n    - run: curl -k https://a.example.org\n" + "".join(
        f"  j{i}: *a\n  k{i}: {{steps: *s}}\n" for i in range(200)
    )
    assert len(sites_of(CHECK, text, NAME)) == 1
