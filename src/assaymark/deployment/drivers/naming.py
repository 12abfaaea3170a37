"""Names of what is launched, as labels of DNS, which every platform takes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assaymark.deployment.drivers.driver import Pair

MOST = 63
_KEPT = re.compile(r"[a-z0-9]+")
_PREFIX = "assay"


def label(pair: Pair, ending: str = "") -> str:
    """``assay-<environment>-<component>-<seal>[-<ending>]``; the seal is of the exact names, so that no two pairs meet."""
    seal = hashlib.sha256(f"{pair.environment}\0{pair.component}".encode()).hexdigest()[:8]
    tail = "-".join(part for part in (seal, ending) if part)
    words = "-".join(_KEPT.findall(f"{pair.environment}-{pair.component}".lower()))
    room = MOST - len(_PREFIX) - len(tail) - 2
    middle = words[: max(room, 0)].strip("-")
    return "-".join(part for part in (_PREFIX, middle, tail) if part)
