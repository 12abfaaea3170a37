"""Rules and rule classes: the vocabulary in which findings of several tools become one.

The mapping is data: ``rule_data/classes.toml`` holds our families, and one further file per tool holds its rules.
An unmapped foreign rule is its own class, so nothing is ever merged by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Protocol

import msgspec
from msgspec import Struct

from assaymark.model.digest import Digest, sha256
from assaymark.model.finding import RuleClassId, RuleId
from assaymark.model.severity import Confidence, Severity


class RuleClass(Struct, frozen=True, omit_defaults=True):
    """A family of weaknesses."""

    id: RuleClassId
    title: str
    cwe: int
    """The closest CWE id; 0 for families that are no weakness (``unchecked``)."""
    owasp: tuple[str, ...] = ()
    """Its place in OWASP's Top 10, as ``A03:2021``; of each edition at most one."""


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
    owasp: tuple[str, ...] = ()


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


TOOLS = (
    "apache",
    "azure-pipelines",
    "bandit",
    "bitbucket-pipelines",
    "circleci",
    "compose",
    "dependencies",
    "dockerfile",
    "github-scripts",
    "gitlab-ci",
    "gitleaks",
    "go",
    "image",
    "java",
    "javascript",
    "jenkins",
    "kubernetes",
    "nginx",
    "php",
    "ruff",
    "secrets",
    "semgrep",
    "sonarqube",
    "tekton",
    "terraform",
    "trivy",
    "zap",
    "zizmor",
)
"""Tools whose rules are mapped; one file each in ``rule_data``."""


class Vocabulary(Protocol):
    """What identity and reports ask of a catalogue."""

    def class_of(self, rule: RuleId) -> RuleClassId:
        """The rule's family; a rule that nobody mapped is a family of its own."""
        ...

    def describe(self, rule: RuleId) -> RuleInfo:
        """The rule's data; for an unmapped rule, what its name says."""
        ...


class Catalogue(Struct, frozen=True):
    """A vocabulary that is all there."""

    classes: Mapping[RuleClassId, RuleClass]
    rules: Mapping[RuleId, RuleInfo]

    def class_of(self, rule: RuleId) -> RuleClassId:
        return self.describe(rule).rule_class

    def describe(self, rule: RuleId) -> RuleInfo:
        return self.rules.get(rule) or RuleInfo(id=rule, rule_class=RuleClassId(rule), title=rule)


class Shipped:
    """The vocabulary that comes with the package; each file is read when a rule of its tool is first asked for.

    Reading all of it costs as much as checking a small change, and a change without findings needs none of it.
    """

    def __init__(self) -> None:
        self._tools: dict[str, Catalogue] = {}

    def class_of(self, rule: RuleId) -> RuleClassId:
        return self.describe(rule).rule_class

    def describe(self, rule: RuleId) -> RuleInfo:
        return self._tool(rule.partition("/")[0]).describe(rule)

    @cached_property
    def classes(self) -> dict[RuleClassId, RuleClass]:
        import tomllib  # noqa: PLC0415 - a run without findings does without

        rows = msgspec.convert(tomllib.loads(_read("classes.toml").decode()), dict[str, _ClassRow])
        return {
            RuleClassId(name): RuleClass(id=RuleClassId(name), title=row.title, cwe=row.cwe, owasp=row.owasp) for name, row in rows.items()
        }

    @cached_property
    def rules(self) -> dict[RuleId, RuleInfo]:
        """Every rule of every tool.

        Raises:
            ValueError: when a rule names no known class (a defect of the package, found by its tests).
        """
        rules = {rule: info for tool in TOOLS for rule, info in self._tool(tool).rules.items()}
        unknown = sorted(info.id for info in rules.values() if info.rule_class not in self.classes)
        if unknown:
            raise ValueError(f"rules of no known class: {', '.join(unknown)}")
        return rules

    def rules_of(self, tool: str) -> Mapping[RuleId, RuleInfo]:
        """Every rule of one tool."""
        return self._tool(tool).rules

    def _tool(self, name: str) -> Catalogue:
        if name not in self._tools:
            self._tools[name] = Catalogue({}, _load(name) if name in TOOLS else {})
        return self._tools[name]


def _folder() -> str:
    return __file__.rpartition("/")[0] + "/rule_data"


def _read(name: str) -> bytes:
    with open(f"{_folder()}/{name}", "rb") as file:  # noqa: PTH123 - pathlib costs milliseconds on the hook's path
        return file.read()


def _load(tool: str) -> dict[RuleId, RuleInfo]:
    import rtoml  # noqa: PLC0415 - seven times quicker than the standard library's, and asked for only when there is a finding

    file = msgspec.convert(rtoml.loads(_read(f"{tool}.toml").decode()), _RuleFile)
    return {
        RuleId(f"{file.tool}/{name}"): RuleInfo(
            id=RuleId(f"{file.tool}/{name}"),
            rule_class=row.rule_class,
            title=row.title or name,
            severity=row.severity,
            confidence=row.confidence,
            url=row.url,
            aliases=row.aliases,
        )
        for name, row in file.rule.items()
    }


@cache
def catalogue() -> Shipped:
    """The shipped vocabulary."""
    return Shipped()


@cache
def mapping_digest() -> Digest:
    """Digest of the rule-to-class mapping as it is shipped: part of the knowledge under which two subjects are compared."""
    return sha256(b"".join(_read(f"{tool}.toml") for tool in TOOLS))
