"""Jenkinsfiles, declarative and scripted, judged by our own rules.

Guarantees: exactly one outcome per input; time and memory are bounded whatever the text; a flaw has its stage and what is wrong as address.
Does not load shared libraries and does not know the controller's settings (sandbox, approvals, who may start builds).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("jenkins")
_PIPELINE = re.compile(r"(?:^|/)(?:Jenkinsfile(?:[._-][^/]*)?|[^/]+\.[jJ]enkinsfile)\Z")
_OTHER_TEXT = (
    ".md",
    ".txt",
    ".rst",
    ".adoc",
    ".html",
    ".j2",
    ".erb",
    ".tmpl",
    ".tpl",
    ".json",
    ".yml",
    ".yaml",
    ".png",
    ".py",
    ".sh",
    ".bak",
)
_LIBRARY = re.compile(r"(?:^|/)vars/[^/]+\.groovy\Z")
_IS_PIPELINE = re.compile(r"^[ \t]*(?:pipeline|node|podTemplate)\s*(?:\([^)\n]{0,200}\)\s*)?\{", re.MULTILINE)


class Jenkinsfiles:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """Pipelines by name; a library's ``vars/`` may hold some, which their content tells."""
        if _PIPELINE.search(path):
            return None if path.endswith(_OTHER_TEXT) else Dialect("jenkinsfile")
        return Dialect("groovy") if _LIBRARY.search(path) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, _judge(each)


def make(settings: CheckSettings) -> Jenkinsfiles:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Jenkinsfiles()


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.jenkins_document import load  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.jenkins_rules import EXAMINERS, RULES  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    try:
        text = decode(each.content)
        if each.dialect == "groovy" and not _IS_PIPELINE.search(text):
            return Checked(skipped="other-format")
        file = load(text)
        if file is None:
            return Checked(skipped="empty")
        flaws = bounded(flaw for examine in EXAMINERS for flaw in examine(file))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    return Checked(sightings=sightings(_ID, RULES, flaws, text.split("\n")))
