"""GitLab CI files, judged by our own rules.

Guarantees: exactly one outcome per input; time and memory are bounded whatever the text (aliases are never expanded,
nesting and size are limited);
a flaw has the job and what is wrong as address, so jobs can come, go and change places.
Does not fetch includes and does not know project settings (protected branches, masked variables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("gitlab-ci")
_PIPELINE = re.compile(r"(?:^|/)(?:[^/]*\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml)\Z")
_TEMPLATE = re.compile(r"(?:^|/)templates/(?:[^/]+\.yml|[^/]+/template\.yml)\Z")
_HEADER = re.compile(r"^spec:", re.MULTILINE)


class GitlabCi:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """Pipelines by name; files in ``templates/`` may be components, which their header tells."""
        if not path.endswith((".yml", ".yaml")):
            return None
        if _PIPELINE.search(path):
            return Dialect("gitlab-ci")
        return Dialect("gitlab-template") if _TEMPLATE.search(path) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, _judge(each)


def make(settings: CheckSettings) -> GitlabCi:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return GitlabCi()


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.pipelines.gitlab_document import has_inputs, read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.pipelines.gitlab_rules import EXAMINERS, RULES  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    template = each.dialect == "gitlab-template"
    if template and not _HEADER.search(each.content.decode("utf-8", "replace")):
        return Checked(skipped="other-format")
    try:
        text = decode(each.content)
        if template and not has_inputs(text):
            return Checked(skipped="other-format")
        file = read(text)
        if file is None:
            return Checked(skipped="empty")
        flaws = bounded(flaw for examine in EXAMINERS for flaw in examine(file))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    return Checked(sightings=sightings(_ID, RULES, flaws, file.lines))
