"""Settings that other tools judge (infrastructure as code, containers, orchestration), under our own rules where these are the same.

Guarantees: a foreign id that our rules name as an alias becomes that rule of ours, so that its class, its family's severity and its address
are those of our own check; the tool's own id stays in the notes. An id that we do not know is a rule and a class of its own.
A setting is addressed by its resource; where the rule of ours stands in a table, by the attribute that it expects, as our check does, and
otherwise by that rule's name, so that two rules of one class about one resource stay two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, ConfigurationSite, Fix, Layer, RuleId, Sighting, Span, Suppression
from assaymark.model.identity import Seen
from assaymark.model.rules import RuleInfo, catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.found import Ask
from assaymark.server.imports.places import path_of
from assaymark.server.imports.speech import count, line_of

_INDEX = re.compile(r"\[[^\]]*\]")
_FAMILIES = {
    "terraform": ("terraform",),
    "terraform_plan": ("terraform",),
    "terraformplan": ("terraform",),
    "dockerfile": ("dockerfile",),
    "kubernetes": ("kubernetes",),
    "helm": ("kubernetes",),
    "kustomize": ("kubernetes",),
}


class Setting(Struct, frozen=True):
    """One tool's word on one setting."""

    ids: tuple[str, ...]
    """Under which the rule may be known, the tool's own first."""
    family: str
    """What kind of file it is, as the tool calls it."""
    path: str
    resource: str
    message: str
    attribute: str = ""
    """As the tool addresses it; where a rule of ours is meant, that rule's own is taken."""
    severity: Severity | None = None
    """None when the tool does not rate."""
    line: int = 0
    end_line: int = 0
    advice: str = ""
    url: str = ""
    suppression: str = ""


def seen_of(tool: str, check: CheckId, rows: Sequence[Setting], ask: Ask) -> list[Seen]:
    """Sightings."""
    return [_seen(tool, check, row, ask) for row in rows]


def _seen(tool: str, check: CheckId, row: Setting, ask: Ask) -> Seen:
    ours = _ours(row.family, row.ids)
    path = path_of(row.path)
    line = count(row.line)
    end = max(line, count(row.end_line))
    resource = line_of(_INDEX.sub("", row.resource), 160)
    attribute = _attribute(ours.id) if ours else line_of(row.attribute, 160)
    sighting = Sighting(
        rule=ours.id if ours else RuleId(f"{tool}/{line_of(row.ids[0], 150)}"),
        site=ConfigurationSite(resource or line_of(row.message, 160), attribute),
        severity=ours.severity if ours else row.severity or Severity.MEDIUM,
        message=line_of(f"{resource}: {row.message}" if resource else row.message),
        span=Span(line, 1, end, 1) if line else None,
        confidence=Confidence.HIGH if ours else Confidence.MEDIUM,
        fix=Fix(line_of(row.advice)) if row.advice else None,
        suppression=Suppression(line_of(row.suppression, 200), line) if row.suppression else None,
        notes=tuple((name, line_of(text)) for name, text in (("known as", row.ids[0]), ("reference", row.url)) if text),
    )
    return Seen(sighting, check, ask.on(Layer.INFRASTRUCTURE), sha256(path.encode("utf-8", "surrogatepass")), path)


def _ours(family: str, ids: Sequence[str]) -> RuleInfo | None:
    known = _aliases(family.lower())
    return next((known[each] for each in ids if each in known), None)


@cache
def _aliases(family: str) -> dict[str, RuleInfo]:
    found: dict[str, RuleInfo] = {}
    for tool in _FAMILIES.get(family, ()):
        for rule in catalogue().rules_of(tool).values():
            for alias in rule.aliases:
                found.setdefault(alias, rule)
    return found


def _attribute(rule: RuleId) -> str:
    name = rule.partition("/")[2]
    return _expected().get(name, name) if rule.startswith("terraform/") else name


@cache
def _expected() -> dict[str, str]:
    import rtoml  # noqa: PLC0415 - few imports are about infrastructure

    from assaymark.checks.infrastructure.iac.tables import written  # noqa: PLC0415

    found: dict[str, str] = {}
    for name, row in rtoml.loads(written().decode()).items():
        path = row["expect"]["path"]
        each = row.get("each", "")
        found[name] = ".".join(filter(None, (each, path if isinstance(path, str) else path[0])))
    return found
