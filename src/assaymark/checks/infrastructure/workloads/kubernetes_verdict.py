"""From what rules say of an object to flaws of the file: positions, how sure they are in a template, and what asks to overlook them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import structs

from assaymark.checks.infrastructure.workloads.kubernetes_rules import examine
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.skips import annotated
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.model.severity import Confidence


def flaws_of(manifest: Manifest, rules: Mapping[str, Rule]) -> Iterator[Flaw]:
    """The flaws of one object, at their places in the file."""
    for flaw in annotated(manifest, _certain(manifest), rules):
        yield structs.replace(flaw, span=manifest.at_file(flaw.span), block=manifest.whole)


def _certain(manifest: Manifest) -> Iterator[Flaw]:
    """What stands inside of a condition of a template is only there when somebody wants it: less sure, and it does not stop a change."""
    if manifest.template is None:
        yield from examine(manifest)
        return
    kind = re.search(r"^[\"']?kind\b", manifest.template.text, re.MULTILINE)
    usual = manifest.template.depth(manifest.template.text.count("\n", 0, kind.start()) + 1) if kind else 0
    for flaw in examine(manifest):
        conditional = manifest.template.depth(flaw.span.start_line) > usual
        yield structs.replace(flaw, confidence=Confidence.LOW) if conditional else flaw
