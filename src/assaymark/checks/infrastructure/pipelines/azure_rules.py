"""All rules of the Azure Pipelines check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import azure_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import azure_rules_scripts as scripts
from assaymark.checks.infrastructure.pipelines.azure_document import Azure
from assaymark.checks.infrastructure.pipelines.pipeline_rules import INFO, LIKELY, LOW, MEDIUM, SURE, rules
from assaymark.checks.rulebook import Flaw, Rule

EXAMINERS: Final[tuple[Callable[[Azure], Iterator[Flaw]], ...]] = (
    scripts.scripts,
    scripts.expression_injection,
    scripts.parameter_pasted,
    scripts.variable_switches,
    scripts.debug_enabled,
    scripts.secret_unmasked,
    scripts.strangers_code,
    scripts.service_principal_in_script,
    rights.image_unpinned,
    rights.repository_unpinned,
    rights.credentials_persist,
    rights.own_runner_for_strangers,
    rights.security_step_may_fail,
    rights.container_with_host_rights,
    rights.artifact_holds_secret,
    rights.secrets_for_all_jobs,
    rights.feed_without_check,
)

RULES: Final[dict[str, Rule]] = rules(
    {
        "secret-unmasked": Rule(
            MEDIUM, LIKELY, "Add `;issecret=true`, and hand the value to the steps that need it by `env:`; replace it if a log shows it."
        ),
        "service-principal-in-script": Rule(
            LOW, SURE, "Use the signed-in session of the task, or workload identity federation, and remove the input."
        ),
        "repository-unpinned": Rule(LOW, SURE, "Give the repository a `ref:` with a tag or a commit, and let a bot raise it."),
        "credentials-persist": Rule(
            LOW, SURE, "Remove it; where a step must push, give that step the token by `env:` or sign in for that one command."
        ),
        "secrets-for-all-jobs": Rule(
            INFO, LIKELY, "Name the group in `variables` of the stage or job that needs it, and not in jobs that run pull requests."
        ),
    },
    "expression-injection",
    "parameter-pasted",
    "strangers-code",
    "image-unpinned",
    "artifact-holds-secret",
    "security-step-may-fail",
    "own-runner-for-strangers",
    "debug-enabled",
)
