"""What a document says, before it is recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.secrets.keys import Key
from assaymark.model.digest import Digest, sha256
from assaymark.model.finding import CheckId, Layer, RuleId, Sighting, UncheckedSite
from assaymark.model.identity import Seen
from assaymark.model.rules import TOOLS
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged

PREFIX = "import/"
"""Of the checks under which imports are known, so that no import closes what a check of ours sees, and no check what was imported."""
_OUTSIDE = re.compile(r"[^a-z0-9]+")

Contents = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Of these paths of the subject, those whose content is at hand: with it a place is known by its statement and not by its line."""


class Ask(Struct, frozen=True):
    """How an import was asked for."""

    category: str = ""
    """Which of several reports of one tool this is: a report replaces the one before it of the same category."""
    chosen: Layer | None = None
    """The layer that was asked for; without it each finding stands on that of its kind."""
    complete: bool = True
    """The report says everything that the tool sees: what it says no longer is gone."""

    @property
    def layer(self) -> Layer:
        """Of reports that do not tell layers apart."""
        return self.chosen or Layer.APPLICATION

    def on(self, natural: Layer) -> Layer:
        """The layer of a finding whose kind has one of its own."""
        return self.chosen or natural


def _nothing_at_hand(_paths: Sequence[str]) -> Mapping[str, bytes]:
    return {}


def _no_names(_ids: Sequence[str]) -> Mapping[str, str]:
    return {}


class World(Struct, frozen=True):
    """What the server knows beside the document."""

    contents: Contents = _nothing_at_hand
    naming: Callable[[Sequence[str]], Mapping[str, str]] = _no_names
    """Of these ids of vulnerabilities, the canonical ones of their groups as the server's advisories have them."""
    key: Key | None = None
    """The installation's, under which secrets are named."""


class Said(Struct, frozen=True):
    """One statement of a VEX document."""

    ids: tuple[str, ...]
    """Of the vulnerability, whichever it is known by."""
    products: tuple[str, ...]
    """Package URLs; empty for all."""
    status: str
    """``not-affected``, ``false-positive``, ``fixed``, ``accepted``, ``affected``, ``under-investigation``."""
    reason: str = ""
    author: str = ""
    at: str = ""


class Spoken(Struct, frozen=True):
    """What documents say together."""

    seen: tuple[Seen, ...] = ()
    judged: tuple[Judged, ...] = ()
    """Findings that come with an identity of ours."""
    checks: tuple[tuple[CheckId, Layer], ...] = ()
    """Who looked at everything."""
    sets: dict[str, tuple[Digest, PackageSet]] = {}
    statements: tuple[Said, ...] = ()
    """What somebody says of vulnerabilities (VEX): matter of the decisions, no finding."""
    notes: tuple[str, ...] = ()


def slug(text: str, fallback: str = "tool") -> str:
    """A name as part of an id."""
    return _OUTSIDE.sub("-", text.lower()).strip("-")[:40] or fallback


def tool_of(name: str) -> str:
    """The tool as our vocabulary of rules knows it: ``Semgrep OSS`` is semgrep."""
    full = slug(name)
    first = full.partition("-")[0]
    return first if full not in TOOLS and first in TOOLS else full


def check_of(tool: str, ask: Ask) -> CheckId:
    """Under which name an import is known."""
    return CheckId(f"{PREFIX}{tool}/{slug(ask.category)}" if ask.category else f"{PREFIX}{tool}")


def gap(check: CheckId, layer: Layer, path: str, reason: str) -> Seen:
    """Something that the tool says it could not look at."""
    site = UncheckedSite(check, "import", "engine-failed")
    return Seen(Sighting(RuleId(f"{check}/unchecked"), site, Severity.MEDIUM, reason), check, layer, sha256(b""), path)
