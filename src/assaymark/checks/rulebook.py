"""What our own rules are made of, and how a flaw becomes a sighting.

Severity and confidence stand here once per rule; ``model/rule_data`` repeats them for reports, and a test keeps both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from assaymark.checks.reading.inline import Comments
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.finding import CheckId, ConfigurationSite, Fix, RuleId, Sighting, Span, Suppression
from assaymark.model.severity import Confidence, Severity

_LONGEST_PART = 160
MOST_FLAWS = 2_000
"""Per file. Public files have fewer than fifty; a file with more is made to keep us busy, and what is beyond would not be read by
anyone."""


class Rule(Struct, frozen=True):
    """One rule of ours."""

    severity: Severity
    confidence: Confidence
    advice: str
    aliases: tuple[str, ...] | None = None
    """Ids under which other tools know the rule, so that their comments count; None when nobody compared it with theirs."""


class Flaw(Struct, frozen=True, omit_defaults=True):
    """One place that breaks a rule."""

    rule: str
    resource: str
    attribute: str
    """Key path below the resource and what is wrong there; never a version, a position or a secret value."""
    message: str
    span: Span
    severity: Severity | None = None
    """When this case is milder or worse than the rule's usual one."""
    block: Span | None = None
    """The resource in which it stands: how far other tools' comments reach."""
    member: str = ""
    """For inputs of several files: the member's name relative to the unit."""
    replacement: str | None = None
    """What to write instead of the span, where that is one attribute."""
    notes: tuple[tuple[str, str], ...] = ()
    confidence: Confidence | None = None
    """When this case is less sure than the rule's usual one."""
    suppression: Suppression | None = None
    """A request to overlook it that is no comment, such as an annotation."""


def one_line(text: str) -> str:
    """Text folded to one line and cut, for addresses and messages."""
    folded = " ".join(text.split())
    return folded if len(folded) <= _LONGEST_PART else folded[: _LONGEST_PART - 1] + "…"


def bounded(flaws: Iterable[Flaw]) -> list[Flaw]:
    """The flaws, if they are not too many.

    Raises:
        Unreadable: when the file has more of them than anyone would read.
    """
    found = list(islice(flaws, MOST_FLAWS + 1))
    if len(found) > MOST_FLAWS:
        raise Unreadable("size", f"the file has more than {MOST_FLAWS} flaws; the rest was not looked for")
    return found


def sightings(check: CheckId, rules: Mapping[str, Rule], flaws: Iterable[Flaw], lines: Sequence[str]) -> tuple[Sighting, ...]:
    """The flaws as sightings, ordered by place and rule, with the comments that ask to overlook them."""
    comments = Comments(lines)
    return in_order([_sighting(check, rules[flaw.rule], flaw, comments) for flaw in flaws])


def in_order(made: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """Sightings by place, then rule, so that no set or dictionary decides."""
    return tuple(sorted(made, key=_order))


def _sighting(check: CheckId, rule: Rule, flaw: Flaw, comments: Comments) -> Sighting:
    return Sighting(
        rule=RuleId(f"{check}/{flaw.rule}"),
        site=ConfigurationSite(resource=one_line(flaw.resource), attribute=one_line(flaw.attribute)),
        severity=flaw.severity or rule.severity,
        message=flaw.message,
        span=flaw.span,
        confidence=flaw.confidence or rule.confidence,
        member=flaw.member,
        fix=Fix(advice=rule.advice, replacement=flaw.replacement),
        suppression=flaw.suppression or comments.cover(flaw.span, flaw.rule, rule.aliases, flaw.block),
        notes=flaw.notes,
    )


def _order(sighting: Sighting) -> tuple[int, int, str, str]:
    span = sighting.span or Span(0, 0, 0, 0)
    return span.start_line, span.start_column, sighting.rule, sighting.message
