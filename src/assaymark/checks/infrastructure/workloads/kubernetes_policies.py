"""The user's policies over Kubernetes objects.

Guarantees: an object is seen as it is written; a policy that fails is a gap that names it. A template is not judged, since what it lacks
may come from an include: how many answers that leaves open is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assaymark.checks.infrastructure.workloads.lookups import at
from assaymark.checks.infrastructure.workloads.manifests import Manifest, manifests
from assaymark.checks.policies.evaluation import judge
from assaymark.checks.policies.files import UserPolicy
from assaymark.checks.reading.yaml_plain import plain
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.rulebook import Flaw, Rule, bounded, sightings
from assaymark.model.check import Checked, Outcome, Unchecked
from assaymark.model.finding import CheckId


def judged(check: CheckId, content: bytes, policies: Sequence[UserPolicy]) -> Outcome:
    """One file by the user's policies."""
    try:
        found, why = manifests(content, every_kind=True)
        if not found:
            return Checked(skipped=why)
        flaws = bounded(flaw for manifest in found if manifest.template is None for flaw in _broken(manifest, policies))
    except Unreadable as error:
        return Unchecked(error.reason_class, error.reason, error.line)
    left_open = sum(len(_about(manifest, policies)) for manifest in found if manifest.template is not None)
    rules = {each.id: Rule(each.severity, each.confidence, each.fix, ()) for each in policies}
    lines = content.decode("utf-8", "replace").split("\n") if flaws else []
    return Checked(sightings=sightings(check, rules, flaws, lines), undecided=left_open)


def _about(manifest: Manifest, policies: Sequence[UserPolicy]) -> list[UserPolicy]:
    return [policy for policy in policies if policy.is_about("kubernetes", manifest.kind)]


def _broken(manifest: Manifest, policies: Sequence[UserPolicy]) -> Iterator[Flaw]:
    about = _about(manifest, policies)
    for answer in judge(about, document_of(manifest)) if about else ():
        policy = answer.policy
        if not answer.holds:
            found = at(manifest.root, *policy.attribute.split(".")) if policy.attribute else None
            span = manifest.at_file((found or manifest.root).span)
            message = f"{manifest.address}: {policy.message}"
            yield Flaw(policy.id, manifest.address, policy.attribute, message, span, block=manifest.whole)


def document_of(manifest: Manifest) -> dict[str, Any]:
    """The variables of an expression; `namespace` is a word of the language's own."""
    return {"resource": plain(manifest.root), "kind": manifest.kind, "name": manifest.name, "address": manifest.address}
