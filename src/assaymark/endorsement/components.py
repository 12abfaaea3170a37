"""Whether a component is known to be good: derived from what vouches for it, each time it is asked. Pure.

Guarantees
* approved is what a valid endorsement vouches for **now**: nothing else makes it so, nothing keeps it so after the last of them ends or is
  withdrawn, and the order in which they are given does not matter;
* the newest valid endorsement speaks for it; every rule that stands in its way is named, not only the first;
* a waiver lets through what one rule forbids, and no other: what two rules forbid needs two of them.

Not here: whether an endorsement's signature holds (`verify`), and who uses a component.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.endorsement.trust import matches
from assaymark.endorsement.verify import SKEW
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.severity import Severity

DAY = 86_400 * SECOND
SOON = Instant(14 * DAY)
"""Before its end it is said that it ends."""


class ComponentKind(StrEnum):
    """What can be used again."""

    PACKAGE = "package"
    """A package in a version, as it stands in the package sets of what was endorsed."""
    BASE_IMAGE = "base-image"
    IAC_MODULE = "iac-module"
    """A folder of infrastructure code, by its git tree."""
    PIPELINE_TEMPLATE = "pipeline-template"
    """A workflow or CI file that others include, by its path and commit."""
    CONFIGURATION = "configuration"
    """A file of hardening or TLS settings, by its digest."""
    SOURCE_MODULE = "source-module"
    """A whole source tree."""


class ComponentState(StrEnum):
    """How a component stands; all but the first two say which rule is in its way."""

    APPROVED = "approved"
    WAIVED = "waived"
    """Something is in its way, and every such rule was waived."""
    NOT_ENDORSED = "not-endorsed"
    """Nothing that was endorsed holds it."""
    WITHDRAWN = "withdrawn"
    """What held it was withdrawn."""
    EXPIRED = "expired"
    """What held it has ended, and was not judged again."""
    HAS_ADVISORY = "has-advisory"
    """An advisory that weighs enough speaks of it."""
    TOO_YOUNG = "too-young"
    """It came out, or was first seen here, too short a time ago."""
    WRONG_ORIGIN = "wrong-origin"
    """It is from where the organisation does not take components."""

    @property
    def may_be_used(self) -> bool:
        return self in (ComponentState.APPROVED, ComponentState.WAIVED)


RULES = tuple(each for each in ComponentState if not each.may_be_used)
"""What can stand in the way, and be waived: each by a waiver of its own."""
WAIVER_RULE = "approved-components/"
"""How the scope of a waiver names one of them: ``approved-components/expired``."""


class Vouching(Struct, frozen=True):
    """An endorsement, as far as a component asks."""

    endorsement: int
    """Number of its row."""
    verified_at: Instant
    expires_at: Instant
    withdrawn_at: Instant | None = None

    def is_withdrawn(self, now: Instant) -> bool:
        return self.withdrawn_at is not None and self.withdrawn_at <= now

    def is_valid(self, now: Instant) -> bool:
        return self.verified_at <= now + SKEW and now < self.expires_at and not self.is_withdrawn(now)


class Known(Struct, frozen=True):
    """An advisory that speaks of it."""

    id: str
    severity: Severity


class Facts(Struct, frozen=True):
    """What is known of a component."""

    kind: ComponentKind
    name: str
    """Package URL without version; for other kinds where it is from."""
    vouchings: tuple[Vouching, ...] = ()
    advisories: tuple[Known, ...] = ()
    since: Instant | None = None
    """When it came out, as far as that is known, otherwise when it was first seen here; None: never."""


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What the organisation asks beside an endorsement."""

    min_age_days: int = 0
    """A release that came out, or was first seen here, fewer days ago is not approved yet."""
    origins: tuple[str, ...] = ()
    """Package URLs, exact or ending in ``*``; where there are any, a package of no other is approved."""
    blocks_at: Severity | None = Severity.HIGH
    """An advisory of this weight takes the approval away, whatever the endorsement let through; null: none does."""


class Waived(Struct, frozen=True):
    """A waiver that is in force and that somebody else agreed to."""

    rule: ComponentState
    decision: int
    ends_at: Instant


class ComponentStanding(Struct, frozen=True):
    """The answer."""

    state: ComponentState
    why: tuple[ComponentState, ...] = ()
    """Every rule in its way, also those that are waived."""
    by: Vouching | None = None
    """The newest valid endorsement; without one, the last that there was."""
    until: Instant | None = None
    """Until when what lets it through lets it through, if nothing happens."""
    waivers: tuple[int, ...] = ()
    """Numbers of the decisions that let it through."""

    @property
    def may_be_used(self) -> bool:
        return self.state.may_be_used

    def ends_soon(self, now: Instant) -> bool:
        return self.may_be_used and self.until is not None and self.until <= now + SOON


def derive(facts: Facts, rules: Rules, waivers: Iterable[Waived], now: Instant) -> ComponentStanding:
    """How the component stands at this moment."""
    ordered = sorted(facts.vouchings, key=lambda each: (each.verified_at, each.endorsement), reverse=True)
    valid = [each for each in ordered if each.is_valid(now)]
    why = tuple(_in_the_way(facts, rules, ordered, valid, now))
    by = valid[0] if valid else next(iter(ordered), None)
    until = by.expires_at if by is not None and valid else None
    if not why:
        return ComponentStanding(ComponentState.APPROVED, (), by, until)
    in_force = [each for each in waivers if each.ends_at > now]
    chosen = [max((each for each in in_force if each.rule is rule), key=lambda each: each.ends_at, default=None) for rule in why]
    let = [each for each in chosen if each is not None]
    if len(let) < len(why):
        return ComponentStanding(why[0], why, by)
    ends = [each.ends_at for each in let] + ([] if until is None else [until])
    return ComponentStanding(ComponentState.WAIVED, why, by, min(ends), tuple(each.decision for each in let))


def _in_the_way(
    facts: Facts, rules: Rules, ordered: Sequence[Vouching], valid: Sequence[Vouching], now: Instant
) -> Iterable[ComponentState]:
    begun = [each for each in ordered if each.verified_at <= now + SKEW]
    if not begun:
        yield ComponentState.NOT_ENDORSED
    elif not valid:
        yield ComponentState.WITHDRAWN if all(each.is_withdrawn(now) for each in begun) else ComponentState.EXPIRED
    if rules.blocks_at is not None and any(each.severity.rank >= rules.blocks_at.rank for each in facts.advisories):
        yield ComponentState.HAS_ADVISORY
    if facts.kind is not ComponentKind.PACKAGE:
        return
    if rules.min_age_days and (facts.since is None or now - facts.since < rules.min_age_days * DAY):
        yield ComponentState.TOO_YOUNG
    if rules.origins and not matches(rules.origins, facts.name):
        yield ComponentState.WRONG_ORIGIN


class Choice(Struct, frozen=True):
    """A version of the same component."""

    version: str
    key: bytes
    """Sorts as versions do; empty for one that has no order."""
    approved: bool


def instead(of: bytes, choices: Iterable[Choice]) -> str:
    """The version to take in its place: the nearest approved one above, otherwise the newest approved one; empty when there is none."""
    approved = sorted((each for each in choices if each.approved), key=lambda each: (each.key, each.version))
    above = next((each for each in approved if of and each.key > of), None)
    return above.version if above is not None else approved[-1].version if approved else ""


def rule_of(word: str) -> ComponentState | None:
    """The rule that a waiver's scope names; None for what is none of ours."""
    if not word.startswith(WAIVER_RULE):
        return None
    return next((each for each in RULES if each.value == word.removeprefix(WAIVER_RULE)), None)
