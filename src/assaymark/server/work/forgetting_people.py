"""Forgets what has ended long ago and what nobody asks for: sessions, one-time links, tries. Tokens stay, so that it can be seen whose they
were; that sessions and links were, stays in the trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import attempts, invitations, sessions

KEPT = 30 * 86400 * SECOND
_log = structlog.get_logger("assaymark.cleaning")


def clean_people(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: each kind in a transaction of its own."""
    now = service.now()
    with service.database.write() as connection:
        ended = sessions.forget(connection, Instant(now - KEPT))
    with service.database.write() as connection:
        invitations.forget(connection, now)
    with service.database.write() as connection:
        attempts.forget(connection, now)
    _log.info("sessions forgotten", count=ended)
