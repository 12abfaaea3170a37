"""Requests for a decision, by whoever sees a finding, and their answer by whoever may decide.

Guarantees: who asked sees what became of it, whatever his role is then; nobody answers his own request; a request that is granted is
decided with its answer in one transaction, asked by one person and agreed to by another.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.decision import LONGEST_REASON, DecisionKind, Justification, Scope, check_days, check_scope, check_words
from assaymark.model.happening import HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.api import cursor, rights
from assaymark.server.api import decisions as api
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Created, Page, Router
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.work.deciding import Deciding
from assaymark.server.work.decision_news import of_request
from assaymark.store import decisions, findings, wishes
from assaymark.store.decisions import By, Draft, Part
from assaymark.store.trail import Action
from assaymark.store.wishes import Answer, Filter, RequestRow, State, Wish

router = Router("requests")
_READ, _ASK, _DECIDE = Permission.FINDINGS_READ, Permission.FINDINGS_ASK, Permission.FINDINGS_DECIDE


class NewRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for, about one finding."""

    kind: DecisionKind
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    until: dt.date
    subject: int | None = None
    """Only in this subject,"""
    repository: int | None = None
    """or in everything of this repository. Name one of them."""
    path: Annotated[str, Meta(max_length=300)] = ""
    severity: Severity | None = None
    """At most this severe."""
    justification: Justification | None = None


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer: what is given goes before what was asked for."""

    grant: bool
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    kind: DecisionKind | None = None
    until: dt.date | None = None
    scope: Scope | None = None
    justification: Justification | None = None


@router.add("POST", "/findings/{finding}/requests", _ASK, status=201)
def ask_for_decision(call: Call, finding: int, body: NewRequest) -> Created:
    """Ask whoever may decide to let a finding be; they answer, and you see it."""
    service = call.service
    with service.database.write() as link:
        decisions.lock(link)
        found = findings.by_id(link, finding)
        if found is None or not findings.may_see(link, call.who.teams_with(_READ), finding):
            raise not_found(f"finding {finding}")
        scope = Scope(
            finding=found.fingerprint, path=body.path, severity=body.severity,
            subject=None if body.subject is None else SubjectId(body.subject),
            repository=None if body.repository is None else RepositoryId(body.repository),
        )  # fmt: skip
        now = service.now()
        check_scope(scope)
        check_words(body.kind, body.reason, body.justification)
        check_days(body.until, decisions.day_of(now))
        team = api.team_for(call, link, scope, _ASK)
        wish = Wish(body.kind, scope, body.reason, body.until, api.who(call), team, finding, body.justification)
        made = wishes.add(link, wish, now)
        doing = Deciding(service, link)
        doing.tell(of_request(HappeningKind.REQUEST_ASKED, _there(link, made, now), now, call.who.login))
        doing.note(_entry(call, "request.asked", made, wish.team, now))
        doing.finish()
    return Created(made)


@router.add("GET", "/requests", _READ)
def list_requests(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    state: State | None = None,
    mine: Annotated[bool, Meta(description="Only your own.")] = False,
    finding: Annotated[int | None, Meta(description="Only those about this finding.")] = None,
    as_of: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[RequestRow]:
    """Requests, the newest first: your own, and those of teams whose findings you read."""
    now = moment(call, as_of) or call.service.now()
    asked = Filter(state, call.who.person if mine else None, finding)
    part = Part(cursor.decode(after, (int,))[0] if after else None, rights.limited(limit))
    with call.service.database.read() as link:
        rows, last = wishes.page(link, None if mine else call.who.teams_with(_READ), asked, now, part)
    return Page(tuple(rows), next=None if last is None else cursor.encode((last,)))


@router.add("GET", "/requests/{request}", _READ)
def get_request(call: Call, request: int, as_of: str = "") -> RequestRow:
    """One request and its answer."""
    with call.service.database.read() as link:
        return visible(call, link, request, moment(call, as_of) or call.service.now())


@router.add("POST", "/requests/{request}/answer", _DECIDE)
def answer_request(call: Call, request: int, body: Reply) -> RequestRow:
    """Grant it, with other terms if you like, or refuse it; either with a reason. What is granted is decided at once."""
    with call.service.database.write() as link:
        doing = Deciding(call.service, link)
        row = visible(call, link, request, doing.at)
        if not 0 < len(body.reason.strip()) <= LONGEST_REASON:
            raise invalid(f"the answer needs a reason of at most {LONGEST_REASON} characters")
        call.need(_DECIDE, row.team)
        if row.person == call.who.person or row.asked_by == call.who.login:
            raise ApiError(403, "own-request", "nobody answers his own request", advice="ask somebody else who may decide here")
        if row.state is not State.WAITING:
            raise conflict(f"request {request} was {row.state} by {row.answered_by}", "decide anew if it has to be otherwise")
        made = doing.make(_granted(call, link, row, body), rights.by(call), approved_by=rights.by(call)) if body.grant else None
        if not wishes.answer(link, request, Answer(api.who(call), doing.at, body.reason, made)):
            raise conflict(f"request {request} was answered in the same moment", "read it again")
        answered = _there(link, request, doing.at)
        doing.tell(of_request(HappeningKind.REQUEST_ANSWERED, answered, doing.at, call.who.login))
        doing.note(_entry(call, f"request.{answered.state}", request, row.team, doing.at))
        doing.finish()
    return answered


def _granted(call: Call, link: sa.Connection, row: RequestRow, body: Reply) -> Draft:
    scope = row.scope if body.scope is None else body.scope
    kind = body.kind or row.kind
    return Draft(
        kind=kind, scope=scope, reason=f"{row.reason}\n{body.reason}"[:2000], owner=row.asked_by, until=body.until or row.until,
        by=By(row.asked_by, row.person), team=api.team_for(call, link, scope), source="request",
        justification=body.justification or (row.justification if kind is row.kind else None),
    )  # fmt: skip


def visible(call: Call, link: sa.Connection, number: int, now: Instant) -> RequestRow:
    """The request.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = wishes.one(link, number, now)
    if row is None or not (row.person == call.who.person or call.who.may(_READ, row.team)):
        raise not_found(f"request {number}")
    return row


def _there(link: sa.Connection, number: int, now: Instant) -> RequestRow:
    row = wishes.one(link, number, now)
    assert row is not None  # noqa: S101 - written in this transaction
    return row


def _entry(call: Call, action: str, number: int, team: object, at: Instant) -> Action:
    by = rights.by(call)
    made = Action(at, by.actor, action, "success", person=by.person, object_kind="request", object=str(number), origin=by.origin)
    return msgspec.structs.replace(made, team=team)
