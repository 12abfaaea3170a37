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
from typing import TYPE_CHECKING

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.policies.files import UserPolicy

_ID = CheckId("kubernetes")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")
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
        """Every YAML and JSON file: the content decides, since only kustomizations have a name of their own."""
        if not path.endswith(_SUFFIXES) or path.endswith(_NEVER):
            return None
        return Dialect("kustomization" if path.rpartition("/")[2] in _KUSTOMIZATIONS else "kubernetes")

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            content = each.content
            assumed = "Kustomization" if each.dialect == "kustomization" else ""
            if assumed or (b"apiVersion" in content and b"kind" in content):
                yield each.digest, self.judge(content, assumed)
            else:
                yield each.digest, Checked(skipped="other-format")

    def judge(self, content: bytes, assumed: str) -> Outcome:
        """One file by our own rules; `assumed` is the kind of an object that gives none."""
        return _judge(content, assumed)


class KubernetesPolicies(Kubernetes):
    """The user's policies over the same files: a check of its own, so that one that can't be evaluated is no gap in the other."""

    id = CheckId("kubernetes-policies")

    def __init__(self, policies: Sequence[UserPolicy], asked: str) -> None:
        self._policies = tuple(policies)
        self._asked = asked

    def knowledge(self) -> str:
        """What the policies say."""
        return digest_of([self.id, self._asked])

    def select(self, path: str) -> Dialect | None:
        """Nothing where there is no policy."""
        return super().select(path) if self._policies else None

    def judge(self, content: bytes, assumed: str) -> Outcome:  # noqa: ARG002  an object without a kind has no policies
        """One file by the user's policies."""
        from assaymark.checks.infrastructure.workloads.kubernetes_policies import judged  # noqa: PLC0415

        return judged(self.id, content, self._policies)


def make_policies(settings: CheckSettings) -> KubernetesPolicies:
    """The check of the user's policies that are about Kubernetes.

    Raises:
        PolicyInvalid: when a file of policies is wrong.
    """
    if not settings.policies:
        return KubernetesPolicies((), "")
    from assaymark.checks.policies.files import knowledge, read  # noqa: PLC0415  few have policies

    mine = [policy for policy in read(settings.policies) if any(target.startswith("kubernetes:") for target in policy.applies_to)]
    return KubernetesPolicies(mine, knowledge(settings.policies))


def make(settings: CheckSettings) -> Kubernetes:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Kubernetes()


def _judge(content: bytes, assumed: str) -> Outcome:
    from assaymark.checks.infrastructure.workloads.kubernetes_rules import RULES, SHARED_FINDING  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.workloads.kubernetes_verdict import flaws_of  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.manifests import manifests  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.skips import settled, with_aliases  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    rules = with_aliases(_ID, RULES)
    try:
        found, why = manifests(content, assumed=assumed)
        if not found:
            return Checked(skipped=why)
        flaws = bounded(flaw for manifest in found for flaw in flaws_of(manifest, rules))
    except Unreadable as error:
        return Unchecked(error.reason_class, error.reason, error.line)
    lines = content.decode("utf-8", "replace").split("\n") if flaws else []
    return Checked(sightings=settled(sightings(_ID, rules, flaws, lines), SHARED_FINDING))
