"""A policy of an organisation as a document: typed, and ordered from weaker to stricter. Pure.

Guarantees: of two documents `weaker` names everything in which the second asks for less than the first, or may; what cannot be told (a
changed condition) counts as less. A document's digest is that of its meaning, not of its spelling.
Reading the YAML, with lines in every error, is `verdict.organisation_file`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from assaymark.model.digest import Digest, digest_of
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import PolicyRef, State
from assaymark.verdict.globs import matches_any
from assaymark.verdict.policy import Weakening
from assaymark.verdict.rules import About, Action, Floor, FloorOf, Over, Rule, gate_of, strictness, word

MOST_RULES = 100
MOST_EXAMPLES = 20
KIND = "Policy"
Name = str


class Metadata(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the policy is called."""

    name: str
    """Small letters, digits, hyphens; versions of one name follow one another."""
    version: str
    """Of your choosing, e.g. `1.2.0`; another document needs another one."""
    description: str = ""
    """Why there is this policy."""


class Scope(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where it applies; what is left out or empty leaves nothing out."""

    teams: tuple[str, ...] = ()
    """Slugs of teams."""
    repositories: tuple[str, ...] = ()
    """Globs of names, e.g. `shop/*`; `**` crosses folders."""
    subjects: tuple[SubjectKind, ...] = ()
    """Kinds of subjects."""
    branches: tuple[str, ...] = ()
    """Globs of branches; of a merge request the branch that it goes into counts."""


class Example(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One case of a rule, tried by `assay policy test`."""

    holds: bool
    """Whether the condition is true of it."""
    name: str = ""
    finding: dict[str, Any] = {}
    """What differs from the specimen of the reference; so for the others."""
    component: dict[str, Any] = {}
    change: dict[str, Any] = {}
    subject: dict[str, Any] = {}
    verdict: dict[str, Any] = {}
    decisions: tuple[dict[str, Any], ...] | UnsetType = UNSET


class RuleText(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule."""

    id: str
    """Small letters, digits, hyphens."""
    when: str
    """Condition in CEL: of what it is true, the action is taken."""
    action: Action
    """`stop`, `require-approval`, `warn`, or `allow`."""
    message: str
    """What is wrong, for whoever made the change."""
    advice: str
    """What to do about it."""
    over: Over = Over.FINDING
    """What the condition is asked about: each `finding`, the `change` once, or each `component` that it adds."""
    states: tuple[State, ...] = (State.NEW,)
    """Findings in these states are asked about; `new` are those that the change brings."""
    waived: bool = False
    """Also ask about findings that somebody let through."""
    examples: tuple[Example, ...] = ()


class OrganisationPolicy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A policy of the organisation."""

    kind: Literal["Policy"]
    metadata: Metadata
    applies: Scope = Scope()
    floor: Floor = Floor()
    rules: tuple[RuleText, ...] = ()

    @property
    def digest(self) -> Digest:
        """Of its meaning: comments, order of keys and spelling of YAML are no part of it."""
        return digest_of(self)

    @property
    def ref(self) -> PolicyRef:
        return PolicyRef(self.metadata.name, self.metadata.version, self.digest)


def applies_to(scope: Scope, about: About) -> bool:
    """Whether a policy of this scope is about such a subject."""
    branch = about.branch
    return (
        (not scope.teams or about.team in scope.teams)
        and (not scope.repositories or matches_any(about.repository, scope.repositories))
        and (not scope.subjects or about.kind in scope.subjects)
        and (not scope.branches or (bool(branch) and matches_any(branch, scope.branches)))
    )


def in_force_for(policies: tuple[OrganisationPolicy, ...], about: About) -> tuple[tuple[Rule, ...], tuple[FloorOf, ...]]:
    """Rules and floors that apply to a subject, in the order of the policies' names."""
    mine = [each for each in sorted(policies, key=lambda each: each.metadata.name) if applies_to(each.applies, about)]
    rules = tuple(_rule(each.ref, row) for each in mine for row in each.rules)
    return rules, tuple(FloorOf(each.ref, each.floor) for each in mine)


def _rule(ref: PolicyRef, row: RuleText) -> Rule:
    return Rule(ref, row.id, row.when, row.action, row.message, row.advice, row.over, row.states, row.waived)


# --- the order -------------------------------------------------------------------------------------------------------


def weaker(before: OrganisationPolicy | None, after: OrganisationPolicy | None) -> tuple[Weakening, ...]:
    """In what the second asks for less than the first, or may; None is no policy, which asks for nothing."""
    old, new = before or _nothing(after), after or _nothing(before)
    return tuple(
        sorted(
            {
                *_floors(old.floor, new.floor),
                *_rules({each.id: each for each in old.rules}, {each.id: each for each in new.rules}),
                *(_scopes(old, new) if before is not None and after is not None else ()),
            }
        )
    )


def _nothing(other: OrganisationPolicy | None) -> OrganisationPolicy:
    name = other.metadata.name if other is not None else ""
    return OrganisationPolicy("Policy", Metadata(name, ""))


def _floors(old: Floor, new: Floor) -> Iterator[Weakening]:
    before, after = gate_of(old), gate_of(new)
    for name, value in before.items():
        left = after.get(name)
        if left is None:
            yield Weakening(f"floor.{name}", f"{name} has no floor any more, it was {word(value)}")
        elif strictness(name, left) < strictness(name, value):
            yield Weakening(f"floor.{name}", f"the floor of {name} went from {word(value)} to {word(left)}")
    for each in sorted(set(old.checks) - set(new.checks)):
        yield Weakening(f"floor.checks:{each}", f"check {each} may be switched off")
    for each in sorted(set(old.rules) - set(new.rules)):
        yield Weakening(f"floor.rules:{each}", f"rule {each} may be switched off")


def _rules(old: Mapping[str, RuleText], new: Mapping[str, RuleText]) -> Iterator[Weakening]:
    for name, row in old.items():
        left = new.get(name)
        if row.action is Action.ALLOW:
            continue
        if left is None:
            yield Weakening(f"rules:{name}", f"rule {name}, which could {row.action}, is gone")
        elif left.action.rank < row.action.rank:
            yield Weakening(f"rules:{name}", f"rule {name} went from {row.action} to {left.action}")
        else:
            yield from _narrowed(row, left)
    for name, row in new.items():
        before = old.get(name)
        if row.action is not Action.ALLOW:
            continue
        if before is None or before.action is not Action.ALLOW:
            yield Weakening(f"rules:{name}", f"rule {name} lets findings through")
        elif not covers(before, row):
            yield Weakening(f"rules:{name}", f"rule {name} may let more through than it did")


def _narrowed(old: RuleText, new: RuleText) -> Iterator[Weakening]:
    if not covers(new, old):
        yield Weakening(f"rules:{old.id}", f"the condition of rule {old.id} is another one or is asked of less: it may hold of less")


def covers(wide: RuleText | Rule, narrow: RuleText | Rule) -> bool:
    """Whether the one surely holds of everything of which the other holds."""
    if (wide.over, wide.when.split()) != (narrow.over, narrow.when.split()):
        return False
    return narrow.over is not Over.FINDING or (set(narrow.states) <= set(wide.states) and (wide.waived or not narrow.waived))


def _scopes(old: OrganisationPolicy, new: OrganisationPolicy) -> Iterator[Weakening]:
    lets_through = any(each.action is Action.ALLOW for each in new.rules)
    for field in Scope.__struct_fields__:
        before, after = set(getattr(old.applies, field)), set(getattr(new.applies, field))
        if after and (not before or before - after):
            yield Weakening(f"applies.{field}", f"it may apply to less: {field} are now {', '.join(sorted(after))[:200]}")
        elif lets_through and before and (not after or after - before):
            yield Weakening(
                f"applies.{field}", f"what it lets through applies to more: {field} are now {', '.join(sorted(after))[:200] or 'all'}"
            )


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a document, for editors."""
    made = msgspec.json.schema(OrganisationPolicy)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:assaymark:organisation-policy:1",
        "title": "Assaymark policy of an organisation",
        **made,
    }
    return msgspec.json.decode(msgspec.json.encode(whole), type=dict[str, Any])
