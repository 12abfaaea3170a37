"""Our own pack of provider token formats, and how a match becomes a hit.

A rule is data (``rules.toml``); hyperscan says which rules occur in a text, the rule's regular expression then finds where.
All patterns are bounded and free of nested repetition, so the Python matcher stays linear.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec import Struct

from assaymark.checks.application.secrets import shipped
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.application.secrets.validation import CHECKSUMS, entropy, judge
from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity

RANK = 1
_REPEATED = re.compile(rb"(.)\1{5}|(?:01234567|12345678|abcdefgh|ABCDEFGH)")


class ProviderRule(Struct, frozen=True, forbid_unknown_fields=True):
    """One token format."""

    provider: str
    pattern: str
    bounded: bool = True
    checksum: str = ""
    entropy: float = 0.0
    severity: Severity = Severity.HIGH
    confidence: Confidence = Confidence.HIGH
    rule_class: str = msgspec.field(default="provider-token", name="class")


def pack_bytes() -> bytes:
    """The pack as shipped: part of what the check knows."""
    return shipped.data("rules.toml")


@cache
def rules() -> dict[str, ProviderRule]:
    """All shipped rules by name.

    Raises:
        ValueError: when a rule names an unknown offline test (a defect of the package, found by its tests).
    """
    pack = msgspec.convert(tomllib.loads(pack_bytes().decode("utf-8")), dict[str, ProviderRule])
    for name, rule in pack.items():
        if rule.checksum and rule.checksum not in CHECKSUMS:
            raise ValueError(f"{name}: no offline test {rule.checksum!r}")
    return pack


@cache
def _compiled(name: str) -> tuple[re.Pattern[bytes], Kind]:
    rule = rules()[name]
    pattern = f"(?:{rule.pattern})(?![0-9A-Za-z])" if rule.bounded else rule.pattern
    kind = Kind(
        rule=name,
        family=rule.rule_class,
        message=f"A credential of {rule.provider} stands in the content.",
        severity=rule.severity,
        rank=RANK,
        advice=f"Revoke it at {rule.provider}, then read the new one from the environment or a secret store.",
    )
    return re.compile(pattern.encode("ascii")), kind


def find(name: str, data: bytes) -> Iterator[Hit]:
    """Every place where the rule's format occurs and is no placeholder."""
    rule = rules()[name]
    pattern, kind = _compiled(name)
    group = "secret" if "secret" in pattern.groupindex else 0
    for match in pattern.finditer(data):
        value = match.group(group)
        if rule.bounded and data[max(0, match.start() - 1) : match.start()].isalnum():
            continue  # a look-behind in the pattern would cost the matcher its search for the literal beginning
        if entropy(value) < rule.entropy or _REPEATED.search(value):
            continue
        opinion = judge(rule.checksum, value)
        if opinion.passed is False and not any(text == "checksum wrong" for _, text in opinion.notes):
            continue
        confidence = Confidence.LOW if opinion.passed is False else rule.confidence
        notes = (("provider", rule.provider), *opinion.notes)
        yield Hit(kind, match.start(group), match.end(group), Secret(value), confidence, notes)
