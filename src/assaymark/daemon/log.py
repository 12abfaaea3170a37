"""The daemon's log is its standard error, a file when it was started on demand; it must not grow for ever."""

from __future__ import annotations

import os
from contextlib import suppress

LIMIT = 1 << 20
"""Bytes."""


def trim(number: int) -> None:
    """Begin anew when it has become too long."""
    with suppress(OSError):
        if os.fstat(number).st_size > LIMIT:
            os.ftruncate(number, 0)
