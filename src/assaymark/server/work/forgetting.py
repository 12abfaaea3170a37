"""Handler: components that nobody has held for long are forgotten; keys that an earlier release wrote are written anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import components

KEPT_DAYS = 400
"""That "as of" reaches back for components which nobody holds any more; what somebody holds is kept."""
_DAY = 86_400 * SECOND
_log = structlog.get_logger("assaymark.forgetting")


def clean_components(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """In batches, so that nobody waits for it; what was forgotten leaves the storage in a transaction of its own (`components.release`)."""
    before = Instant(service.now() - KEPT_DAYS * _DAY)
    forgotten = written = 0
    while not attempt.should_stop():
        with service.database.write() as connection:
            some = components.refill(connection, service.blobs)
        written += some
        if not some:
            break
    while not attempt.should_stop():
        with service.database.write() as connection:
            gone = components.forget(connection, before)
        if not gone:
            break
        forgotten += len(gone)
        with service.database.write() as connection:
            components.release(connection, service.blobs, gone)
    _log.info("components looked through", forgotten=forgotten, written_anew=written)
