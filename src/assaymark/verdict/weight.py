"""How much a finding counts under a policy, and what its surroundings do to that. Pure."""

from __future__ import annotations

import re

import msgspec

from assaymark.model.finding import Finding, Kind
from assaymark.model.severity import Confidence
from assaymark.verdict.policy import Gate

_BESIDE_THE_PRODUCT = (
    r"(?:^|/)(?:tests?|testing|spec|specs|__tests__|fixtures?|testdata|examples?|samples?|docs?|demo|benchmarks?)(?:/|$)"
    r"|(?:^|/)(?:test_[^/]*|conftest|[^/]*_test|[^/]*[._-]spec|[^/]*\.test)\.[^/.]+$"
)
"""Compiled when the first finding asks."""


def beside_the_product(path: str) -> bool:
    """True for tests, examples and documentation: what is found there rarely runs where users are."""
    return re.search(_BESIDE_THE_PRODUCT, path, re.IGNORECASE) is not None


def in_context(finding: Finding) -> Finding:
    """The finding with the confidence that its place deserves: one step less beside the product. Never hides anything.

    A secret whose value was proved (high confidence) loses the step as well and still stops a change at the usual levels.
    """
    if finding.core.kind is Kind.UNCHECKED or not beside_the_product(finding.place.path):
        return finding
    scale = list(Confidence)
    return msgspec.structs.replace(finding, confidence=scale[max(0, finding.confidence.rank - 1)])


def weight(finding: Finding, gate: Gate) -> int:
    """0 when the policy does not stop such a finding, else 1 + its severity's rank."""
    if finding.core.kind is Kind.UNCHECKED:
        return 0  # gaps are judged as coverage, not as weaknesses
    if finding.severity.rank < gate.fail_on.rank or finding.confidence.rank < gate.min_confidence.rank:
        return 0
    return 1 + finding.severity.rank
