"""What a runner says becomes lines of its worker's log, with the job that it has.

Guarantees: nothing that a runner prints, which may be content of a stranger's repository, looks like a line of the worker's own: it is
always the value of one key.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from assaymark.formats.undecodable import UNDECODABLE

_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_log = structlog.get_logger("assaymark.runner")


def tell(line: str, job: int | None) -> None:
    """One line."""
    fields = _structured(line)
    if fields is None:
        _log.info("runner said", job=job, line=line)
        return
    level = fields.pop("level", "info")
    say = getattr(_log, level if level in _LEVELS else "info")
    say("runner said", job=job, said=fields)


def _structured(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except UNDECODABLE:
        return None
    return fields if isinstance(fields.get("event"), str) and isinstance(fields.get("level", ""), str) else None
