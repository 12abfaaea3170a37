"""Requests to overlook something that are written as annotations, and what they are worth for findings that several rules share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, structs

from assaymark.checks.infrastructure.workloads.lookups import entries, mapping, pairs, scalar
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import pods
from assaymark.checks.reading.inline import LONGEST_MARKER, same_rule
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.model.finding import CheckId, RuleId, Sighting, Suppression
from assaymark.model.rules import catalogue

_CHECKOV = re.compile(r"(?:checkov|bridgecrew)\.io/skip\d*\Z")
_KUBE_LINTER = "ignore-check.kube-linter.io/"
_ALL = "kube-linter.io/ignore-all"


class _Asked(Struct, frozen=True):
    name: str
    """Id or name of the rule; empty for all."""
    suppression: Suppression


def with_aliases(check: CheckId, rules: Mapping[str, Rule]) -> Mapping[str, Rule]:
    """The rules with the ids under which other tools know them, as the shipped data say; made once per check."""
    if check not in _MADE:
        known = catalogue()
        _MADE[check] = {
            name: structs.replace(rule, aliases=known.describe(RuleId(f"{check}/{name}")).aliases) for name, rule in rules.items()
        }
    return _MADE[check]


_MADE: dict[CheckId, dict[str, Rule]] = {}


def annotated(manifest: Manifest, flaws: Iterable[Flaw], rules: Mapping[str, Rule]) -> Iterator[Flaw]:
    """The flaws, those with an annotation that asks to overlook them marked so."""
    asked: list[_Asked] | None = None
    for flaw in flaws:
        if asked is None:
            asked = list(_asked(manifest))
        found = next((each.suppression for each in asked if _covers(each, rules[flaw.rule], flaw.rule)), None)
        yield structs.replace(flaw, suppression=found) if found else flaw


def _covers(asked: _Asked, rule: Rule, name: str) -> bool:
    return not asked.name or same_rule(asked.name, (*(rule.aliases or ()), name))


def _asked(manifest: Manifest) -> Iterator[_Asked]:
    metas = [mapping(manifest.root, "metadata"), *(pod.meta for pod in pods(manifest))]
    seen: set[int] = set()
    for meta in metas:
        if meta is None or id(meta) in seen:
            continue
        seen.add(id(meta))
        for key, value in pairs(mapping(meta, "annotations")):
            yield from _annotation(key, scalar_text(value), manifest)
        for entry in entries(meta, "checkov", "skip"):
            node = scalar(entry, "id")
            if isinstance(entry, Keyed) and node is not None:
                yield _Asked(node.text, _suppression(f"checkov skip {node.text}", node, manifest))


def _annotation(key: Scalar, value: str, manifest: Manifest) -> Iterator[_Asked]:
    suppression = _suppression(f"{key.text}: {value}", key, manifest)
    if _CHECKOV.match(key.text):
        for name in value.partition("=")[0].split(","):
            if name.strip():
                yield _Asked(name.strip(), suppression)
    elif key.text.startswith(_KUBE_LINTER):
        yield _Asked(key.text.removeprefix(_KUBE_LINTER), suppression)
    elif key.text == _ALL:
        yield _Asked("", suppression)


def _suppression(marker: str, node: Scalar, manifest: Manifest) -> Suppression:
    return Suppression(marker=" ".join(marker.split())[:LONGEST_MARKER], line=manifest.at_file(node.span).start_line)


def settled(sightings: Iterable[Sighting], shared: frozenset[str]) -> tuple[Sighting, ...]:
    """Of rules that make one finding together, a request counts when every one of them is covered; else it is noted only.

    Otherwise a comment about one missing setting would hide the others.
    """
    made = tuple(sightings)
    open_sites = {each.site for each in made if each.rule.partition("/")[2] in shared and each.suppression is None}
    return tuple(_noted(each) if each.suppression and each.site in open_sites and _shared(each, shared) else each for each in made)


def _shared(sighting: Sighting, shared: frozenset[str]) -> bool:
    return sighting.rule.partition("/")[2] in shared


def _noted(sighting: Sighting) -> Sighting:
    marker = sighting.suppression.marker if sighting.suppression else ""
    return structs.replace(sighting, suppression=None, notes=(*sighting.notes, ("overlooked", marker)))
