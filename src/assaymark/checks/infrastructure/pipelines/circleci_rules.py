"""All rules of the CircleCI check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import circleci_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import circleci_rules_scripts as scripts
from assaymark.checks.infrastructure.pipelines.circleci_document import Circle
from assaymark.checks.infrastructure.pipelines.pipeline_rules import INFO, LIKELY, LOW, SURE, rules
from assaymark.checks.rulebook import Flaw, Rule

EXAMINERS: Final[tuple[Callable[[Circle], Iterator[Flaw]], ...]] = (
    scripts.scripts,
    scripts.expression_injection,
    scripts.parameter_pasted,
    scripts.variable_switches,
    scripts.scanner_cannot_fail,
    rights.orb_unpinned,
    rights.orb_follows_versions,
    rights.image_unpinned,
    rights.own_runner_for_strangers,
    rights.all_ssh_keys,
    rights.deploy_without_guard,
    rights.secrets_for_all_jobs,
    rights.artifact_holds_secret,
)

RULES: Final[dict[str, Rule]] = rules(
    {
        "orb-unpinned": Rule(LOW, SURE, "Name the orb's version in full (`namespace/orb@1.2.3`), and let a bot raise it."),
        "orb-follows-versions": Rule(INFO, SURE, "Name the orb's version in full (`namespace/orb@1.2.3`), and let a bot raise it."),
        "all-ssh-keys": Rule(LOW, SURE, "Name the one key that the job needs under `fingerprints:`."),
        "secrets-for-all-jobs": Rule(INFO, LIKELY, "Give each context to the jobs that need it; builds and tests mostly need none."),
    },
    "expression-injection",
    "parameter-pasted",
    "image-unpinned",
    "artifact-holds-secret",
    "own-runner-for-strangers",
    "deploy-without-guard",
    without=frozenset({"unquoted-foreign-text"}),  # no variable of CircleCI holds free text
)
