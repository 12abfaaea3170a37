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
from assaymark.store import approvals, assessments, decisions, figures, findings, items, mine, promises, subjects, wishes
from assaymark.store.ages import DAY
from assaymark.store.approvals import ApprovalRequest
from assaymark.store.assessments import AssessmentRow
from assaymark.store.decisions import DecisionRow
from assaymark.store.figures import Figures, Scope
from assaymark.store.findings import Filter, FindingRow, Order, Part
from assaymark.store.items import ItemRow
from assaymark.store.narrowing import Teams
from assaymark.store.wishes import RequestRow

SHOWN = 8
"""Rows of each list."""
MOST = 200
"""Up to which is counted: enough to know that it is too much."""
TREND_DAYS = 90
SOON_DAYS = 30


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


class Items(Struct, frozen=True):
    """Some items, and how many there are, counted up to a bound."""

    rows: tuple[ItemRow, ...]
    at_least: int


class Findings(Struct, frozen=True):
    """Some findings, and how many there are, counted up to a bound."""

    rows: tuple[FindingRow, ...]
    at_least: int


class Developer(Struct, frozen=True):
    """What waits on me?"""

    changes: tuple[AssessmentRow, ...]
    """The last verdict of each change that I caused: what stops first."""
    items: Items
    """What I own, worst first."""
    requests: tuple[RequestRow, ...]
    """What I asked for, with the answers, newest first."""
    approvals: tuple[ApprovalRequest, ...] = ()
    """What waits for me to approve before it is endorsed, oldest first."""


class Manager(Struct, frozen=True):
    """What is new and stops, what is overdue, what asks for a decision, what is unproven, which decisions end soon?"""

    stops: Changes
    """Subjects whose last verdict is fail, judged last first."""
    unproven: Changes
    newest: tuple[FindingRow, ...]
    """Critical and high findings that came last and that nobody let through."""
    overdue: Findings
    """Longer there than was promised, worst first."""
    asks: tuple[RequestRow, ...]
    """Requests that wait for an answer, of teams in which he decides."""
    ends: tuple[DecisionRow, ...]
    """Decisions that end within `SOON_DAYS`."""
    unowned: Items
    """Critical and high items that are nobody's in particular."""
    approvals: tuple[ApprovalRequest, ...] = ()
    """What waits for him to approve before it is endorsed, oldest first."""


class Stakeholder(Struct, frozen=True):
    """Where do we stand against what we chose, did it get weaker, where does it go, how fast are we?"""

    level: str
    """That was chosen for all; empty when nobody chose one."""
    now: Figures
    before: Figures
    """`TREND_DAYS` ago."""
    failing: int
    """Subjects whose last verdict stops them, at least."""
    unproven: int


def developer(connection: sa.Connection, who: Principal, now: Instant) -> Developer:
    """For this person."""
    teams, asked = who.teams_with(Permission.FINDINGS_READ), wishes.Filter(person=who.person)
    requests, _ = wishes.page(connection, teams, asked, now, decisions.Part(limit=SHOWN))
    changes = mine.changes(connection, who.teams_with(Permission.ASSESSMENTS_READ), who.person, SHOWN)
    owned = _items(connection, who, items.Filter(person=who.person))
    return Developer(tuple(changes), owned, tuple(requests), _approvals(connection, who))


def manager(connection: sa.Connection, who: Principal, now: Instant) -> Manager:
    """For what he may see."""
    teams, worst = who.teams_with(Permission.FINDINGS_READ), (Severity.CRITICAL, Severity.HIGH)
    newest, _ = findings.page(connection, teams, Filter(severities=worst, waived=False), Part(Order.NEWEST, limit=SHOWN))
    due = Filter(late=True, late_at=now, waived=False)
    late, _ = findings.page(connection, teams, due, Part(limit=SHOWN))
    many = findings.count(connection, teams, due, MOST)
    deciding = who.teams_with(Permission.FINDINGS_DECIDE)
    asks, _ = wishes.page(connection, deciding, wishes.Filter(wishes.State.WAITING), now, decisions.Part(limit=SHOWN))
    soon = decisions.Filter(ends_before=Instant(now + SOON_DAYS * DAY))
    ends, _ = decisions.page(connection, teams, soon, now, decisions.Part(limit=SHOWN))
    return Manager(
        stops=_last(connection, who, AssessmentState.FAIL),
        unproven=_last(connection, who, AssessmentState.UNPROVEN),
        newest=tuple(newest),
        overdue=Findings(tuple(late), many),
        asks=tuple(asks),
        ends=tuple(ends),
        unowned=_items(connection, who, items.Filter(least=Severity.HIGH, unowned=True)),
        approvals=_approvals(connection, who),
    )


def _approvals(connection: sa.Connection, who: Principal) -> tuple[ApprovalRequest, ...]:
    return tuple(approvals.waiting_for(connection, who.teams_with(Permission.ENDORSEMENTS_APPROVE), who.person, SHOWN))


def _items(connection: sa.Connection, who: Principal, asked: items.Filter) -> Items:
    teams = who.teams_with(Permission.FINDINGS_READ)
    rows, _ = items.page(connection, teams, asked, items.Part(limit=SHOWN))
    return Items(tuple(rows), items.count(connection, teams, asked, MOST))


def _last(connection: sa.Connection, who: Principal, state: AssessmentState) -> Changes:
    """Of subjects whose last verdict this is."""
    teams, asked = who.teams_with(Permission.SUBJECTS_READ), subjects.Filter(state=state.value)
    rows, _ = subjects.page(connection, teams, asked, subjects.Part(subjects.Order.JUDGED, limit=SHOWN))
    last = [row.last_assessment for row in rows if row.last_assessment is not None]
    return Changes(tuple(assessments.rows_of(connection, last, None)), subjects.count(connection, teams, asked, MOST))


def stakeholder(connection: sa.Connection, who: Principal, now: Instant) -> Stakeholder:
    """For what he may see."""
    scope, teams = Scope(teams_of(who)), who.teams_with(Permission.SUBJECTS_READ)
    chosen = promises.in_force(connection, now).all.level
    return Stakeholder(
        level=chosen.value if chosen is not None else "",
        now=figures.figures(connection, scope, now),
        before=figures.figures(connection, scope, Instant(max(0, now - TREND_DAYS * DAY))),
        failing=subjects.count(connection, teams, subjects.Filter(state=AssessmentState.FAIL.value), MOST),
        unproven=subjects.count(connection, teams, subjects.Filter(state=AssessmentState.UNPROVEN.value), MOST),
    )


def teams_of(who: Principal) -> Teams:
    """Teams whose figures he may see: figures tell of findings, subjects and verdicts alike."""
    found = who.teams_with(Permission.FINDINGS_READ)
    for permission in (Permission.SUBJECTS_READ, Permission.ASSESSMENTS_READ):
        more = who.teams_with(permission)
        found = more if found is None else found if more is None else found & more
    return found
