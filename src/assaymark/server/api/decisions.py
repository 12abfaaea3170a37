"""Decisions about findings: waivers, accepted risks, false positives and VEX, as rules with a scope, an owner and a last day.

Guarantees: who may decide about everything in a scope may make, approve and withdraw a decision of that scope; nobody approves his own;
what is about everybody's things may be read by everybody who reads findings, because it says why theirs do not stop.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.decision import DecisionId, DecisionKind, Justification, Scope
from assaymark.server.api import cursor, rights
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import invalid, not_found
from assaymark.server.work import deciding as work
from assaymark.store import decision_debt, decisions, findings
from assaymark.store.decision_debt import Debt
from assaymark.store.decisions import By, DecisionRow, Draft, Filter, Part, Standing
from assaymark.store.findings import FindingRow

router = Router("decisions")
_READ, _DECIDE = Permission.FINDINGS_READ, Permission.FINDINGS_DECIDE
MOST_ENDS = 365


class NewDecision(Struct, frozen=True, forbid_unknown_fields=True):
    """A decision that is to be made."""

    kind: DecisionKind
    scope: Scope
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    until: dt.date
    """Last day on which it holds, at most a year from now."""
    owner: Annotated[str, Meta(max_length=200)] = ""
    """Who answers for it; you, without it."""
    justification: Justification | None = None


class Made(Struct, frozen=True):
    """What came of it."""

    id: int
    changed: int
    """Occurrences that it changed at once; of very many the rest follows in the background."""


class Changed(Struct, frozen=True):
    """What came of it."""

    changed: int


class Why(Struct, frozen=True, forbid_unknown_fields=True):
    """A reason."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


class Renewal(Struct, frozen=True, forbid_unknown_fields=True):
    """The same for longer."""

    until: dt.date
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


