"""Rules of GitLab CI: who may deploy, which rights jobs hold, and whether security jobs can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.gitlab_document import Gitlab, Job
from assaymark.checks.infrastructure.pipelines.vocabulary import OWN_MACHINE, PRODUCTION, SECURITY_JOB, is_true
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span
from assaymark.model.severity import Severity

_DISABLED = re.compile(r"(?:SAST|DAST|SECRET_DETECTION|DEPENDENCY_SCANNING|CONTAINER_SCANNING|API_FUZZING|COVFUZZ)_DISABLED\Z")
_PASSIVE = frozenset({"stop", "prepare", "verify", "access"})
_GUARDS = ("rules", "only", "except")


def security_job_may_fail(file: Gitlab) -> Iterator[Flaw]:
    """A job whose purpose is security is allowed to fail."""
    for job in file.jobs:
        node = job.node.get("allow_failure")
        if isinstance(node, Scalar) and is_true(node) and SECURITY_JOB.search(job.name):
            yield Flaw("security-job-may-fail", job.name, "allow_failure", f"{job.name} may fail and the pipeline still passes", node.span)


def security_scan_disabled(file: Gitlab) -> Iterator[Flaw]:
    """A variable switches one of GitLab's own scans off for the whole pipeline."""
    variables = file.root.get("variables")
    for key, value in variables.named() if isinstance(variables, Keyed) else ():
        node = value.get("value") if isinstance(value, Keyed) else value
        if _DISABLED.match(key.text) and is_true(node):
            yield Flaw("security-scan-disabled", "pipeline", f"variables.{key.text}", f"{key.text} switches the scan off", key.span)


def id_token_audience(file: Gitlab) -> Iterator[Flaw]:
    """An identity token that more than one service would accept."""
    for owner, tokens in file.owners("id_tokens"):
        for key, token in tokens.named() if isinstance(tokens, Keyed) else ():
            aud = token.get("aud") if isinstance(token, Keyed) else None
            many = isinstance(aud, Items) and len(aud.entries) > 1
            for node in scalars_below(aud, set()):
                if node.text in {"*", "https://gitlab.com", "$CI_SERVER_URL", "${CI_SERVER_URL}"} or many:
                    message = f"The identity token {key.text} is meant for more than the one service that needs it"
                    yield Flaw("id-token-audience", owner, f"id_tokens.{key.text}.aud", message, node.span)
                    break


def _environment(file: Gitlab, job: Job) -> str:
    """Name of the production-like environment that a job changes, empty when it changes none."""
    node = file.effective(job, "environment")
    name = scalar_text(node.get("name")) if isinstance(node, Keyed) else scalar_text(node)
    action = scalar_text(node.get("action")) if isinstance(node, Keyed) else ""
    return name if PRODUCTION.search(name) and action not in _PASSIVE else ""


def _span_of(job: Job, name: str) -> Span:
    for key, _ in job.node.named():
        if key.text == name:
            return key.span
    return job.key


def deploy_without_guard(file: Gitlab) -> Iterator[Flaw]:
    """A production deployment that runs by itself for every branch."""
    if file.root.get("workflow") is not None:
        return
    for job in file.jobs:
        if job.hidden or not _environment(file, job):
            continue
        guarded = any(file.effective(job, key) is not None for key in _GUARDS)
        if not guarded and scalar_text(file.effective(job, "when")) != "manual":
            message = f"{job.name} deploys to production from every branch, without a rule and without a person"
            yield Flaw("deploy-without-guard", job.name, "environment", message, _span_of(job, "environment"))


def _merge_request_rule(rules: Node | None) -> Scalar | None:
    """The rule that adds a job to merge request pipelines without asking a person."""
    for rule in rules.entries if isinstance(rules, Items) else ():
        condition = rule.get("if") if isinstance(rule, Keyed) else None
        if not isinstance(condition, Scalar) or not isinstance(rule, Keyed):
            continue
        asks = re.search(r"merge_request_event[\"']|\$CI_MERGE_REQUEST_I?ID\b", condition.text)
        negated = re.search(r"!=\s*[\"']merge_request_event|\$CI_MERGE_REQUEST_I?ID\s*==\s*null", condition.text)
        if asks and not negated and scalar_text(rule.get("when")) not in {"never", "manual"}:
            return condition
    return None


def deploy_from_merge_request(file: Gitlab) -> Iterator[Flaw]:
    """A production deployment in pipelines of merge requests."""
    for job in file.jobs:
        if job.hidden or not _environment(file, job):
            continue
        if _merge_request_rule(file.effective(job, "rules")) is not None:
            message = f"{job.name} deploys to production from a merge request, before anybody merged it"
            yield Flaw("deploy-from-merge-request", job.name, "rules", message, _span_of(job, "rules"))


def own_runner_for_strangers(file: Gitlab) -> Iterator[Flaw]:
    """Changes that are not merged yet run on a machine with access of its own."""
    for job in file.jobs:
        tags = file.effective(job, "tags")
        if job.hidden or tags is None or _merge_request_rule(file.effective(job, "rules")) is None:
            continue
        for tag in scalars_below(tags, set()):
            if OWN_MACHINE.search(tag.text):
                message = f"Merge requests run on the runner tagged {tag.text}, which keeps state or rights between jobs"
                yield Flaw("own-runner-for-strangers", job.name, f"tags: {tag.text}", message, _span_of(job, "tags"))


def variables_forwarded(file: Gitlab) -> Iterator[Flaw]:
    """Variables given to this run by hand or by an API call reach another pipeline unread."""
    for owner, trigger in file.owners("trigger"):
        forward = trigger.get("forward") if isinstance(trigger, Keyed) else None
        node = forward.get("pipeline_variables") if isinstance(forward, Keyed) else None
        if isinstance(node, Scalar) and is_true(node):
            message = "Whatever variables this run was started with also rule the pipeline it starts"
            yield Flaw("variables-forwarded", owner, "trigger.forward.pipeline_variables", message, node.span)


def cache_unprotected(file: Gitlab) -> Iterator[Flaw]:
    """A cache that unprotected branches can fill and protected ones read."""
    for owner, value in file.owners("cache"):
        for cache in value.entries if isinstance(value, Items) else [value]:
            node = cache.get("unprotect") if isinstance(cache, Keyed) else None
            if isinstance(node, Scalar) and is_true(node):
                message = "Any branch can fill the cache that protected branches build from"
                yield Flaw("cache-unprotected", owner, "cache.unprotect", message, node.span, Severity.MEDIUM)
