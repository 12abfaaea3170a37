"""Every rule of the Tekton check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import SETTINGS, SHELL, Sample, indented, outcome, rules_of, sites_of

from assaymark.checks.infrastructure.pipelines.tekton import make
from assaymark.checks.infrastructure.pipelines.tekton_rules import RULES
from assaymark.model.check import Checked, Unchecked
from assaymark.model.rules import catalogue

CHECK = make(SETTINGS)
NAME = "tekton"
TASK = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n"
RUN = "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: r}\nspec:\n"
ON_REQUEST = (
    "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata:\n  name: r\n  annotations:\n"
    "    pipelinesascode.tekton.dev/on-event: '[pull_request]'\n"
)
LISTENER = "apiVersion: triggers.tekton.dev/v1beta1\nkind: EventListener\nmetadata: {name: l}\nspec:\n"


def job(*lines: str, before: str = "") -> str:
    return TASK + before + "  steps:\n  - name: s\n    image: a:1\n    script: |\n" + indented(lines, 6)


def step(*keys: str) -> str:
    return TASK + "  steps:\n  - name: s\n" + indented(keys, 4)


def request(*lines: str, spec: str = "") -> str:
    start = "  pipelineSpec:\n    tasks:\n    - name: t\n      taskSpec:\n        steps:\n        - image: a:1\n          script: |\n"
    return f"{ON_REQUEST}spec:\n{spec}{start}" + indented(lines, 12)


def cloned(*lines: str) -> str:
    return request(*lines).replace(
        "spec:\n", "    pipelinesascode.tekton.dev/task: '[https://a.example.org/" + "a" * 40 + "/git-clone.yaml]'\nspec:\n", 1
    )


SAMPLES: list[Sample] = [
    *((rule, job(*true), job(*false)) for rule, true, false in SHELL),
    (
        "remote-script",
        step("command: [sh, -c]", "args: ['curl https://a.example.org/x | sh']"),
        step("command: [tool]", "args: ['curl x | sh']"),
    ),
    ("verification-off", step("env: [{name: GIT_SSL_NO_VERIFY, value: 'true'}]"), step("env: [{name: GIT_SSL_NO_VERIFY, value: 'no'}]")),
    ("verification-off", RUN + "  params: [{name: sslVerify, value: 'false'}]\n", RUN + "  params: [{name: sslVerify, value: 'true'}]\n"),
    ("expression-injection", request('echo "{{ body.pull_request.title }}"'), request('echo "{{ repo_url }} {{ revision }}"')),
    (
        "expression-injection",
        request("git checkout $(params.b)", spec="  params: [{name: b, value: '{{ source_branch }}'}]\n"),
        request("git checkout $(params.b)", spec="  params: [{name: b, value: '{{ revision }}'}]\n"),
    ),
    (
        "parameter-pasted",
        job("echo $(params.who)", before="  params: [{name: who}]\n"),
        job("echo $(params.who) $(params.all)", before="  params: [{name: who, enum: [a]}, {name: all, type: array}]\n"),
    ),
    (
        "parameter-pasted",
        job('echo "$(params["who"])"', before="  params: [{name: who, type: string}]\n"),
        job('echo "$WHO"', before="  params: [{name: who, type: string}]\n"),
    ),
    ("strangers-code", cloned("make test"), cloned("echo make test")),
    (
        "debug-enabled",
        "apiVersion: tekton.dev/v1\nkind: TaskRun\nspec: {debug: {breakpoints: {onFailure: enabled}}}\n",
        "apiVersion: tekton.dev/v1\nkind: TaskRun\nspec: {timeout: 1h}\n",
    ),
    (
        "security-step-may-fail",
        TASK + "  steps: [{name: trivy-scan, image: 'a:1', onError: continue}]\n",
        TASK + "  steps: [{name: lint, image: 'a:1', onError: continue}]\n",
    ),
    ("image-unpinned", step("image: node"), step("image: $(params.image)")),
    ("image-unpinned", TASK + "  sidecars: [{image: 'db:latest'}]\n", TASK + "  sidecars: [{image: 'db:17'}]\n"),
    (
        "task-unpinned",
        RUN + "  pipelineRef: {resolver: bundles, params: [{name: bundle, value: 'r.example.org/b:latest'}]}\n",
        RUN + f"  pipelineRef: {{resolver: bundles, params: [{{name: bundle, value: 'r.example.org/b@sha256:{'a' * 64}'}}]}}\n",
    ),
    (
        "task-unpinned",
        RUN + "  pipelineRef: {resolver: git, params: [{name: url, value: a}, {name: revision, value: main}]}\n",
        RUN + "  pipelineRef: {resolver: git, params: [{name: url, value: a}, {name: revision, value: v1.2}]}\n",
    ),
    (
        "task-unpinned",
        RUN + "  pipelineRef: {resolver: hub, params: [{name: name, value: a}]}\n",
        RUN + "  pipelineRef: {resolver: hub, params: [{name: name, value: a}, {name: version, value: '0.1'}]}\n",
    ),
    (
        "task-unpinned",
        ON_REQUEST + "    pipelinesascode.tekton.dev/task: '[git-clone]'\n",
        ON_REQUEST + "    pipelinesascode.tekton.dev/task: '[git-clone:0.9, .tekton/x.yaml]'\n",
    ),
    (
        "include-remote",
        ON_REQUEST + "    pipelinesascode.tekton.dev/task: 'https://a.example.org/main/t.yaml'\n",
        ON_REQUEST + f"    pipelinesascode.tekton.dev/task: 'https://a.example.org/{'a' * 40}/t.yaml'\n",
    ),
    (
        "include-cleartext",
        RUN + "  pipelineRef: {resolver: http, params: [{name: url, value: 'http://a.example.org/t.yaml'}]}\n",
        RUN + f"  pipelineRef: {{resolver: http, params: [{{name: url, value: 'https://a.example.org/{'a' * 40}/t.yaml'}}]}}\n",
    ),
    ("host-rights", step("securityContext: {privileged: true}"), step("securityContext: {privileged: false}")),
    ("root-step", step("securityContext: {runAsUser: 0}"), step("securityContext: {runAsUser: 1000}")),
    (
        "host-access",
        TASK + "  volumes: [{name: v, hostPath: {path: /var/run/docker.sock}}]\n",
        TASK + "  volumes: [{name: v, emptyDir: {}}]\n",
    ),
    ("host-access", RUN + "  podTemplate: {hostNetwork: true}\n", RUN + "  podTemplate: {hostNetwork: false}\n"),
    ("administrator-account", RUN + "  serviceAccountName: cluster-admin\n", RUN + "  serviceAccountName: builder\n"),
    (
        "whole-secret",
        step("envFrom: [{secretRef: {name: deploy}}]"),
        step("env: [{name: T, valueFrom: {secretKeyRef: {name: deploy, key: t}}}]", "envFrom: [{configMapRef: {name: c}}]"),
    ),
    (
        "listener-unauthenticated",
        LISTENER + "  triggers: [{name: t, interceptors: [{ref: {name: github}}]}]\n",
        LISTENER + "  triggers: [{name: t, interceptors: [{ref: {name: github}, params: [{name: secretRef, value: {secretName: s}}]}]}]\n",
    ),
    (
        "listener-unauthenticated",
        LISTENER + "  triggers: [{name: t}]\n",
        LISTENER + "  triggers: [{triggerRef: t}, {name: u, interceptors: [{webhook: {objectRef: {name: own}}}]}]\n",
    ),
]


@pytest.mark.parametrize(("rule", "true", "false"), SAMPLES)
def test_tekton_rule_finds_its_true_sample_and_spares_the_false_one(rule: str, true: str, false: str) -> None:
    assert rule in rules_of(CHECK, true, NAME)
    assert rule not in rules_of(CHECK, false, NAME)


def test_tekton_every_rule_has_a_sample_and_a_row_in_the_catalogue_with_the_same_scales() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)
    rows = {name.removeprefix(f"{NAME}/"): info for name, info in catalogue().rules.items() if name.startswith(f"{NAME}/")}
    assert {name: (info.severity, info.confidence) for name, info in rows.items()} == {
        name: (rule.severity, rule.confidence) for name, rule in RULES.items()
    }


def test_tekton_foreign_text_is_followed_through_parameters_of_one_resource() -> None:
    text = request("x $(params.c)", spec="  params: [{name: a, value: '{{ body.head_commit.message }}'}]\n").replace(
        "    - name: t\n", "    - name: t\n      params: [{name: c, value: $(params.b)}, {name: b, value: $(params.a)}]\n"
    )
    assert rules_of(CHECK, text, NAME) == {"expression-injection"}


def test_tekton_what_a_trigger_makes_and_lists_hold_is_read() -> None:
    template = (
        "apiVersion: triggers.tekton.dev/v1beta1\nkind: TriggerTemplate\nmetadata: {name: tt}\nspec:\n  resourcetemplates:\n  - "
        + step("image: node").replace("\n", "\n    ")
    )
    assert [resource for _, resource, _ in sites_of(CHECK, template, NAME)] == ["Task/t"]
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + step("image: node").replace("\n", "\n  ")
    assert [resource for _, resource, _ in sites_of(CHECK, listed, NAME)] == ["Task/t"]


def test_tekton_a_script_of_another_interpreter_is_no_shell() -> None:
    assert rules_of(CHECK, job("#!/usr/bin/env python3", "x = 'curl -k https://a.example.org'"), NAME) == set()
    assert rules_of(CHECK, job("#!/usr/bin/env bash", "curl -k https://a.example.org"), NAME) == {"verification-off"}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (".tekton/pull.yaml", NAME),
        ("task/git-clone/0.9/git-clone.yaml", NAME),
        ("deploy/build-pipeline.yml", NAME),
        ("deploy/values.yaml", None),
        ("tasks.py", None),
    ],
)
def test_tekton_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


@pytest.mark.parametrize(
    "text", ["", "a: b\n", "- hosts: all\n  tasks: [{shell: x}]\n", "apiVersion: tekton.dev/v1\nkind: CustomRun\n", "a: ["]
)
def test_tekton_what_is_no_resource_of_tekton_is_another_format(text: str) -> None:
    assert outcome(CHECK, text, NAME) == Checked(skipped="other-format")


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (TASK.encode() + b"  steps: [1\n", "syntax", 6),
        (TASK.encode() + b"  \xff: c\n", "encoding", 5),
        (TASK.encode() + b"  steps: " + b"[" * 1000 + b"]" * 1000, "size", 5),
    ],
    ids=["open-bracket", "latin-1", "thousand-deep"],
)
def test_tekton_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(CHECK, content, NAME)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_tekton_parameters_made_of_each_other_end() -> None:
    spec = "  params: [{name: a, value: $(params.b)}, {name: b, value: $(params.a)}]\n"
    assert rules_of(CHECK, request("x $(params.a)", spec=spec), NAME) == set()