@router.add("GET", "/decisions", _READ)
def list_decisions(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    standing: Annotated[Standing | None, Meta(description="How it stands; in force without it.")] = Standing.IN_FORCE,
    kind: DecisionKind | None = None,
    ends_within: Annotated[int | None, Meta(description="In force and ending within so many days.")] = None,
    unapproved: Annotated[bool, Meta(description="Only those to which nobody else agreed so far.")] = False,
    team: Annotated[int | None, Meta(description="Only those whose scope is this team.")] = None,
    subject: Annotated[int | None, Meta(description="Only those whose scope is this subject.")] = None,
    repository: Annotated[int | None, Meta(description="Only those whose scope is this repository.")] = None,
    finding: Annotated[str, Meta(description="Only those about the finding of this fingerprint.")] = "",
    owner: str = "",
    as_of: str = "",
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[DecisionRow]:
    """Decisions, the newest first."""
    now = moment(call, as_of) or call.service.now()
    if ends_within is not None and not 0 <= ends_within <= MOST_ENDS:
        raise invalid(f"`ends_within` is a number of days from 0 to {MOST_ENDS}")
    asked = Filter(
        standing=standing, kind=kind, unapproved=unapproved, owner=owner, finding=finding,
        ends_before=None if ends_within is None else Instant(now + ends_within * decisions.DAY),
        team=None if team is None else TeamId(team), subject=None if subject is None else SubjectId(subject),
        repository=None if repository is None else RepositoryId(repository),
    )  # fmt: skip
    part = Part(cursor.decode(after, (int,))[0] if after else None, rights.limited(limit))
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as link:
        rows, last = decisions.page(link, teams, asked, now, part)
        total = decisions.count(link, teams, asked, now) if count else None
    return Page(tuple(rows), next=None if last is None else cursor.encode((last,)), at_least=total)


@router.add("GET", "/decisions/debt", _READ)
def get_debt(call: Call, as_of: str = "") -> Debt:
    """What stands open and is let through by decisions: risk that is carried, and what was explained; each counted up to 1000."""
    with call.service.database.read() as link:
        return decision_debt.debt(link, call.who.teams_with(_READ), moment(call, as_of))


@router.add("GET", "/decisions/{decision}", _READ)
def get_decision(call: Call, decision: int, as_of: str = "") -> DecisionRow:
    """One decision and what became of it."""
    now = moment(call, as_of) or call.service.now()
    with call.service.database.read() as link:
        return visible(call, link, decision, now)


@router.add("GET", "/decisions/{decision}/covered", _READ)
def list_covered(call: Call, decision: int, as_of: str = "", after: str | None = None, limit: int = 50) -> Page[FindingRow]:
    """What it lets through: findings where they stand, in the order in which it came to cover them."""
    at, limit = moment(call, as_of), rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        visible(call, link, decision, at or call.service.now())
        query = decision_debt.covered(call.who.teams_with(_READ), decision, at, start).limit(limit + 1)
        ids: list[int] = list(link.execute(query).scalars())
        rows = findings.rows_of(link, ids[:limit], at)
    return Page(tuple(rows), next=cursor.encode((ids[limit - 1],)) if len(ids) > limit else None)


@router.add("POST", "/decisions", _DECIDE, status=201)
def make_decision(call: Call, body: NewDecision) -> Made:
    """Decide. What it covers is let through at once, and what comes later as well, until its last day or until it is withdrawn."""
    with call.service.database.write() as link:
        doing = work.Deciding(call.service, link)
        made = doing.make(draft_of(call, link, body), rights.by(call))
        assert made is not None  # noqa: S101 - it has no origin that could be there already
        changed = doing.finish()
    return Made(made, changed)


@router.add("POST", "/decisions/{decision}/approve", _DECIDE)
def approve_decision(call: Call, decision: int) -> Changed:
    """Agree to what somebody else decided: where a policy asks for an approver, it holds from now on."""
    with call.service.database.write() as link:
        doing = work.Deciding(call.service, link)
        call.need(_DECIDE, visible(call, link, decision, doing.at).team)
        doing.approve(DecisionId(decision), rights.by(call))
        return Changed(doing.finish())


@router.add("POST", "/decisions/{decision}/withdraw", _DECIDE)
def withdraw_decision(call: Call, decision: int, body: Why) -> Changed:
    """Take it back: what it covered stands open again."""
    with call.service.database.write() as link:
        doing = work.Deciding(call.service, link)
        call.need(_DECIDE, visible(call, link, decision, doing.at).team)
        doing.withdraw(DecisionId(decision), rights.by(call), body.reason)
        return Changed(doing.finish())


@router.add("POST", "/decisions/{decision}/renew", _DECIDE, status=201)
def renew_decision(call: Call, decision: int, body: Renewal) -> Made:
    """Decide the same again for longer: another decision, which names this one. It needs an approver of its own where one is asked for."""
    with call.service.database.write() as link:
        doing = work.Deciding(call.service, link)
        row = visible(call, link, decision, doing.at)
        call.need(_DECIDE, row.team)
        draft = Draft(
            kind=row.kind, scope=row.scope, reason=body.reason, owner=row.owner, until=body.until, by=who(call),
            team=work.team_of(link, row.scope), justification=row.justification, renews=row.id,
        )  # fmt: skip
        made = doing.make(draft, rights.by(call))
        assert made is not None  # noqa: S101 - as above
        return Made(made, doing.finish())


def who(call: Call) -> By:
    """The caller."""
    return By(call.who.login, call.who.person)


def visible(call: Call, link: sa.Connection, number: int, now: Instant) -> DecisionRow:
    """The decision.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = decisions.one(link, number, now)
    if row is None or not decisions.may_see(call.who.teams_with(_READ), row):
        raise not_found(f"decision {number}")
    return row


def draft_of(call: Call, link: sa.Connection, body: NewDecision) -> Draft:
    """What is to be made, when the caller may.

    Raises:
        ApiError: 403 and 404.
        UsageError: for a scope that makes no sense.
    """
    team = team_for(call, link, body.scope)
    return Draft(
        kind=body.kind, scope=body.scope, reason=body.reason, owner=body.owner.strip() or call.who.login, until=body.until, by=who(call),
        team=team, justification=body.justification,
    )  # fmt: skip


def team_for(call: Call, link: sa.Connection, scope: Scope, permission: Permission = _DECIDE) -> TeamId | None:
    """Whose the scope is; 404 for what the caller may not even see, 403 where he may not decide."""
    team = work.team_of(link, scope)
    is_named = (scope.subject, scope.repository, scope.team) != (None, None, None)
    if is_named and not call.who.may(_READ, team):
        raise not_found("what the scope names")
    call.need(permission, team)
    return team
