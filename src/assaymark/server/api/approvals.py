"""Requests that people approve before something is endorsed, and their answers.

Guarantees: who may approve in a team answers for its things, once; whoever asked, or wrote what is new, does not count; teams narrow every
answer.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.server.work import approving
from assaymark.server.work.approving import Answer
from assaymark.store import approvals
from assaymark.store.approvals import ApprovalRequest, State

router = Router("endorsements")
_READ, _APPROVE = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_APPROVE


class Remark(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said with it."""

    reason: Annotated[str, Meta(max_length=1000)] = ""


class Decline(Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


@router.add("GET", "/endorsement-requests", _READ)
def list_endorsement_requests(call: Call, state: State | None = None, after: str | None = None, limit: int = 50) -> Page[ApprovalRequest]:
    """Requests, the newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = approvals.page(link, call.who.teams_with(_READ), state, before, limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/endorsement-requests/{request}", _READ)
def get_endorsement_request(call: Call, request: int) -> ApprovalRequest:
    """One request with its answers."""
    with call.service.database.read() as link:
        return visible(call, link, request)


@router.add("POST", "/endorsement-requests/{request}/approve", _APPROVE)
def approve_endorsement(call: Call, request: int, body: Remark) -> ApprovalRequest:
    """Approve. When enough did, it is endorsed."""
    return _answered(call, request, Answer(approves=True, reason=body.reason))


@router.add("POST", "/endorsement-requests/{request}/decline", _APPROVE)
def decline_endorsement(call: Call, request: int, body: Decline) -> ApprovalRequest:
    """Decline: it is not endorsed, and may be asked for again."""
    return _answered(call, request, Answer(approves=False, reason=body.reason))


def visible(call: Call, link: sa.Connection, number: int) -> ApprovalRequest:
    """The request.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = approvals.one(link, number)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"request {number}")
    return row


def _answered(call: Call, number: int, said: Answer) -> ApprovalRequest:
    with call.service.database.write() as link:
        call.need(_APPROVE, visible(call, link, number).team)
        return approving.answer(call.service, link, number, said, rights.by(call))
