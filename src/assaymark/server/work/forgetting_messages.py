"""Handler: forgets what was sent and what happened long ago: messages, the outbox of forges, happenings.

Guarantees: what still waits is never forgotten; in batches, each a transaction of its own, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import happenings, messages, outbox
from assaymark.store.messages import MessageState

_DAY = 86400 * SECOND
SENT_DAYS, GIVEN_UP_DAYS, HAPPENED_DAYS = 30, 90, 400
"""Of messages; what was given up can be replayed as long as it is there; what happened is asked for by pages and digests."""
_AT_ONCE = 2000
_log = structlog.get_logger("assaymark.cleaning")


def clean_channels(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Remove what is old."""
    now = service.now()
    sent, given_up, happened = (Instant(now - days * _DAY) for days in (SENT_DAYS, GIVEN_UP_DAYS, HAPPENED_DAYS))
    steps: tuple[Callable[[sa.Connection], int], ...] = (
        lambda link: messages.forget(link, MessageState.SENT, before=sent, most=_AT_ONCE),
        lambda link: messages.forget(link, MessageState.GIVEN_UP, before=given_up, most=_AT_ONCE),
        lambda link: outbox.forget(link, before=sent, most=_AT_ONCE),
        lambda link: happenings.forget(link, before=happened, most=_AT_ONCE),
    )
    removed = 0
    for step in steps:
        while not attempt.should_stop():
            with service.database.write() as link:
                done = step(link)
            removed += done
            if done < _AT_ONCE:
                break
    _log.info("messages forgotten", count=removed)
