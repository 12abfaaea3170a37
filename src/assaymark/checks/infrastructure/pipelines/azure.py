"""Azure Pipelines, judged by our own rules.

Guarantees what `yaml_check` guarantees.
Does not fetch templates (each is judged where it stands), does not evaluate template expressions (both branches of a condition are
read), and does not know settings of the project: variable groups, approvals, whether builds of forks get secrets.
"""

from __future__ import annotations

import re

from assaymark.checks.infrastructure.pipelines.yaml_check import Book, YamlCheck, judged
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome
from assaymark.model.finding import CheckId

_ID = CheckId("azure-pipelines")
_PIPELINE = re.compile(r"(?:^|/)(?:[^/]*azure-pipelines?[^/]*|\.vsts[\w.-]*)\.ya?ml\Z", re.IGNORECASE)
_FOLDER = re.compile(
    r"(?:^|/)(?:\.?azure-?pipelines?|\.azure-?devops|\.?azdo|\.?ado|\.pipelines?|\.vsts|eng|pipelines|devops|\.ci)/.+\.ya?ml\Z",
    re.IGNORECASE,
)
_LOOKS = re.compile(rb"^(?:stages|jobs|steps|extends|variables)[ \t]*:", re.MULTILINE)
_LOOKS_ELSE = re.compile(rb"^(?:on|\"on\"|apiVersion|services|version)[ \t]*:|^[ \t]+runs-on[ \t]*:", re.MULTILINE)


def make(settings: CheckSettings) -> YamlCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return YamlCheck(_ID, "1", _select, _judge)


def _select(path: str) -> Dialect | None:
    """Pipelines by name; files in folders that usually hold templates may be others, which their keys tell."""
    if not path.endswith((".yml", ".yaml")):
        return None
    if _PIPELINE.search(path):
        return Dialect("azure-pipelines")
    return Dialect("azure-template") if _FOLDER.search(path) else None


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.azure_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.azure_rules import EXAMINERS, RULES  # noqa: PLC0415

    template = each.dialect == "azure-template"
    if template and (not _LOOKS.search(each.content) or _LOOKS_ELSE.search(each.content)):
        return Checked(skipped="other-format")
    return judged(each.content, Book(_ID, read, EXAMINERS, RULES))
