"""How zizmor's words map to our scales, and what to do about each of its audits, in our words."""

from __future__ import annotations

from typing import Final

from assaymark.model.severity import Confidence, Severity

SEVERITIES: Final = {"Informational": Severity.INFO, "Low": Severity.LOW, "Medium": Severity.MEDIUM, "High": Severity.HIGH}
CONFIDENCES: Final = {"Low": Confidence.LOW, "Medium": Confidence.MEDIUM, "High": Confidence.HIGH}

WORST: Final = {
    "unpinned-uses": Severity.MEDIUM,
    "unpinned-images": Severity.MEDIUM,
    "unpinned-tools": Severity.MEDIUM,
    "archived-uses": Severity.MEDIUM,
    "dependabot-cooldown": Severity.LOW,
    "superfluous-actions": Severity.LOW,
    "misfeature": Severity.LOW,
    "ref-version-mismatch": Severity.LOW,
    "secrets-outside-env": Severity.MEDIUM,
    "self-repository": Severity.LOW,
}
"""Bounds: a missing precaution against a possible later attack weighs less than a hole that is open now."""

OTHERWISE: Final = "Read the page of this audit in zizmor's documentation and change the place that is shown."

ADVICE: Final = {
    "adhoc-packages": "Put the package into a manifest with a lock file and install from that lock file.",
    "anonymous-definition": "Give the workflow or action a `name:`.",
    "archived-uses": "Replace the action by one that is maintained, or by a few lines of your own; nobody will repair an archived one.",
    "artipacked": "Set `persist-credentials: false` on the checkout; a step that must push should be given its token itself.",
    "bot-conditions": "Compare the event's own author (for a pull request `github.event.pull_request.user.login`), not the last actor, "
    "and check that the head repository is yours.",
    "cache-poisoning": "Do not restore a cache in a job that releases: turn the action's caching off there or build from scratch.",
    "concurrency-limits": "Add `concurrency:` with a group per branch so that runs cannot race each other.",
    "dangerous-triggers": "Use `pull_request` (no secrets, read-only token). Where rights are "
    "needed, split: an unprivileged run that builds, "
    "and a second workflow that handles only its checked result.",
    "dependabot-cooldown": "Set `cooldown: default-days: 7` so that a hijacked release is found out before you take it.",
    "dependabot-execution": "Set `insecure-external-code-execution: deny`; manifests of strangers "
    "should not run code with registry rights.",
    "excessive-permissions": "Write `permissions: {}` at the top and give each job only the scopes that its steps use.",
    "forbidden-uses": "Use an action that your policy allows.",
    "github-app": "Ask for a token with only the repositories and permissions that the job needs, and let it be revoked at the end.",
    "github-env": "Do not write what others control to GITHUB_ENV or GITHUB_PATH; pass it as a step output, or validate it first.",
    "hardcoded-container-credentials": "Put the registry password into a secret, refer to it by expression, "
    "and replace the one that was published.",
    "impostor-commit": "Pin to a commit that belongs to the action's own repository; this one comes from a fork.",
    "insecure-commands": "Remove ACTIONS_ALLOW_UNSECURE_COMMANDS and write to GITHUB_ENV and GITHUB_PATH files instead of old commands.",
    "insecure-url-scheme": "Write https:// so that nobody on the way can change what is fetched.",
    "known-vulnerable-actions": "Raise the action to a version without the advisory.",
    "misfeature": "Replace the feature by its plainer counterpart; it behaves otherwise than it looks.",
    "obfuscation": "Write the expression or reference plainly; readers and tools cannot see what this does.",
    "overprovisioned-secrets": "Name each secret that is needed instead of handing over all of them.",
    "ref-confusion": "Pin to a full commit hash; a branch and a tag share this name and either could be taken.",
    "ref-version-mismatch": "Make the comment behind the hash name the version that the hash really is.",
    "secrets-inherit": "List the secrets that the called workflow needs instead of `secrets: inherit`.",
    "secrets-outside-env": "Move the job into an environment with protection rules and keep the secret there.",
    "self-hosted-runner": "Run strangers' changes on hosted runners, or on runners that are "
    "thrown away after each job and ask for approval.",
    "self-repository": "Refer to your own repository's actions and workflows by relative path.",
    "stale-action-refs": "Pin to the commit of a released tag.",
    "superfluous-actions": "Use the tool that the runner already has; each action less is one less to trust.",
    "template-injection": "Put the expression into `env:` of the step and use the variable in "
    "double quotes; the shell then sees data, not code.",
    "typosquat-uses": "Check the spelling of owner and action; this name is one slip away from a well-known one.",
    "undocumented-permissions": "Say in a comment why the scope is needed.",
    "unpinned-images": "Name the image by digest (`name@sha256:…`) and let a bot raise it.",
    "unpinned-tools": "Name the exact version of the tool that the action installs.",
    "unpinned-uses": "Pin to a full commit hash with the version in a comment, and let a bot raise both.",
    "unredacted-secrets": "Store each value as a secret of its own; parts of a structured secret are not masked in logs.",
    "unsound-condition": "Write the condition as one expression, `${{ … }}` around all of it or none; text around it makes it always true.",
    "unsound-contains": 'Give `contains` a list (`fromJSON(\'["a","b"]\')`); in a plain string any part of it matches.',
    "unsound-ternary": "Order the branches so that the middle value cannot be empty or false, or use `case`.",
    "use-trusted-publishing": "Publish with the registry's trusted publisher (OpenID Connect) and delete the long-lived token.",
}
