"""Kubernetes manifests, judged by our own rules.

Guarantees: exactly one outcome per input; a file without manifests costs two searches for a word; time and memory are bounded whatever
the text (aliases are never expanded, nesting, size and number of objects are limited); a flaw has kind, namespace, name and container as
address, so objects and containers can come, go, change places and move between files.

Helm templates are read as far as they are literal (see `templates`); those that are no YAML before they are rendered are counted as
``template``.
Does not render charts, build overlays, follow references between files or know the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("kubernetes")
_SUFFIXES = (".yaml", ".yml", ".json")
_NEVER = ("package.json", "package-lock.json", "composer.json", "composer.lock", "tsconfig.json", "angular.json", "pnpm-lock.yaml")


class Kubernetes:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """Every YAML and JSON file: manifests have no names of their own, so the content decides."""
        if not path.endswith(_SUFFIXES) or path.endswith(_NEVER):
            return None
        return Dialect("kubernetes")

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            content = each.content
            if b"apiVersion" in content and b"kind" in content:
                yield each.digest, _judge(content)
            else:
                yield each.digest, Checked(skipped="other-format")


def make(settings: CheckSettings) -> Kubernetes:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Kubernetes()


def _judge(content: bytes) -> Outcome:
    from assaymark.checks.infrastructure.workloads.kubernetes_rules import RULES, SHARED_FINDING  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.workloads.kubernetes_verdict import flaws_of  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.manifests import manifests  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.skips import settled, with_aliases  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    rules = with_aliases(_ID, RULES)
    try:
        found, why = manifests(content)
        if not found:
            return Checked(skipped=why)
        flaws = bounded(flaw for manifest in found for flaw in flaws_of(manifest, rules))
    except Unreadable as error:
        return Unchecked(error.reason_class, error.reason, error.line)
    lines = content.decode("utf-8", "replace").split("\n") if flaws else []
    return Checked(sightings=settled(sightings(_ID, rules, flaws, lines), SHARED_FINDING))
