"""How long a job waits after an attempt that failed: longer each time, and never all at the same moment."""

from __future__ import annotations

import random

from assaymark.model.assessment import SECOND, Instant

FIRST = 1.0
LONGEST = 600.0


def pause(attempt: int, chance: random.Random) -> float:
    """Seconds after the attempt of this number (1 for the first): between half of a power of two and the whole, at most ten minutes."""
    whole = min(LONGEST, FIRST * 2.0 ** min(attempt, 32))
    return whole * (0.5 + chance.random() / 2)


def next_due(now: Instant, attempt: int, chance: random.Random) -> Instant:
    """When it is due again."""
    return Instant(now + int(pause(attempt, chance) * SECOND))
