"""All rules of the GitLab CI check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import gitlab_rules_exposure as exposure
from assaymark.checks.infrastructure.pipelines import gitlab_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import gitlab_rules_sources as sources
from assaymark.checks.infrastructure.pipelines.gitlab_document import Gitlab
from assaymark.checks.infrastructure.pipelines.pipeline_rules import SHARED
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.rules import SHELL_RULES
from assaymark.model.severity import Confidence, Severity

GitlabRule = Callable[[Gitlab], Iterator[Flaw]]

_INFO, _LOW, _MEDIUM, _HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
_SURE, _LIKELY, _MAYBE = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW

_OWN: Final[dict[str, tuple[GitlabRule, Rule]]] = {
    "include-remote": (
        sources.include_remote,
        Rule(
            _MEDIUM,
            _SURE,
            "Add `integrity: sha256-…` to the include, or copy the file into a project of yours and include it with a commit as `ref`.",
        ),
    ),
    "include-cleartext": (sources.include_cleartext, Rule(_HIGH, _SURE, "Include it over https, and add `integrity:`.")),
    "include-project-unpinned": (
        sources.include_project_unpinned,
        Rule(_LOW, _SURE, "Give the include a `ref:` with a commit or a protected tag, and let a bot raise it."),
    ),
    "include-component-unpinned": (
        sources.include_component_unpinned,
        Rule(_LOW, _SURE, "Name a released version or a commit behind the `@`."),
    ),
    "image-unpinned": (sources.image_unpinned, SHARED["image-unpinned"]),
    "image-without-digest": (
        sources.image_without_digest,
        Rule(_INFO, _SURE, "Add the digest behind the tag (`name:1.2@sha256:…`), and let a bot raise both."),
    ),
    "docker-in-docker": (
        sources.docker_in_docker,
        Rule(_INFO, _LIKELY, "Build with buildkit rootless, buildah or kaniko's successors on an unprivileged runner."),
    ),
    "security-job-may-fail": (
        rights.security_job_may_fail,
        Rule(
            _MEDIUM, _LIKELY, "Set `allow_failure: false`; to start softly, allow single exit codes or keep a baseline of known findings."
        ),
    ),
    "security-scan-disabled": (
        rights.security_scan_disabled,
        Rule(_LOW, _SURE, "Remove the variable, or limit it to the job that needs it."),
    ),
    "id-token-audience": (
        rights.id_token_audience,
        Rule(_LOW, _LIKELY, "Give each service a token of its own, with that service's address alone as `aud`."),
    ),
    "deploy-without-guard": (
        rights.deploy_without_guard,
        Rule(
            _MEDIUM, _LIKELY, "Add `rules: - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH` (or a protected tag) and protect the environment."
        ),
    ),
    "deploy-from-merge-request": (
        rights.deploy_from_merge_request,
        Rule(
            _MEDIUM,
            _LIKELY,
            "Deploy reviews to an environment of their own; let production follow the default branch or protected tags only.",
        ),
    ),
    "own-runner-for-strangers": (
        rights.own_runner_for_strangers,
        Rule(_LOW, _MAYBE, "Run merge requests on runners that are thrown away after each job; keep this runner for protected branches."),
    ),
    "variables-forwarded": (
        rights.variables_forwarded,
        Rule(_LOW, _LIKELY, "Name the variables that the other pipeline needs in `variables:` of the trigger job."),
    ),
    "cache-unprotected": (
        rights.cache_unprotected,
        Rule(_MEDIUM, _SURE, "Remove `unprotect: true`, so that protected branches keep a cache of their own."),
    ),
    "input-expanded": (
        exposure.input_expanded,
        Rule(_MEDIUM, _LIKELY, "Hand the input over as a variable and use that in double quotes, without `expand_vars`."),
    ),
    "debug-trace": (
        exposure.debug_trace,
        Rule(_HIGH, _SURE, "Remove it; debug single runs by setting it by hand, and replace secrets that were logged."),
    ),
    "docker-tls-off": (exposure.docker_tls_off, Rule(_LOW, _SURE, 'Set DOCKER_TLS_CERTDIR to "/certs" and use port 2376.')),
    "artifact-holds-secret": (
        exposure.artifact_holds_secret,
        Rule(_MEDIUM, _LIKELY, "Keep the file out of artifacts, or set `artifacts:access: none` and a short `expire_in`."),
    ),
    "secret-in-artifact": (
        exposure.secret_in_artifact,
        Rule(
            _MEDIUM, _LIKELY, "Let each job read the secret itself as a masked variable or from a vault instead of passing it on in a file."
        ),
    ),
}

EXAMINERS: Final[tuple[GitlabRule, ...]] = (exposure.scripts, exposure.variable_switches, *(rule for rule, _ in _OWN.values()))
"""What is run over a file; the two first speak for the rules about shell text."""

RULES: Final[dict[str, Rule]] = {
    **{name: rule for name, (_, rule) in SHELL_RULES.items()},
    **{name: rule for name, (_, rule) in _OWN.items()},
}
