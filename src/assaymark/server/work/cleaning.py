"""Forgets what nobody asks for any more: jobs that ended. What they did stays where they wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assaymark.jobs.open import open_queue
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt

_DAY = 86400 * SECOND
KEPT_DAYS = 7
DEAD_DAYS = 90
"""Given up, and replayed by nobody."""
_log = structlog.get_logger("assaymark.cleaning")


def clean_jobs(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: in batches, so that nobody waits for it."""
    now = service.now()
    queue = open_queue(service.database)
    removed = queue.clean(before=Instant(now - KEPT_DAYS * _DAY), dead_before=Instant(now - DEAD_DAYS * _DAY))
    _log.info("jobs forgotten", count=removed)
