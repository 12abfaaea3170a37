"""Identity: what makes a finding the same finding tomorrow.

Rules that hold here, and are tested as laws:

* a core holds no path, no line number, no tool's name;
* sightings of several rules at one place that belong to one rule class are one finding with several witnesses;
* one rule that sees a core twice has seen two findings: nothing is merged away;
* schemes are versioned: findings can be named under two schemes at once, and a change of scheme is previewed as a relation between names.

Not here: which finding is *new* (`verdict.compare`), and any reading of source (`model.scope`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from assaymark.model.digest import Digest, canonical
from assaymark.model.finding import (
    CheckId,
    CodeSite,
    ComponentSite,
    ConfigurationSite,
    Core,
    EndpointSite,
    EventSite,
    Finding,
    Fingerprint,
    HostSite,
    Kind,
    Layer,
    Place,
    RuleClassId,
    RuleId,
    SecretSite,
    Sighting,
    Site,
    UncheckedSite,
    Witness,
)
from assaymark.model.rules import Vocabulary
from assaymark.model.tokens import tokens

CURRENT = "scope/1"
"""The scheme under which findings are named now."""


class Seen(Struct, frozen=True):
    """A sighting with the names under which its content stands."""

    sighting: Sighting
    check: CheckId
    layer: Layer
    input: Digest
    path: str


def _scope_core(rule_class: RuleClassId, site: Site, _seen: Seen) -> Core:  # noqa: PLR0911 - one return per kind
    match site:
        case CodeSite(scope=scope, statement=statement, language=language):
            return Core(Kind.CODE, rule_class, ("\x1f".join(scope), " ".join(tokens(statement, language))))
        case SecretSite(value_hmac=value, key_id=key):
            return Core(Kind.SECRET, rule_class, (key, value))
        case ComponentSite(package=package, advisory=advisory):
            return Core(Kind.COMPONENT, rule_class, (package, advisory))
        case ConfigurationSite(resource=resource, attribute=attribute):
            return Core(Kind.CONFIGURATION, rule_class, (resource, attribute))
        case EndpointSite(service=service, operation=operation, parameter=parameter):
            return Core(Kind.ENDPOINT, rule_class, (service, operation, parameter))
        case HostSite(control=control, target=target):
            return Core(Kind.HOST, rule_class, (control, target))
        case EventSite(detection=detection, actor=actor, resource=resource):
            return Core(Kind.EVENT, rule_class, (detection, actor, resource))
        case UncheckedSite(check=check, unit=unit, reason_class=reason):
            return Core(Kind.UNCHECKED, rule_class, (check, unit, reason))


def _line_core(_rule_class: RuleClassId, site: Site, seen: Seen) -> Core:
    """What most tools ship: file, line, rule. Kept as the reference that `assay replay` measures against, and to migrate from."""
    core = _scope_core(_rule_class, site, seen)
    line = seen.sighting.span.start_line if seen.sighting.span else 0
    return Core(core.kind, RuleClassId(seen.sighting.rule), (seen.path, str(line)))


SCHEMES: Mapping[str, Callable[[RuleClassId, Site, Seen], Core]] = {"scope/1": _scope_core, "line/1": _line_core}
"""Every scheme that findings may be named under; old ones stay for as long as somebody's memory uses them."""


def fingerprint(core: Core, scheme: str) -> Fingerprint:
    """``<scheme>:<32 hex>`` over the core's canonical form."""
    return Fingerprint(f"{scheme}:{hashlib.sha256(canonical([scheme, core])).hexdigest()[:32]}")


def core_of(seen: Seen, catalogue: Vocabulary, scheme: str = CURRENT) -> Core:
    """The core of one sighting under a scheme."""
    unchecked = isinstance(seen.sighting.site, UncheckedSite)
    rule_class = RuleClassId("unchecked") if unchecked else catalogue.class_of(seen.sighting.rule)
    return SCHEMES[scheme](rule_class, seen.sighting.site, seen)


def identify(sightings: Iterable[Seen], catalogue: Vocabulary, scheme: str = CURRENT) -> list[Finding]:
    """Join sightings into findings, in order of place.

    Of one core at one path, the n-th sighting of every rule is the n-th finding; so the number of findings is the largest number that any
    one rule saw, and a further tool that sees the same adds witnesses, not findings.
    """
    groups: dict[tuple[str, Core], dict[tuple[CheckId, RuleId], list[Seen]]] = {}
    for seen in sightings:
        core = core_of(seen, catalogue, scheme)
        groups.setdefault((seen.path, core), {}).setdefault((seen.check, seen.sighting.rule), []).append(seen)
    found: list[Finding] = []
    for (_, core), by_rule in groups.items():
        for row in by_rule.values():
            row.sort(key=_position)
        most = max(len(row) for row in by_rule.values())
        found += [_join(core, [row[n] for row in by_rule.values() if len(row) > n], scheme) for n in range(most)]
    found.sort(key=lambda f: (f.place, f.fingerprint))
    return found


def _position(seen: Seen) -> tuple[int, int, str]:
    span = seen.sighting.span
    return (span.start_line, span.start_column, seen.input) if span else (0, 0, seen.input)


def _join(core: Core, seen: list[Seen], scheme: str) -> Finding:
    ranked = sorted(seen, key=lambda s: (-s.sighting.severity.rank, -s.sighting.confidence.rank, s.check, s.sighting.rule))
    lead = ranked[0]
    return Finding(
        fingerprint=fingerprint(core, scheme),
        core=core,
        place=_place(lead),
        layer=lead.layer,
        severity=lead.sighting.severity,
        confidence=max((s.sighting.confidence for s in ranked), key=lambda c: c.rank),
        witnesses=tuple(Witness(s.check, s.sighting.rule, s.sighting.message) for s in ranked),
        input=lead.input,
        statement=_display(lead.sighting.site),
        fix=next((s.sighting.fix for s in ranked if s.sighting.fix), None),
        suppression=next((s.sighting.suppression for s in ranked if s.sighting.suppression), None),
        notes=tuple(dict.fromkeys(note for s in ranked for note in s.sighting.notes)),
    )


def _place(seen: Seen) -> Place:
    path = f"{seen.path}/{seen.sighting.member}" if seen.sighting.member and seen.path else seen.sighting.member or seen.path
    span = seen.sighting.span
    if span is None:
        return Place(path)
    return Place(path, span.start_line, span.start_column, span.end_line, span.end_column)


def _display(site: Site) -> str:
    match site:
        case CodeSite(statement=statement):
            return statement
        case SecretSite(context=context):
            return context
        case ConfigurationSite(resource=resource, attribute=attribute):
            return f"{resource} {attribute}".strip()
        case _:
            return ""
