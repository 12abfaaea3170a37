"""Asking for an endorsement, and answering: two people or more, where the terms ask for them.

Guarantees: whoever asked for it, or wrote what is new in it (by login, address or name, as forge and git call him), does not count; each
person answers once; enough who approve let it be endorsed, one who declines ends it. Part of the caller's transaction, with trail and news.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Priority
from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.people.accounts import By
from assaymark.server.problem import conflict, not_found
from assaymark.server.service import Service
from assaymark.server.work import endorsing, endorsing_jobs
from assaymark.server.work.endorsing_jobs import By as AskedBy
from assaymark.server.work.publish import publish
from assaymark.store import approvals, endorsements, trail
from assaymark.store.approvals import ApprovalRequest, State
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.tables import assessment
from assaymark.store.trail import Action


class Answer(Struct, frozen=True):
    """What somebody says to a request."""

    approves: bool
    reason: str


def ask(service: Service, link: sa.Connection, number: AssessmentId, by: By) -> EndorsementRow | ApprovalRequest | None:
    """What there is already: the endorsement, or the request that waits; None when it is being endorsed now.

    Raises:
        ApiError: 409 when it cannot be endorsed, with the reason.
    """
    now = service.now()
    there = endorsements.of_assessment(link, number, now)
    if there is not None:
        return there
    why = endorsing.problem(link, number, now)
    if why:
        raise conflict(f"assessment {number} is not endorsed: {why}", "only a pass that nothing contradicts is endorsed")
    request = approvals.last_of(link, number)
    if request is not None and request.state is State.WAITING:
        return request
    asked = AskedBy(by.actor, by.person)
    endorsing_jobs.put(service, link, number, asked, priority=Priority.CALL)
    team = link.execute(sa.select(assessment.c.team).where(assessment.c.id == number)).scalar()
    _note(service, link, by, ("endorsement.asked", number, team, {}))
    return None


def answer(service: Service, link: sa.Connection, number: int, said: Answer, by: By) -> ApprovalRequest:
    """Approve or decline.

    Raises:
        ApiError: 404 when there is no such request, 409 when it ended, or he does not count.
    """
    row = approvals.lock(link, number)
    if row is None:
        raise not_found(f"request {number}")
    if row.state is not State.WAITING:
        raise conflict(f"request {number} is {row.state.value}", "ask again, where something changed")
    person = _person(by)
    if not approvals.may_vote(row, person, approvals.names_of(link, person)):
        raise conflict("you asked for it, or wrote what is new in it", "let somebody else approve")
    if not approvals.vote(link, number, (person, by.actor), (said.approves, said.reason), service.now()):
        raise conflict("you have answered already", "nobody counts twice")
    action = "approval.given" if said.approves else "approval.declined"
    _note(service, link, by, (action, row.assessment, row.team, {"request": str(number), "reason": said.reason[:500]}))
    return _counted(service, link, number, by)


def _counted(service: Service, link: sa.Connection, number: int, by: By) -> ApprovalRequest:
    """It, as it stands now; ended, when enough approved or one declined."""
    row = approvals.one(link, number)
    assert row is not None  # noqa: S101 - it is locked
    declined = next((each for each in row.votes if not each.approves), None)
    if declined is None and len(row.approved_by) < row.people:
        return row
    state = State.APPROVED if declined is None else State.DECLINED
    reason = "" if declined is None else declined.reason
    approvals.end(link, number, state, reason, service.now())
    if state is State.APPROVED:
        endorsing_jobs.put(service, link, row.assessment, AskedBy(row.asked_by, row.person), priority=Priority.CALL)
    word = f"was approved by {', '.join(row.approved_by)}" if state is State.APPROVED else f"was declined by {by.actor}"
    facts = {"request": str(number), "assessment": str(row.assessment), "head": row.head, "people": str(row.people), "state": state.value}
    happening = Happening(
        HappeningKind.APPROVAL_ANSWERED,
        service.now(),
        row.team,
        f"{row.resource} {word}",
        f"/endorsement-requests/{number}",
        actor=by.actor,
        data=facts,
    )
    publish(service, link, happening)
    ended = approvals.one(link, number)
    assert ended is not None  # noqa: S101 - as above
    return ended


def _person(by: By) -> PersonId:
    assert by.person is not None  # noqa: S101 - only people come here
    return by.person


def _note(service: Service, link: sa.Connection, by: By, what: tuple[str, AssessmentId, TeamId | None, dict[str, str]]) -> None:
    action, number, team, details = what
    told = Action(service.now(), by.actor, action, "success", by.person, "assessment", str(number), team, by.origin, details)
    trail.record(link, told)
