"""Which reports are due by themselves: each week or month, as of its end, once that has settled."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import SECOND, Instant
from assaymark.store import setting_rows
from assaymark.store.figure_days import SETTLED

_NAME = "reports.schedule"


class Every(StrEnum):
    NEVER = "never"
    WEEK = "week"
    MONTH = "month"


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """How often; never, unless somebody says so."""

    every: Every = Every.NEVER
    teams: bool = False
    """Also one of each team."""


def plan(connection: sa.Connection) -> Plan:
    return setting_rows.get(connection, _NAME, Plan, Plan())


def put(connection: sa.Connection, wanted: Plan, at: Instant) -> None:
    setting_rows.put(connection, _NAME, wanted, at)


def due(wanted: Plan, now: Instant) -> tuple[Instant, str] | None:
    """The end of the last week or month that is over and settled, and by which name its report is known; None when none is wanted."""
    if wanted.every is Every.NEVER:
        return None
    today = dt.datetime.fromtimestamp((now - SETTLED) / 1_000_000, dt.UTC).date()
    first = today.replace(day=1) if wanted.every is Every.MONTH else today - dt.timedelta(days=today.weekday())
    begin = int(dt.datetime.combine(first, dt.time(), dt.UTC).timestamp()) * SECOND
    return Instant(begin - 1), f"{wanted.every.value} to {(first - dt.timedelta(days=1)).isoformat()}"
