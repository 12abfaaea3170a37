"""What zizmor leaves to others in GitHub workflows and composite actions: shell text of steps, and strangers' code that is run with rights.

Guarantees what `yaml_check` guarantees. A workflow that breaks GitHub's schema is read as far as it goes, so a typing error hides nothing.
Does not repeat zizmor (expressions pasted into scripts, permissions, pins), and does not read reusable workflows of others.
"""

from __future__ import annotations

import re

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("github-scripts")
_WORKFLOW = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml\Z")
_ACTION = re.compile(r"(?:^|/)action\.ya?ml\Z")


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """Workflows by folder; an ``action.yml`` may be something else, which its keys tell."""
    if not path.endswith((".yml", ".yaml")):
        return None
    return Dialect("github-workflow") if _WORKFLOW.search(path) or _ACTION.search(path) else None


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.github_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.github_rules import EXAMINERS, RULES  # noqa: PLC0415

    return judged(each.content, Book(_ID, read, EXAMINERS, RULES))
