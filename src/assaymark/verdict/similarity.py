"""How alike two findings of one kind and rule class are, from 0 to 1. Pure, symmetric, deterministic."""

from __future__ import annotations

from assaymark.model.finding import Finding, Kind

_MOST_TOKENS = 400
"""Longer statements are compared by their first tokens: the cost stays bounded whatever the source looks like."""
_NEARLY_EQUAL = 0.75
"""Moved to another scope of the same file and edited at once: more likeness is asked for."""
_ALL_BUT_EQUAL = 0.9
"""Moved to another file and edited at once: only small edits are believed."""


def similarity(before: Finding, after: Finding) -> float:
    """1.0 is equal; 0.0 for what can never be the same finding."""
    match before.core.kind:
        case Kind.CODE:
            return _code(before, after)
        case Kind.CONFIGURATION:
            return _configuration(before, after)
        case Kind.ENDPOINT:
            return 0.7 if before.core.parts[:2] == after.core.parts[:2] else 0.0
        case Kind.SECRET | Kind.COMPONENT | Kind.HOST | Kind.EVENT | Kind.UNCHECKED:
            return 0.0  # another value, package, control or actor is another finding, however alike it looks


def _code(before: Finding, after: Finding) -> float:
    (scope_a, text_a), (scope_b, text_b) = before.core.parts, after.core.parts
    alike = _ratio(text_a.split(" ")[:_MOST_TOKENS], text_b.split(" ")[:_MOST_TOKENS])
    same_path = before.place.path == after.place.path
    if scope_a == scope_b:
        return min(1.0, 0.15 + 0.85 * alike + (0.1 if same_path else 0.0))
    if same_path:
        return 0.9 * alike if alike > _NEARLY_EQUAL else 0.0
    return 0.8 * alike if alike > _ALL_BUT_EQUAL else 0.0


def _configuration(before: Finding, after: Finding) -> float:
    (resource_a, attribute_a), (resource_b, attribute_b) = before.core.parts, after.core.parts
    same_path = before.place.path == after.place.path
    if resource_a == resource_b:
        return 0.4 + 0.5 * _ratio(list(attribute_a[:500]), list(attribute_b[:500])) + (0.1 if same_path else 0.0)
    if attribute_a == attribute_b and same_path:
        return 0.4 + 0.5 * _ratio(list(resource_a[:500]), list(resource_b[:500]))
    return 0.0


def _ratio(a: list[str], b: list[str]) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415 - few changes have findings on both sides to compare

    first, second = sorted((a, b))
    matcher: SequenceMatcher[str] = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.ratio()
