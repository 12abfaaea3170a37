"""A place in one text that may be a secret: what the layers of the check hand to the reporter.

The value is inside, so a hit never leaves this folder and does not print itself.
"""

from __future__ import annotations

from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity


class Kind(Struct, frozen=True):
    """What all hits of one rule share."""

    rule: str
    """Name below ``secrets/``."""
    family: str
    """Rule class, so that two rules that see one value are known as one."""
    message: str
    severity: Severity
    rank: int
    """Lower is more specific and wins where two hits overlap."""
    advice: str = "Revoke it where it was issued, then read the new one from the environment or a secret store."


class Hit(Struct, frozen=True):
    """One value at one place (offsets into the readable text)."""

    kind: Kind
    start: int
    end: int
    value: Secret
    confidence: Confidence
    notes: tuple[tuple[str, str], ...] = ()
    heading: int = 0
    """Bytes at its beginning that are no secret and tell what it is (``-----BEGIN …-----``); its end then says nothing more."""

    def shifted(self, by: int) -> Hit:
        """The same hit in a text that holds this one at offset `by`."""
        return Hit(self.kind, self.start + by, self.end + by, self.value, self.confidence, self.notes, self.heading)
