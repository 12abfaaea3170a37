"""What a check says of content (a sighting), and what it becomes in a repository (a finding).

A *sighting* is a fact about bytes: it knows no path, owner, policy or date, so it is remembered for ever.
A *finding* is a sighting seen at a place, with an identity made by `assaymark.model.identity`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

from msgspec import Struct

from assaymark.model.digest import Digest
from assaymark.model.severity import Confidence, Severity

CheckId = NewType("CheckId", str)
"""Name of a check, e.g. ``secrets``; also the tool that witnesses a finding."""
RuleId = NewType("RuleId", str)
"""``<check>/<rule>`` as the check names it, e.g. ``ruff/S608``."""
RuleClassId = NewType("RuleClassId", str)
"""A family of our own vocabulary, e.g. ``sql-injection``; several tools' rules map to one."""
Fingerprint = NewType("Fingerprint", str)
"""``<scheme>:<32 hex>``: digest of a core under a versioned scheme."""


class Layer(StrEnum):
    """The paper's three layers."""

    INFRASTRUCTURE = "infrastructure"
    PLATFORM = "platform"
    APPLICATION = "application"


class Kind(StrEnum):
    """One identity algorithm per kind (never per tool)."""

    CODE = "code"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    COMPONENT = "component"
    CONFIGURATION = "configuration"
    ENDPOINT = "endpoint"
    HOST = "host"
    EVENT = "event"
    UNCHECKED = "unchecked"


class Span(Struct, frozen=True, array_like=True):
    """A region of a text; lines and columns count from 1, columns in code points, the end is exclusive."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int


# --- sites: what identity is made of, one shape per kind -------------------------------------------------------------


class CodeSite(Struct, frozen=True, tag="code"):
    """A weakness in source text."""

    scope: tuple[str, ...]
    """Enclosing classes and functions, outermost first; without a parser, the less-indented header lines."""
    statement: str
    """The whole statement as written, also where it spans lines. Never holds a secret."""
    language: str = ""
    """Decides what is a comment in the statement; empty when unknown."""


class SecretSite(Struct, frozen=True, tag="secret"):
    """A credential."""

    value_hmac: str
    """HMAC-SHA-256 (hex) of the value under the installation key; the value itself is never kept."""
    key_id: str
    """Which installation key; identities under different keys cannot be compared."""
    context: str = ""
    """The line with the value masked, for people."""


class ComponentSite(Struct, frozen=True, tag="component"):
    """A third-party component with an advisory."""

    package: str
    """purl without version."""
    advisory: str
    """Canonical id of the advisory's alias group."""
    version: str = ""


class ConfigurationSite(Struct, frozen=True, tag="configuration"):
    """A setting of a resource, pipeline, server."""

    resource: str
    """Address of the resource inside its unit, e.g. ``jobs.build.steps[checkout]``; never an index that moves."""
    attribute: str = ""
    """Path of the attribute, and what makes it wrong if one attribute can be wrong twice."""


class EndpointSite(Struct, frozen=True, tag="endpoint"):
    """A weakness of a running service."""

    service: str
    operation: str
    parameter: str = ""


class HostSite(Struct, frozen=True, tag="host"):
    """A control that a host or image does not meet."""

    control: str
    target: str


class EventSite(Struct, frozen=True, tag="event"):
    """A detection over recorded events."""

    detection: str
    actor: str
    resource: str


class UncheckedSite(Struct, frozen=True, tag="unchecked"):
    """Something that a check could not look at: silence is never a pass."""

    check: CheckId
    unit: str
    reason_class: str
    """``syntax``, ``size``, ``encoding``, ``timeout``, ``memory``, ``engine-missing``, ``engine-failed``, …"""


Site = CodeSite | SecretSite | ComponentSite | ConfigurationSite | EndpointSite | HostSite | EventSite | UncheckedSite


class Fix(Struct, frozen=True, omit_defaults=True):
    """How to repair it: always words, sometimes a replacement for the sighting's span."""

    advice: str
    replacement: str | None = None
    safe: bool = False
    """True when the replacement cannot change behaviour otherwise."""


class Suppression(Struct, frozen=True):
    """An inline comment, of whichever tool, that asks to overlook the sighting."""

    marker: str
    """As written, e.g. ``# nosec B602``; at most 200 characters."""
    line: int


class Sighting(Struct, frozen=True, omit_defaults=True):
    """One thing that one check says of one input."""

    rule: RuleId
    site: Site
    severity: Severity
    message: str
    """One sentence for a developer; holds no secret value and no path."""
    span: Span | None = None
    confidence: Confidence = Confidence.HIGH
    member: str = ""
    """For inputs of several files: the member's name relative to the unit."""
    fix: Fix | None = None
    suppression: Suppression | None = None
    notes: tuple[tuple[str, str], ...] = ()
    """Further facts for people and reports, as ordered pairs."""


# --- findings --------------------------------------------------------------------------------------------------------


class Core(Struct, frozen=True, array_like=True):
    """What a finding is. Never holds a path, a line number or a tool's name."""

    kind: Kind
    rule_class: RuleClassId
    parts: tuple[str, ...]


class Place(Struct, frozen=True, order=True):
    """Where a finding is now."""

    path: str
    """Subject-relative, ``/``-separated; bytes that are no UTF-8 are surrogate-escaped."""
    line: int = 0
    """0 when the finding concerns the whole path."""
    column: int = 0
    end_line: int = 0
    end_column: int = 0


class Witness(Struct, frozen=True, order=True):
    """A check that saw the finding."""

    check: CheckId
    rule: RuleId
    message: str


class Finding(Struct, frozen=True, omit_defaults=True):
    """A weakness at a place, whoever saw it."""

    fingerprint: Fingerprint
    core: Core
    place: Place
    layer: Layer
    severity: Severity
    confidence: Confidence
    witnesses: tuple[Witness, ...]
    """The first one is the strongest and speaks for the finding."""
    input: Digest
    """The unit in which it was seen."""
    statement: str = ""
    """Source as written, for display; secrets are masked."""
    fix: Fix | None = None
    suppression: Suppression | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def rule(self) -> RuleId:
        return self.witnesses[0].rule

    @property
    def message(self) -> str:
        return self.witnesses[0].message

    @property
    def short_id(self) -> str:
        """Twelve hex digits that a person can type; `explain` and `waive` accept them."""
        return self.fingerprint.rpartition(":")[2][:12]
