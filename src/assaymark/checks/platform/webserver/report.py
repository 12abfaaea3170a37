"""From flaws in several files to the answer about a tree.

Guarantees: one sighting for one written place and address, however often the file is included; gaps are sightings beside the others, so one
file that can't be read takes nothing from the rest; the order depends on names and places only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from assaymark.checks.platform.webserver.directives import Directive, Gap
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.rulebook import MOST_FLAWS, Flaw, Rule, sightings
from assaymark.model.finding import CheckId, RuleId, Sighting, Span, UncheckedSite
from assaymark.model.severity import Severity

MOST_OF_A_TREE = 10 * MOST_FLAWS
"""In all files of a tree."""


class Found(Struct, frozen=True):
    """A flaw and the member it is written in."""

    member: str
    flaw: Flaw

    def graded(self, severity: Severity | None) -> Found:
        """The same at another severity than the rule's usual one."""
        return Found(self.member, msgspec.structs.replace(self.flaw, severity=severity))


def at(directive: Directive, rule: str, resource: str, attribute: str, message: str) -> Found:
    """A flaw at a directive."""
    return Found(directive.member, Flaw(rule, resource, attribute, message, directive.span))


def answer(
    check: CheckId, rules: Mapping[str, Rule], found: Iterable[Found], gaps: Iterable[Gap], texts: Mapping[str, str]
) -> tuple[Sighting, ...]:
    """All sightings of a tree.

    Raises:
        Unreadable: when there are more than anyone would read.
    """
    once: dict[tuple[str, str, str, str, Span], Found] = {}
    for each in found:
        once.setdefault((each.member, each.flaw.rule, each.flaw.resource, each.flaw.attribute, each.flaw.span), each)
        if len(once) > MOST_OF_A_TREE:
            raise Unreadable("size", f"the files have more than {MOST_OF_A_TREE} flaws; the rest was not looked for")
    by_member: dict[str, list[Flaw]] = {}
    for each in once.values():
        by_member.setdefault(each.member, []).append(each.flaw)
    too_many = [member for member, flaws in by_member.items() if len(flaws) > MOST_FLAWS]
    for member in too_many:
        del by_member[member]
    made = [
        msgspec.structs.replace(sighting, member=member)
        for member, flaws in by_member.items()
        for sighting in sightings(check, rules, flaws, texts[member].split("\n"))
    ]
    reason = f"the file has more than {MOST_FLAWS} flaws, which nobody would read; split it or take out what is generated"
    made += [_gap(check, gap) for gap in (*gaps, *(Gap(member, "size", reason) for member in too_many))]
    return tuple(sorted(made, key=_order))


def _gap(check: CheckId, gap: Gap) -> Sighting:
    return Sighting(
        rule=RuleId(f"{check}/unchecked"),
        site=UncheckedSite(check, gap.subject or "file", gap.reason_class),
        severity=Severity.MEDIUM,
        message=gap.reason,
        span=Span(gap.line, 1, gap.line, 1) if gap.line else None,
        member=gap.member,
    )


def _order(sighting: Sighting) -> tuple[str, int, int, str, str]:
    span = sighting.span or Span(0, 0, 0, 0)
    return sighting.member, span.start_line, span.start_column, sighting.rule, sighting.message
