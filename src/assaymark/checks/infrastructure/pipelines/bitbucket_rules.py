"""All rules of the Bitbucket Pipelines check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import bitbucket_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import bitbucket_rules_scripts as scripts
from assaymark.checks.infrastructure.pipelines.bitbucket_document import Bitbucket
from assaymark.checks.infrastructure.pipelines.pipeline_rules import LIKELY, LOW, SURE, rules
from assaymark.checks.rulebook import Flaw, Rule

EXAMINERS: Final[tuple[Callable[[Bitbucket], Iterator[Flaw]], ...]] = (
    scripts.scripts,
    scripts.pipe_runs_foreign_text,
    scripts.clone_unverified,
    scripts.debug_enabled,
    scripts.scanner_cannot_fail,
    scripts.security_step_may_fail,
    rights.image_unpinned,
    rights.pipe_unpinned,
    rights.import_unpinned,
    rights.docker_on_own_runner,
    rights.own_runner_for_strangers,
    rights.identity_for_pull_requests,
    rights.deploy_from_pull_request,
    rights.deploy_without_guard,
    rights.artifact_holds_secret,
)

RULES: Final[dict[str, Rule]] = rules(
    {
        "pipe-unpinned": Rule(
            LOW, SURE, "Name the pipe's version in full (`name:1.2.3`), better an image by digest, and let a bot raise it."
        ),
        "import-unpinned": Rule(LOW, SURE, "Import from a tag that nobody can move, and let a bot raise it."),
        "docker-on-own-runner": Rule(
            LOW, LIKELY, "Build images with a rootless builder, or use this runner for nothing that others can change."
        ),
        "identity-for-pull-requests": Rule(
            LOW, LIKELY, "Remove `oidc: true` from pull request pipelines, or let the other side accept protected branches only."
        ),
    },
    "image-unpinned",
    "artifact-holds-secret",
    "security-step-may-fail",
    "own-runner-for-strangers",
    "deploy-from-pull-request",
    "deploy-without-guard",
    "debug-enabled",
    without=frozenset({"unquoted-foreign-text"}),  # no variable of Bitbucket holds free text
)
