"""All rules of the Tekton check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import tekton_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import tekton_rules_scripts as scripts
from assaymark.checks.infrastructure.pipelines import tekton_rules_sources as sources
from assaymark.checks.infrastructure.pipelines.pipeline_rules import INFO, LIKELY, LOW, MEDIUM, SURE, rules
from assaymark.checks.infrastructure.pipelines.tekton_document import Tekton
from assaymark.checks.rulebook import Flaw, Rule

EXAMINERS: Final[tuple[Callable[[Tekton], Iterator[Flaw]], ...]] = (
    scripts.scripts,
    scripts.expression_injection,
    scripts.parameter_pasted,
    scripts.strangers_code,
    scripts.verification_off,
    scripts.variable_switches,
    scripts.debug_enabled,
    scripts.security_step_may_fail,
    sources.image_unpinned,
    sources.task_unpinned,
    sources.fetched_by_address,
    rights.privileged_step,
    rights.root_step,
    rights.host_access,
    rights.administrator_account,
    rights.whole_secret,
    rights.listener_unauthenticated,
)

RULES: Final[dict[str, Rule]] = rules(
    {
        "task-unpinned": Rule(LOW, SURE, "Name a version or commit, for a bundle the digest, and let a bot raise it."),
        "root-step": Rule(INFO, SURE, "Build the image so that it runs as a user of its own, and set `runAsNonRoot: true`."),
        "host-access": Rule(MEDIUM, SURE, "Use a workspace or an emptyDir; build images with a rootless builder instead of the socket."),
        "administrator-account": Rule(LOW, LIKELY, "Make a service account with the few rights that this pipeline needs."),
        "whole-secret": Rule(LOW, SURE, "Take the one key that the step needs with `secretKeyRef`, and only in that step."),
        "listener-unauthenticated": Rule(
            MEDIUM, LIKELY, "Put the interceptor of your forge before it, with `secretRef`, so that only signed events start a run."
        ),
    },
    "expression-injection",
    "parameter-pasted",
    "strangers-code",
    "image-unpinned",
    "security-step-may-fail",
    "debug-enabled",
    "include-remote",
    "include-cleartext",
    without=frozenset({"script-injection", "unquoted-foreign-text"}),  # steps get nothing foreign but by what is pasted
)
