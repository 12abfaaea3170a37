"""All attacks on the verifier, by name."""

from __future__ import annotations

from tests.endorsement import attacks_forged, attacks_read, attacks_replayed, attacks_said
from tests.endorsement.attacking import ASKED, ATTACKS, ORDER, with_signature

__all__ = ["ASKED", "ATTACKS", "ORDER", "with_signature"]
PLACES = (attacks_forged, attacks_replayed, attacks_said, attacks_read)
"""Whose import makes them known."""
