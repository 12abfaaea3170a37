"""Handler: issue the reports that are due by themselves, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assaymark.model.access import TeamId
from assaymark.server.reports import schedule
from assaymark.server.reports.issue import Order, issue
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import figure_days, teams
from assaymark.store.figure_sums import end_of

_MOST_TEAMS = 1000
_log = structlog.get_logger("assaymark.reports")


def issue_reports(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Of everything first, then of each team; what a stop leaves is issued by the next run."""
    with service.database.read() as connection:
        wanted = schedule.plan(connection)
        due = schedule.due(wanted, service.now())
        last = figure_days.last_day(connection)
        rows = teams.page(connection, after="", limit=_MOST_TEAMS, teams=None) if wanted.teams else []
    if due is None or last is None or end_of(last) < due[0]:
        return  # days are still being summed up: the next run finds them
    for team in (None, *(TeamId(row.id) for row in rows)):
        if attempt.should_stop():
            return
        if (number := issue(service, Order(team, due[0], due[1]))) is not None:
            _log.info("report issued", report=number, cause=due[1])
