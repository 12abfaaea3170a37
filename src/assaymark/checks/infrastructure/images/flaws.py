"""How a rule about images says what is wrong."""

from __future__ import annotations

from msgspec import Struct

from assaymark.model.severity import Severity


class ImageFlaw(Struct, frozen=True, omit_defaults=True):
    """One place that breaks a rule."""

    rule: str
    control: str
    """What is asked of the image: a setting, or a quality of files."""
    target: str
    """The thing that does not meet it; never a version, digest, position or secret value."""
    message: str
    severity: Severity | None = None
    """When this case is milder or worse than the rule's usual one."""
