"""Where an edge is, when nobody says it."""

from __future__ import annotations

import os
from pathlib import Path


def default(kind: str) -> Path:
    """Root's, or this user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/assaymark") / f"edge-{kind}"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "assaymark" / f"edge-{kind}"
