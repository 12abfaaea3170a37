"""What each of the three readers asks first, answered at once: the developer, the security manager, the business stakeholder.

Guarantees: bounded, by indexes and kept sums, whatever there is; of each thing only what the asker may see. What nobody has decided, owned
or judged yet is empty, never a figure that was not counted.
"""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Permission, Principal, Role
from assaymark.model.assessment import AssessmentState, Instant
from assaymark.model.severity import Severity
from assaymark.store import assessments, findings, mine, subjects
from assaymark.store.ages import DAY
from assaymark.store.assessments import AssessmentRow
from assaymark.store.findings import Filter, FindingRow, Order, Part
from assaymark.store.mine import Speed
from assaymark.store.subjects import Posture

SHOWN = 8
"""Rows of each list."""
MOST = 1_000
"""Up to which is counted."""
TREND_DAYS = 90


class Reader(StrEnum):
    """Who asks."""

    DEVELOPER = "developer"
    MANAGER = "manager"
    STAKEHOLDER = "stakeholder"


def reader_of(who: Principal) -> Reader:
    """By the roles that he holds: who decides is a manager, who changes things a developer, who only reads a stakeholder."""
    roles = {grant.role for grant in who.grants}
    if roles & {Role.SECURITY, Role.ADMIN}:
        return Reader.MANAGER
    return Reader.DEVELOPER if roles & {Role.DEVELOPER, Role.MAINTAINER} else Reader.STAKEHOLDER


class Changes(Struct, frozen=True):
    """Some changes, and how many there are of their kind, counted up to a bound."""

    rows: tuple[AssessmentRow, ...]
    at_least: int


class Developer(Struct, frozen=True):
    """What waits on me?"""

    changes: tuple[AssessmentRow, ...]
    """The last verdict of each change that I caused: what stops first."""


class Manager(Struct, frozen=True):
    """What is new and stops, what is overdue, what asks for a decision, what is unproven, which decisions end soon?"""

    stops: Changes
    """Subjects whose last verdict is fail, judged last first."""
    unproven: Changes
    newest: tuple[FindingRow, ...]
    """Critical and high findings that came last and that nobody let through."""


class Stakeholder(Struct, frozen=True):
    """Where do we stand against what we chose, did it get weaker, where does it go, how fast are we?"""

    now: Posture
    before: Posture
    """`TREND_DAYS` ago."""
    before_at: Instant
    failing: int
    """Subjects whose last verdict stops them, at least."""
    unproven: int
    speed: Speed


def developer(connection: sa.Connection, who: Principal) -> Developer:
    """For this person."""
    return Developer(tuple(mine.changes(connection, who.teams_with(Permission.ASSESSMENTS_READ), who.person, SHOWN)))


def manager(connection: sa.Connection, who: Principal) -> Manager:
    """For what he may see."""
    asked = Filter(severities=(Severity.CRITICAL, Severity.HIGH), waived=False)
    rows, _ = findings.page(connection, who.teams_with(Permission.FINDINGS_READ), asked, Part(Order.NEWEST, limit=SHOWN))
    return Manager(_last(connection, who, AssessmentState.FAIL), _last(connection, who, AssessmentState.UNPROVEN), tuple(rows))


def _last(connection: sa.Connection, who: Principal, state: AssessmentState) -> Changes:
    """Of subjects whose last verdict this is."""
    teams, asked = who.teams_with(Permission.SUBJECTS_READ), subjects.Filter(state=state.value)
    rows, _ = subjects.page(connection, teams, asked, subjects.Part(subjects.Order.JUDGED, limit=SHOWN))
    last = [row.last_assessment for row in rows if row.last_assessment is not None]
    return Changes(tuple(assessments.rows_of(connection, last, None)), subjects.count(connection, teams, asked, MOST))


def stakeholder(connection: sa.Connection, who: Principal, now: Instant) -> Stakeholder:
    """For what he may see."""
    teams, before = who.teams_with(Permission.SUBJECTS_READ), Instant(now - TREND_DAYS * DAY)
    return Stakeholder(
        now=subjects.summed(connection, teams, subjects.Filter()),
        before=subjects.summed(connection, teams, subjects.Filter(at=before)),
        before_at=before,
        failing=subjects.count(connection, teams, subjects.Filter(state=AssessmentState.FAIL.value), MOST),
        unproven=subjects.count(connection, teams, subjects.Filter(state=AssessmentState.UNPROVEN.value), MOST),
        speed=mine.speed(connection, who.teams_with(Permission.ASSESSMENTS_READ)),
    )
