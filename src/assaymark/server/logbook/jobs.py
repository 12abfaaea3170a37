"""Handler: sign a checkpoint if the log has grown, and keep it at every place that the administrator named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assaymark.server.logbook import heads, pins
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt


def pin_log(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Signs also where no place is named, so that what is changed between two runs is found. A refusal is written down and tried again."""
    with service.database.write() as link:
        heads.current(service, link)
    pins.pin_all(service)
