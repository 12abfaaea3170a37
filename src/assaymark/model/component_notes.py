"""Names of the notes that a finding about a component carries and that others than people read."""

from __future__ import annotations

from assaymark.model.finding import Finding, Kind

VERSION = "version"
ALIASES = "also known as"
ACCORDING = "according to"
"""The records that speak of the version; others of the alias group may be about something else."""


def versions_of(finding: Finding) -> tuple[str, ...]:
    """The versions at which the component is there; empty for findings of other kinds."""
    return _words(finding, VERSION)


def advisories_of(finding: Finding) -> tuple[str, ...]:
    """Every id under which the advisory is known, the canonical one first; empty for findings of other kinds."""
    return (finding.core.parts[1], *_words(finding, ALIASES)) if finding.core.kind is Kind.COMPONENT else ()


def package_of(finding: Finding) -> str:
    """The component's package URL without a version; empty for findings of other kinds."""
    return finding.core.parts[0] if finding.core.kind is Kind.COMPONENT else ""


def _words(finding: Finding, name: str) -> tuple[str, ...]:
    if finding.core.kind is not Kind.COMPONENT:
        return ()
    return tuple(word for note, text in finding.notes if note == name for word in text.split(", ") if word)
