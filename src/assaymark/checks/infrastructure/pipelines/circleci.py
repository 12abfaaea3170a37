"""CircleCI configurations, judged by our own rules.

Guarantees what `yaml_check` guarantees.
Does not fetch orbs, does not evaluate conditions, and does not know settings of the project: whether forks are built and with which
secrets, who may use a context.
"""

from __future__ import annotations

import re

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("circleci")
_FOLDER = re.compile(r"(?:^|/)\.circleci/.+\.ya?ml\Z")


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """``config.yml`` is one; what else lies beside it may be, which its keys tell."""
    if not _FOLDER.search(path):
        return None
    return Dialect("circleci" if path.endswith((".circleci/config.yml", ".circleci/config.yaml")) else "circleci-other")


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.circleci_document import read, read_other  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.circleci_rules import EXAMINERS, RULES  # noqa: PLC0415

    return judged(each.content, Book(_ID, read_other if each.dialect == "circleci-other" else read, EXAMINERS, RULES))
