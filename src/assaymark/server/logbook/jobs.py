"""Handler: keep a checkpoint at every place that the administrator named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assaymark.server.logbook import pins
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt


def pin_log(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """What a place refuses is written down (`store.log_heads.PinRow`) and tried again by the next run."""
    pins.pin_all(service)
