"""GitLab CI files, judged by our own rules.

Guarantees what `yaml_check` guarantees.
Does not fetch includes and does not know project settings (protected branches, masked variables).
"""

from __future__ import annotations

import re

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("gitlab-ci")
_PIPELINE = re.compile(r"(?:^|/)(?:[^/]*\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml)\Z")
_TEMPLATE = re.compile(r"(?:^|/)templates/(?:[^/]+\.yml|[^/]+/template\.yml)\Z")
_HEADER = re.compile(r"^spec:", re.MULTILINE)


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """Pipelines by name; files in ``templates/`` may be components, which their header tells."""
    if not path.endswith((".yml", ".yaml")):
        return None
    if _PIPELINE.search(path):
        return Dialect("gitlab-ci")
    return Dialect("gitlab-template") if _TEMPLATE.search(path) else None


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.gitlab_document import read, read_component  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.gitlab_rules import EXAMINERS, RULES  # noqa: PLC0415

    template = each.dialect == "gitlab-template"
    if template and not _HEADER.search(each.content.decode("utf-8", "replace")):
        return Checked(skipped="other-format")
    return judged(each.content, Book(_ID, read_component if template else read, EXAMINERS, RULES))
