"""Every rule of the CircleCI check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import SETTINGS, SHELL, Sample, indented, outcome, rules_of, sites_of

from assaymark.checks.infrastructure.pipelines.circleci import make
from assaymark.checks.infrastructure.pipelines.circleci_rules import RULES
from assaymark.model.check import Checked, Unchecked
from assaymark.model.rules import catalogue

CHECK = make(SETTINGS)
NAME = "circleci"


def job(*lines: str) -> str:
    return "jobs:\n  build:\n    steps:\n    - checkout\n    - run:\n        command: |\n" + indented(lines, 10)


def steps(text: str) -> str:
    return f"jobs:\n  build:\n    steps: {text}\n"


def workflow(*jobs: str) -> str:
    return "jobs: {}\nworkflows:\n  all:\n    jobs:\n" + "".join(f"    - {each}\n" for each in jobs)


SAMPLES: list[Sample] = [
    *((rule, job(*true), job(*false)) for rule, true, false in SHELL),
    (
        "verification-off",
        "jobs:\n  b: {environment: {GIT_SSL_NO_VERIFY: true}}\n",
        "jobs:\n  b: {environment: {GIT_SSL_NO_VERIFY: false}}\n",
    ),
    ("scanner-cannot-fail", steps("[{snyk/scan: {fail-on-issues: false}}]"), steps("[{snyk/scan: {fail-on-issues: true}}]")),
    ("script-injection", job('bash -c "say $CIRCLE_BRANCH"'), job('say "$CIRCLE_BRANCH"')),
    ("expression-injection", job('say "<< pipeline.git.branch >>"'), job("say << pipeline.number >>", "cat <<EOF >> f", "EOF")),
    (
        "expression-injection",
        job("say <<pipeline.event.github.pull_request.title>>"),
        job(r"say \<< pipeline.event.github.pull_request.title >>", "say << pipeline.event.name >>"),
    ),
    (
        "parameter-pasted",
        "parameters:\n  who: {type: string, default: ''}\n" + job("say << pipeline.parameters.who >>"),
        "parameters:\n  who: {type: enum, enum: [a], default: a}\n" + job("say << pipeline.parameters.who >> << parameters.x >>"),
    ),
    ("orb-unpinned", "orbs:\n  a: me/a@volatile\n", "orbs:\n  a: me/a@1.2.3\n"),
    ("orb-unpinned", "orbs:\n  a: me/a@dev:first\n", "orbs:\n  a: me/a@<< parameters.v >>\n"),
    ("orb-follows-versions", "orbs:\n  a: me/a@1.2\n", "orbs:\n  a: me/a@1.2.3\n"),
    ("image-unpinned", "jobs:\n  b: {docker: [{image: cimg/node}]}\n", "jobs:\n  b: {docker: [{image: 'cimg/node:22.1'}]}\n"),
    (
        "image-unpinned",
        "executors:\n  b: {docker: [{image: 'a:latest'}]}\n",
        "executors:\n  b: {docker: [{image: 'a:<< parameters.t >>'}]}\n",
    ),
    (
        "own-runner-for-strangers",
        "jobs:\n  b: {machine: true, resource_class: me/big}\nworkflows: {w: {jobs: [b]}}\n",
        "jobs:\n  b: {machine: true, resource_class: me/big}\nworkflows: {w: {jobs: [{b: {filters: {branches: {only: main}}}}]}}\n",
    ),
    ("all-ssh-keys", steps("[add_ssh_keys]"), steps("[{add_ssh_keys: {fingerprints: ['a:b']}}]")),
    (
        "deploy-without-guard",
        workflow("deploy-production: {context: aws}"),
        workflow("hold: {type: approval}", "deploy-production: {context: aws, requires: [hold]}"),
    ),
    (
        "deploy-without-guard",
        workflow("build", "deploy: {name: deploy-prod, context: aws, requires: [build]}"),
        workflow("build", "deploy: {name: deploy-prod, context: aws, filters: {branches: {only: main}}}"),
    ),
    (
        "secrets-for-all-jobs",
        workflow("a: {context: all}", "b: {context: [all, more]}", "c: {context: all}"),
        workflow("a", "b: {context: all}", "c: {context: all}"),
    ),
    (
        "artifact-holds-secret",
        steps("[{store_artifacts: {path: config/id_rsa}}]"),
        steps("[{store_artifacts: {path: coverage}}, {persist_to_workspace: {root: ., paths: [dist]}}]"),
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_circleci_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(CHECK, true, NAME)
    assert rule not in rules_of(CHECK, false, NAME)


def test_circleci_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix(f"{NAME}/"): info for name, info in catalogue().rules.items() if name.startswith(f"{NAME}/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_circleci_commands_orbs_in_the_file_conditional_and_surrounding_steps_are_read() -> None:
    bad = "{run: 'curl -k https://a.example.org'}"
    text = (
        f"orbs:\n  own:\n    commands:\n      c: {{steps: [{bad}]}}\ncommands:\n  d:\n    steps:\n    - when:\n        condition: x\n"
        f"        steps: [{bad}]\njobs: {{}}\nworkflows:\n  w:\n    jobs:\n    - e: {{pre-steps: [{bad}]}}\n"
    )
    assert [(resource, attribute) for _, resource, attribute in sites_of(CHECK, text, NAME)] == [
        ("d", "run: curl --insecure"),
        ("e", "run: curl --insecure"),
        ("own/c", "run: curl --insecure"),
    ]


@pytest.mark.parametrize(
    ("path", "dialect"),
    [(".circleci/config.yml", NAME), ("a/.circleci/test-deploy.yml", "circleci-other"), ("circle.yml", None), (".circleci/x.sh", None)],
)
def test_circleci_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


def test_circleci_a_neighbour_of_the_configuration_is_another_format() -> None:
    assert outcome(CHECK, "services: {}\n", "circleci-other") == Checked(skipped="other-format")
    assert isinstance(outcome(CHECK, "services: [\n", "circleci-other"), Unchecked)


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"jobs: [1\n", "syntax", 2),
        (b"\nversion: 2.1\n", "schema", 2),
        (b"a: b\n\xff: c\n", "encoding", 2),
        (b"jobs: " + b"[" * 1000 + b"]" * 1000, "size", 1),
    ],
    ids=["open-bracket", "no-jobs", "latin-1", "thousand-deep"],
)
def test_circleci_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(CHECK, content, NAME)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_circleci_shared_steps_and_jobs_that_wait_for_each_other_cost_what_they_weigh() -> None:
    bomb = "x0: &a0 [{run: ls}]\n" + "".join(f"x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40))
    assert outcome(CHECK, bomb + "jobs: {b: {steps: *a39}}\n", NAME) == Checked()
    assert rules_of(CHECK, workflow("deploy-prod: {context: a, requires: [b]}", "b: {requires: [deploy-prod, b]}"), NAME) == {
        "deploy-without-guard"
    }
