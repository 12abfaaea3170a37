"""What a server adds to what a repository says of itself: decisions that people took, policies of the organisation. Pure data."""

from __future__ import annotations

from msgspec import Struct

from assaymark.verdict.rules import About, Approval, FloorOf, Rule


class Given(Struct, frozen=True, omit_defaults=True):
    """Empty on a developer's machine: there the repository's own policy counts alone."""

    decisions: tuple = ()  # type: ignore[type-arg]
    rules: tuple[Rule, ...] = ()
    """Of the organisation's policies, those that apply to this subject."""
    floors: tuple[FloorOf, ...] = ()
    """One per policy that applies, also of those that only have rules: the verdict names them all."""
    about: About = About()
    """What rules may ask of the change and its subject."""
    approvals: tuple[Approval, ...] = ()
    """Of this head."""
