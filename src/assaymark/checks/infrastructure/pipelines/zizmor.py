"""GitHub workflows, composite actions and Dependabot files, audited by zizmor.

Guarantees: one process for a batch, and exactly one outcome per input. zizmor passes over files that break its schema and goes on;
here every file that it does not report as completed is unchecked, with the reason and, where it can be found, the line.
Does not look at the network (advisories of actions belong to the dependency check) and knows nothing of
a repository's zizmor configuration.

This module is what planning needs and is quick to import; the work is in `zizmor_run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.infrastructure.pipelines.zizmor_engine import installed
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect, Input, Outcome, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_WORKFLOW = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml\Z")
_ACTION = re.compile(r"(?:^|/)action\.ya?ml\Z")
_DEPENDABOT = re.compile(r"(?:^|/)\.github/dependabot\.ya?ml\Z")


class Zizmor:
    """See the module."""

    id = CheckId("zizmor")
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"
    starts_processes = True

    def knowledge(self) -> str:
        """Version of zizmor; the options and tables belong to `version`.

        Raises:
            EngineMissing: when zizmor is not installed.
        """
        return digest_of(["zizmor", installed().version])

    def select(self, path: str) -> Dialect | None:
        """By name, as GitHub does; nested `.github` folders are templates and are read too."""
        if not path.endswith((".yml", ".yaml")):
            return None
        if _WORKFLOW.search(path):
            return Dialect("workflow")
        if _ACTION.search(path):
            return Dialect("action")
        return Dialect("dependabot") if _DEPENDABOT.search(path) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        from assaymark.checks.infrastructure.pipelines.zizmor_run import run  # noqa: PLC0415 - a plan without workflows must not pay for it

        return run(inputs)


def make(settings: CheckSettings) -> Zizmor:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Zizmor()
