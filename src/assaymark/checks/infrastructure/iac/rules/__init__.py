"""Every rule about Terraform: those in Python here, those in tables in `table`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from assaymark.checks.infrastructure.iac.resources import resources_of
from assaymark.checks.infrastructure.iac.rules import access, buckets, networks, services
from assaymark.checks.infrastructure.iac.table import by_resource, table
from assaymark.checks.infrastructure.iac.world import Hit, Rule, World
from assaymark.checks.rulebook import Rule as Row
from assaymark.model.finding import RuleId
from assaymark.model.rules import catalogue

RULES: tuple[Rule, ...] = (*access.RULES, *buckets.RULES, *networks.RULES, *services.RULES)

ADVICE: dict[str, str] = {**access.ADVICE, **buckets.ADVICE, **networks.ADVICE, **services.ADVICE}
"""Of the rules in Python; a table's row has its own."""


def native(world: World) -> Iterator[Hit | None]:
    """What our own rules say of a module instance, see `judging.Examine`."""
    rules = by_resource()
    for kind in world.module.declared.by_type:
        for resource in resources_of(world.module, kind) if kind in rules else ():
            for name, rule in rules[kind]:
                path = f"{rule.each}.{rule.expect.name}" if rule.each else rule.expect.name
                for place, verdict in rule.broken(resource):
                    yield None if verdict is None else Hit(name, resource, path, place)
    for examine in RULES:
        yield from examine(world)


@cache
def book() -> dict[str, Row]:
    """Name -> severity, confidence, advice and aliases. All but the advice stands in the vocabulary, once."""
    advice = ADVICE | {name: row.advice for name, row in table().items()}
    found = {}
    for name, words in advice.items():
        info = catalogue().describe(RuleId(f"terraform/{name}"))
        found[name] = Row(info.severity, info.confidence, words, info.aliases)
    return found
