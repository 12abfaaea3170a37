"""Handler: sum up the days that are over, so that figures cost what happened since and not what ever happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import figure_days

AT_ONCE = 30
"""Days in one transaction: on SQLite nobody else writes meanwhile."""
_log = structlog.get_logger("assaymark.figures")


def sum_up_days(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Until none is left, or it is stopped; what a stop or a kill leaves is done by the next run."""
    left = 1
    while left and not attempt.should_stop():
        with service.database.write() as connection:
            left = figure_days.sum_up(connection, service.now(), most=AT_ONCE)
    _log.info("days summed up", left=left)
