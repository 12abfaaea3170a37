"""One's own mail: what waits for him and what changed, once a day or week."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.errors import UsageError
from assaymark.feedback.channels.mail import checked_address
from assaymark.model.access import PersonId
from assaymark.server.api import rights
from assaymark.server.api.channels import Filter
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.problem import ApiError, conflict, not_found
from assaymark.server.work.digests import job_for
from assaymark.store import digests, happenings, people, trail
from assaymark.store.digests import DigestRow, Every
from assaymark.store.subscriptions import Wants
from assaymark.store.trail import Action

router = Router("digests")
_MONDAY, _MORNING = 0, 7


class DigestView(Struct, frozen=True):
    """When a mail comes, and what of what changed is in it."""

    every: Every
    weekday: int
    hour: int
    wants: Filter
    address: str
    """Of the account."""
    next_at: int
    sent_at: int | None
    problem: str
    """Why the last one was not taken; empty when it was."""


class NewDigest(Struct, frozen=True, forbid_unknown_fields=True):
    every: Every
    weekday: Annotated[int, Meta(ge=0, le=6)] = _MONDAY
    """0 is Monday; of weekly ones."""
    hour: Annotated[int, Meta(ge=0, le=23)] = _MORNING
    """In UTC."""
    wants: Filter = Filter()
    """Narrows what changed; what waits for you is always told."""


@router.add("GET", "/digest", None)
def get_digest(call: Call) -> DigestView:
    """Your mail."""
    rights.need_session(call)
    with call.service.database.read() as link:
        return _view(link, call.who.person)


@router.add("PUT", "/digest", None)
def put_digest(call: Call, body: NewDigest) -> DigestView:
    """Get a mail from now on, to the address of your account, or change when it comes."""
    rights.need_session(call)
    if not call.service.settings.mail:
        raise conflict("this server sends no mails", "an administrator sets ASSAYMARK_MAIL")
    now = call.service.now()
    wants = Wants(body.wants.kinds, body.wants.severity, body.wants.subject)
    with call.service.database.write() as link:
        _address(link, call.who.person)
        following = digests.next_time(body.every, body.weekday, body.hour, now)
        row = DigestRow(
            call.who.person, body.every, body.weekday, body.hour, wants, happenings.newest(link), following, None, 0, ""
        )  # fmt: skip
        digests.put(link, row, now)
        _note(call, link, "digest.changed", {"every": body.every})
        return _view(link, call.who.person)


@router.add("DELETE", "/digest", None, status=204)
def end_digest(call: Call) -> Nothing:
    """Get no mail any more."""
    rights.need_session(call)
    with call.service.database.write() as link:
        if not digests.end(link, call.who.person):
            raise not_found("a mail of yours")
        _note(call, link, "digest.ended", {})
    return Nothing()


@router.add("POST", "/digest/send", None, status=202)
def send_digest(call: Call) -> Nothing:
    """Send it now, to see how it looks; the next one comes at its time all the same."""
    rights.need_session(call)
    with call.service.database.write() as link:
        _view(link, call.who.person)
        call.service.queue.put(link, job_for(call.who.person, at_once=True))
    return Nothing()


def _view(link: sa.Connection, person: PersonId) -> DigestView:
    row, who = digests.get(link, person), people.get(link, person)
    if row is None or who is None:
        raise not_found("a mail of yours")
    wants = Filter(row.wants.kinds, row.wants.severity, row.wants.subject)
    return DigestView(row.every, row.weekday, row.hour, wants, who.email, row.next_at, row.sent_at, row.problem)


def _address(link: sa.Connection, person: PersonId) -> None:
    who = people.get(link, person)
    try:
        checked_address(who.email if who is not None else "")
    except UsageError as error:
        raise ApiError(409, "no-address", "your account has no address for mails", advice="enter one in your account") from error


def _note(call: Call, link: sa.Connection, action: str, details: dict[str, str]) -> None:
    by = rights.by(call)
    made = Action(call.service.now(), by.actor, action, "success", by.person, "person", str(by.person), None, by.origin, details)
    trail.record(link, made)
