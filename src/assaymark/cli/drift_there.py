"""Telling a server what drifted: `POST /api/v1/deployments/drifts`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from assaymark.cli.server_there import server_at

if TYPE_CHECKING:
    from assaymark.cli.drift_looking import Asked
    from assaymark.deployment.drift.told import Report

MOST = 1000
"""That a server takes at once; the heaviest are first."""


def tell(asked: Asked, report: Report) -> Iterator[str]:
    """Notes for whoever watches.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    assert asked.tell is not None  # noqa: S101 - whoever calls asked
    body: dict[str, Any] = {
        "environment": asked.tell.environment,
        "component": asked.tell.component,
        "drifts": msgspec.to_builtins(report.drifts[:MOST]),
        # What vanished is said by who looked at the whole; one who left something out did not.
        "looked": list(report.looked) if len(report.drifts) <= MOST else [],
    }
    server_at(asked.server, asked.token_file).asked("POST", "/deployments/drifts", body)
    if len(report.drifts) > MOST:
        yield f"the server was told the {MOST} heaviest of {len(report.drifts)} drifts"
