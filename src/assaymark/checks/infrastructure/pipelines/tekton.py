"""Tekton tasks, pipelines and triggers, also as Pipelines-as-Code, judged by our own rules.

Guarantees what `yaml_check` guarantees.
Does not fetch referenced tasks and bundles, and does not know the cluster: rights of service accounts, pod security, defaults.
"""

from __future__ import annotations

import re

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("tekton")
_NAME = re.compile(
    r"(?:(?:^|/)[^/]*(?:tekton|task|pipeline|stepaction|trigger|eventlistener)[^/]*|(?:^|/)\.?(?:tekton|tekton-ci|\w*tasks?|\w*pipelines?|stepactions?|triggers?)/.+)"
    r"\.ya?ml\Z",
    re.IGNORECASE,
)
_LOOKS = re.compile(rb"^[ \t\"'{-]*apiVersion[\"']?[ \t]*:[ \t]*[\"']?(?:triggers\.)?tekton\.dev/", re.MULTILINE)


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """Files whose name or folder speaks of it; the content decides."""
    return Dialect("tekton") if path.endswith((".yml", ".yaml")) and _NAME.search(path) else None


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.tekton_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.tekton_rules import EXAMINERS, RULES  # noqa: PLC0415

    if not _LOOKS.search(each.content):
        return Checked(skipped="other-format")
    return judged(each.content, Book(_ID, read, EXAMINERS, RULES))
