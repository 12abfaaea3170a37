"""Rules of the check of GitHub's scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.github_document import Github, Job, Step
from assaymark.checks.infrastructure.pipelines.pipeline_rules import (
    HIGH,
    INFO,
    LIKELY,
    LOW,
    rules,
    script_flaws,
    strangers_code_flaws,
    variable_flaws,
)
from assaymark.checks.infrastructure.pipelines.vocabulary import is_true, words
from assaymark.checks.infrastructure.pipelines.walking import pairs
from assaymark.checks.reading.yaml_tree import Scalar, scalars_below
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.facts import Foreign
from assaymark.model.severity import Severity

FOREIGN: Final[Foreign] = {"GITHUB_HEAD_REF": "name"}
"""The branch of a pull request, which its author names; other variables of GitHub hold numbers, ids and names of the repository."""
_EXPRESSION: Final = re.compile(r"\$\{\{(?P<name>[^{}\n]{1,300})\}\}")
_WITH_RIGHTS: Final = frozenset({"pull_request_target", "issue_comment", "issues", "workflow_run"})
_REQUESTS: Final = frozenset({"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"})
_OWN_REFS = re.compile(
    r"\$\{\{\s*(?:github\.(?:sha|ref|ref_name|base_ref)|github\.event\.(?:repository\.default_branch|pull_request\.base\.\w+))\s*\}\}"
)
_FETCHES = re.compile(r"\bgh\s+pr\s+checkout\b|\bgit\s+fetch\b[^\n]{0,200}\bpull/")
_RUNS_CHECKOUT: Final = words(
    "bridgecrewio/checkov-action docker/build-push-action pre-commit/action golangci/golangci-lint-action goreleaser/goreleaser-action"
    " gradle/gradle-build-action hynek/build-and-inspect-python-package oxsecurity/megalinter actions-rs/cargo"
    " github/codeql-action/autobuild sonarsource/sonarqube-scan-action"
)
_DEBUG: Final = frozenset({"ACTIONS_STEP_DEBUG", "ACTIONS_RUNNER_DEBUG"})
_HOSTED = re.compile(
    r"(?:ubuntu|macos|windows)-[\w.-]+\Z|.*\$\{\{|(?:buildjet|warp|blacksmith|depot|namespace-profile|runs-on)\b", re.IGNORECASE
)


def scripts(file: Github) -> Iterator[Flaw]:
    """The rules about shell text, over every step that runs some."""
    yield from script_flaws(file.scripts, file.lines, FOREIGN, _EXPRESSION)


def variable_switches(file: Github) -> Iterator[Flaw]:
    """Variables that switch verification off or address Docker in the clear."""
    written = [(owner, "env", key, value) for owner, env in file.environments for key, value in pairs(env) if isinstance(value, Scalar)]
    yield from variable_flaws(written)


def debug_enabled(file: Github) -> Iterator[Flaw]:
    """The runner is told to log more than it should."""
    for owner, env in file.environments:
        for key, value in pairs(env):
            if key.text in _DEBUG and is_true(value):
                yield Flaw("debug-enabled", owner, f"env.{key.text}", f"{key.text} makes the runner log what steps do and hold", key.span)


def _fetches(step: Step) -> bool:
    """The step brings a stranger's code into the workspace."""
    if step.uses is not None and step.uses.text.startswith("actions/checkout@"):
        refs = _OWN_REFS.sub("", step.given("ref") + step.given("repository"))
        return "${{" in refs
    return any(_FETCHES.search(script.text) for script in step.scripts)


def untrusted_checkout(file: Github) -> Iterator[Flaw]:
    """A stranger's code is checked out and run in a workflow that holds the repository's rights; each tool once per job."""
    called = "workflow_call" in file.events and not file.events & _WITH_RIGHTS
    if not called and not file.events & _WITH_RIGHTS:
        return
    for job in file.jobs:
        guarded = job.node.get("environment") is not None
        severity = INFO if called else LOW if guarded else HIGH
        fetched, told = False, set[str]()
        for step in job.steps:
            for flaw in _run_by(step, file, severity) if fetched else ():
                if flaw.attribute not in told:
                    told.add(flaw.attribute)
                    yield flaw
            fetched = fetched or _fetches(step)


def _run_by(step: Step, file: Github, severity: Severity) -> Iterator[Flaw]:
    for script in step.scripts:
        for each in strangers_code_flaws(script, file.lines, rights=True):
            yield Flaw("untrusted-checkout", each.resource, each.attribute, each.message, each.span, severity)
    name = step.uses.text.partition("@")[0] if step.uses is not None else ""
    if step.uses is not None and (name in _RUNS_CHECKOUT or name.startswith("./")):
        message = f"{name} runs what a pull request brings along, with the rights of this job"
        yield Flaw("untrusted-checkout", step.owner, f"uses: {name}", message, step.uses.span, severity)


def own_runner_for_strangers(file: Github) -> Iterator[Flaw]:
    """Pull requests run on a machine of the organisation."""
    for job in file.jobs if file.events & _REQUESTS else ():
        label = _own_machine(job)
        if label is not None:
            message = f"Pull requests run on {label.text}, which may keep state or rights between jobs"
            yield Flaw("own-runner-for-strangers", job.name, f"runs-on: {label.text}", message, label.span)


def _own_machine(job: Job) -> Scalar | None:
    labels = list(scalars_below(job.node.get("runs-on"), set()))
    if not labels or any(_HOSTED.match(label.text) for label in labels):
        return None
    return labels[0]


EXAMINERS: Final[tuple[Callable[[Github], Iterator[Flaw]], ...]] = (
    scripts,
    variable_switches,
    debug_enabled,
    untrusted_checkout,
    own_runner_for_strangers,
)
RULES: Final[dict[str, Rule]] = rules(
    {
        "untrusted-checkout": Rule(
            HIGH,
            LIKELY,
            "Run strangers' code under `pull_request` without secrets; let a second workflow with rights take over plain data only.",
        ),
    },
    "debug-enabled",
    "own-runner-for-strangers",
    without=frozenset({"unquoted-foreign-text"}),  # no variable of GitHub holds free text
)
