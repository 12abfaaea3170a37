"""Every rule about Terraform: those in Python here, those in tables in `table`."""

from __future__ import annotations

from functools import cache

from assaymark.checks.infrastructure.iac.rules import access, buckets, networks, services
from assaymark.checks.infrastructure.iac.table import table
from assaymark.checks.infrastructure.iac.world import Rule
from assaymark.checks.rulebook import Rule as Row
from assaymark.model.finding import RuleId
from assaymark.model.rules import catalogue

RULES: tuple[Rule, ...] = (*access.RULES, *buckets.RULES, *networks.RULES, *services.RULES)

ADVICE: dict[str, str] = {**access.ADVICE, **buckets.ADVICE, **networks.ADVICE, **services.ADVICE}
"""Of the rules in Python; a table's row has its own."""


@cache
def book() -> dict[str, Row]:
    """Name -> severity, confidence, advice and aliases. All but the advice stands in the vocabulary, once."""
    advice = ADVICE | {name: row.advice for name, row in table().items()}
    found = {}
    for name, words in advice.items():
        info = catalogue().describe(RuleId(f"terraform/{name}"))
        found[name] = Row(info.severity, info.confidence, words, info.aliases)
    return found
