"""Bitbucket Pipelines, judged by our own rules.

Guarantees what `yaml_check` guarantees.
Does not fetch imported pipelines and does not know settings of the repository: secured variables, deployment permissions, merge checks.
"""

from __future__ import annotations

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("bitbucket-pipelines")
_NAMES = ("bitbucket-pipelines.yml", "bitbucket-pipelines.yaml")


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """Pipelines by name, also below other folders."""
    return Dialect("bitbucket-pipelines") if path.rpartition("/")[2].endswith(_NAMES) else None


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.bitbucket_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.bitbucket_rules import EXAMINERS, RULES  # noqa: PLC0415

    return judged(each.content, Book(_ID, read, EXAMINERS, RULES))
