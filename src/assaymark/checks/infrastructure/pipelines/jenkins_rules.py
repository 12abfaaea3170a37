"""All rules of the Jenkins check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines import jenkins_rules_injection as injection
from assaymark.checks.infrastructure.pipelines import jenkins_rules_rights as rights
from assaymark.checks.infrastructure.pipelines import jenkins_rules_sources as sources
from assaymark.checks.infrastructure.pipelines.jenkins_document import Jenkins
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.rules import SHELL_RULES
from assaymark.model.severity import Confidence, Severity

JenkinsRule = Callable[[Jenkins], Iterator[Flaw]]

_INFO, _LOW, _MEDIUM, _HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
_SURE, _LIKELY, _MAYBE = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW

_OWN: Final[dict[str, tuple[JenkinsRule, Rule]]] = {
    "interpolated-foreign-text": (
        injection.interpolated_foreign_text,
        Rule(_HIGH, _SURE, "Use single quotes, so that the shell reads the variable itself: `sh 'tool -- \"$CHANGE_TITLE\"'`."),
    ),
    "interpolated-parameter": (
        injection.interpolated_parameter,
        Rule(_LOW, _LIKELY, "Use single quotes and let the shell read the parameter from its environment: `sh 'tool -- \"$NAME\"'`."),
    ),
    "interpolated-secret": (
        injection.interpolated_secret,
        Rule(_MEDIUM, _SURE, "Use single quotes, so that the shell reads the secret from its environment."),
    ),
    "secret-echoed": (injection.secret_echoed, Rule(_MEDIUM, _SURE, "Remove the line, and replace the secret if the log was readable.")),
    "evaluated-text": (
        injection.evaluated_text,
        Rule(_MEDIUM, _LIKELY, "Read data with readJSON or readYaml, and keep code in a pinned shared library."),
    ),
    "loaded-script": (
        injection.loaded_script,
        Rule(_MEDIUM, _LIKELY, "Choose between fixed names: `load(params.X == 'a' ? 'ci/a.groovy' : 'ci/b.groovy')`."),
    ),
    "controller-access": (
        injection.controller_access,
        Rule(_LOW, _LIKELY, "Use a step or plugin that does it, or move the code into a trusted library that an administrator reviews."),
    ),
    "grabbed-dependency": (
        injection.grabbed_dependency,
        Rule(_MEDIUM, _LIKELY, "Do it in a container with a locked dependency, outside the controller."),
    ),
    "library-unpinned": (
        sources.library_unpinned,
        Rule(_LOW, _SURE, "Name a tag or commit behind the `@`, and let the library's settings forbid overriding it."),
    ),
    "checkout-cleartext": (sources.checkout_cleartext, Rule(_MEDIUM, _SURE, "Fetch over https or ssh.")),
    "untrusted-checkout": (
        sources.untrusted_checkout,
        Rule(_MEDIUM, _MAYBE, "Build strangers' changes in a job without credentials; use them only for changes that are merged."),
    ),
    "image-unpinned": (
        sources.image_unpinned,
        Rule(_LOW, _SURE, "Name a version, better the digest (`name:1.2@sha256:…`), and let a bot raise it."),
    ),
    "container-root": (sources.container_arguments, Rule(_INFO, _LIKELY, "Prepare the image so that steps need no root.")),
    "credentials-for-all": (
        rights.credentials_for_all,
        Rule(_LOW, _SURE, "Move it into `environment` of the stage that needs it, or into `withCredentials` around the step."),
    ),
    "agent-any-with-credentials": (
        rights.agent_any_with_credentials,
        Rule(_INFO, _LIKELY, "Name a label, and keep executors off the controller."),
    ),
    "open-approval": (rights.open_approval, Rule(_LOW, _LIKELY, "Name who may approve: `submitter: 'release-managers'`.")),
    "input-without-timeout": (rights.input_without_timeout, Rule(_INFO, _SURE, "Put `timeout(time: 1, unit: 'DAYS')` around it.")),
    "artifact-holds-secret": (
        rights.artifact_holds_secret,
        Rule(_MEDIUM, _LIKELY, "Leave the file out, or create it again in the step that needs it."),
    ),
    "parameter-holds-password": (
        rights.parameter_holds_password,
        Rule(_MEDIUM, _LIKELY, "Keep the value in the credentials store and use `credentials(…)`; replace the one that was published."),
    ),
    "trigger-token-written": (
        rights.trigger_token_written,
        Rule(_MEDIUM, _SURE, "Use `tokenCredentialId` and replace the token that was published."),
    ),
}

EXAMINERS: Final[tuple[JenkinsRule, ...]] = (
    injection.scripts,
    sources.settings_off,
    rights.scanner_result_ignored,
    *(rule for rule, _ in _OWN.values()),
)
"""What is run over a file; the first three speak for the rules that shell text has too."""

RULES: Final[dict[str, Rule]] = {
    **{name: rule for name, (_, rule) in SHELL_RULES.items()},
    **{name: rule for name, (_, rule) in _OWN.items()},
}
