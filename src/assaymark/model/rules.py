"""Rules and rule classes: the vocabulary in which findings of several tools become one.

The mapping is data: ``rule_data/classes.toml`` holds our families, and one further file per tool holds its rules.
An unmapped foreign rule is its own class, so nothing is ever merged by accident.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import RuleClassId, RuleId
from assaymark.model.severity import Confidence, Severity


class RuleClass(Struct, frozen=True, omit_defaults=True):
    """A family of weaknesses."""

    id: RuleClassId
    title: str
    cwe: int
    """The closest CWE id; 0 for families that are no weakness (``unchecked``)."""


class RuleInfo(Struct, frozen=True, omit_defaults=True):
    """A tool's rule."""

    id: RuleId
    rule_class: RuleClassId
    title: str
    severity: Severity = Severity.MEDIUM
    confidence: Confidence = Confidence.MEDIUM
    url: str = ""
    aliases: tuple[str, ...] = ()
    """Ids under which other tools or older versions know the same rule."""


class _ClassRow(Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    cwe: int


class _RuleRow(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    rule_class: RuleClassId = msgspec.field(name="class")
    title: str = ""
    severity: Severity = Severity.MEDIUM
    confidence: Confidence = Confidence.MEDIUM
    url: str = ""
    aliases: tuple[str, ...] = ()


class _RuleFile(Struct, frozen=True, forbid_unknown_fields=True):
    tool: str
    rule: dict[str, _RuleRow]


class Catalogue(Struct, frozen=True):
    """All known classes and rules."""

    classes: dict[RuleClassId, RuleClass]
    rules: dict[RuleId, RuleInfo]

    def class_of(self, rule: RuleId) -> RuleClassId:
        """The rule's family; a rule that nobody mapped is a family of its own."""
        known = self.rules.get(rule)
        return known.rule_class if known else RuleClassId(rule)

    def describe(self, rule: RuleId) -> RuleInfo:
        """The rule's data; for an unmapped rule, what its name says."""
        return self.rules.get(rule) or RuleInfo(id=rule, rule_class=RuleClassId(rule), title=rule)


@cache
def catalogue() -> Catalogue:
    """The shipped catalogue.

    Raises:
        ValueError: when two rows claim one rule or a rule names no known class (a defect of the package, found by its tests).
    """
    folder = files("assaymark.model") / "rule_data"
    rows = tomllib.loads((folder / "classes.toml").read_text("utf-8"))
    classes = {
        RuleClassId(name): RuleClass(id=RuleClassId(name), title=row.title, cwe=row.cwe)
        for name, row in msgspec.convert(rows, dict[str, _ClassRow]).items()
    }
    rules: dict[RuleId, RuleInfo] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml") and file.name != "classes.toml":
            _add(rules, classes, msgspec.convert(tomllib.loads(file.read_text("utf-8")), _RuleFile))
    return Catalogue(classes=classes, rules=rules)


def _add(rules: dict[RuleId, RuleInfo], classes: dict[RuleClassId, RuleClass], file: _RuleFile) -> None:
    for name, row in file.rule.items():
        rule = RuleId(f"{file.tool}/{name}")
        if rule in rules or row.rule_class not in classes:
            raise ValueError(f"{rule}: named twice, or class {row.rule_class!r} is not in classes.toml")
        rules[rule] = RuleInfo(
            id=rule,
            rule_class=row.rule_class,
            title=row.title or name,
            severity=row.severity,
            confidence=row.confidence,
            url=row.url,
            aliases=row.aliases,
        )


@cache
def mapping_digest() -> Digest:
    """Digest of the rule-to-class mapping: part of the knowledge under which two subjects are compared."""
    return digest_of({rule: info.rule_class for rule, info in catalogue().rules.items()})
