"""Waivers for components that are not approved: asked for by whoever needs one, granted or refused once for all who asked.

Guarantees: a waiver is a decision whose scope names one rule, one package, and a subject, a repository or a team; asking decides nothing;
nobody answers his own request; one answer answers everybody who asked for the same. It ends, is renewed and withdrawn as decisions are.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, parse
from assaymark.checks.application.dependencies.bom.purl import package_of as package_of_purl
from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.endorsement.components import ComponentState, rule_of
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import RepositoryId, SubjectId
from assaymark.model.decision import DecisionKind, Scope, check_days, check_scope, check_words
from assaymark.model.happening import HappeningKind
from assaymark.server.api import approved as catalogue
from assaymark.server.api import decisions as api
from assaymark.server.api import rights, wishes
from assaymark.server.api.route import Call, Created, Router
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.work.deciding import Deciding
from assaymark.server.work.decision_news import of_request
from assaymark.store import decisions
from assaymark.store import wishes as requests
from assaymark.store.decisions import By, Draft
from assaymark.store.tables import decision_answer, decision_request
from assaymark.store.trail import Action
from assaymark.store.wishes import Answer, RequestRow, State, Wish

router = Router("approved components")
_ASK, _DECIDE = Permission.FINDINGS_ASK, Permission.FINDINGS_DECIDE


class WaiverAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """For what, where, why, until when."""

    purl: Annotated[str, Meta(min_length=5, max_length=2000)]
    """With a version: for that one alone."""
    rule: ComponentState
    """The rule in the way that is to be waived, e.g. `not-endorsed`; each needs a request of its own."""
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    until: dt.date
    subject: int | None = None
    repository: int | None = None
    team: int | None = None
    """Name one of the three; whoever decides for everybody leaves all of them out."""


class WaiverAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to everybody who asked for the same."""

    grant: bool
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    until: dt.date | None = None
    """Instead of what was asked for."""


class WaiverAnswered(Struct, frozen=True):
    """What came of it."""

    decision: int | None
    """Null when it was refused."""
    requests: tuple[int, ...]
    """All that were answered by it."""


@router.add("POST", "/approved/waivers", _ASK, status=201)
def ask_for_waiver(call: Call, body: WaiverAsked) -> Created:
    """Ask for a waiver for a component that is not approved; others may ask for the same, and one answer goes to all."""
    scope = scope_of(body)
    with call.service.database.write() as link:
        doing = Deciding(call.service, link)
        check_scope(scope)
        check_words(DecisionKind.WAIVE, body.reason, None)
        check_days(body.until, decisions.day_of(doing.at))
        team = api.team_for(call, link, scope, _ASK)
        if any(each.person == call.who.person for each in _waiting(link, scope, doing.at)):
            raise conflict("you asked for the same and nobody answered yet", "wait for the answer")
        made = requests.add(link, Wish(DecisionKind.WAIVE, scope, body.reason, body.until, api.who(call), team), doing.at)
        row = wishes.visible(call, link, made, doing.at)
        doing.tell(of_request(HappeningKind.REQUEST_ASKED, row, doing.at, call.who.login))
        doing.note(_entry(call, "request.asked", made, team, doing.at))
        doing.finish()
    return Created(made)


def scope_of(body: WaiverAsked) -> Scope:
    """The scope of the decision that is asked for.

    Raises:
        ApiError: 400 for what is no package or no rule that can be waived.
    """
    rule = catalogue.waiver_rule(body.rule)
    if rule_of(rule) is None:
        raise invalid(f"{body.rule} is no rule that can be in the way", "name one that the component's `why` names")
    try:
        package = package_of_purl(parse(body.purl))
    except PurlInvalid as error:
        raise invalid(f"{body.purl[:200]!r} is no package URL: {error}", "write it as pkg:npm/left-pad@1.3.0") from error
    if package is None:
        raise invalid(f"{body.purl[:200]!r} names a package of no ecosystem that is looked after here")
    return Scope(
        rule=rule, package=component_name(package), version=package.version,
        subject=None if body.subject is None else SubjectId(body.subject),
        repository=None if body.repository is None else RepositoryId(body.repository),
        team=None if body.team is None else TeamId(body.team),
    )  # fmt: skip


@router.add("POST", "/approved/waivers/{request}/answer", _DECIDE)
def answer_waiver(call: Call, request: int, body: WaiverAnswer) -> WaiverAnswered:
    """Grant or refuse it, once for everybody who asked for the same: the first who asked owns it, and you are who agreed."""
    with call.service.database.write() as link:
        doing = Deciding(call.service, link)
        row = wishes.visible(call, link, request, doing.at)
        if rule_of(row.scope.rule) is None:
            raise not_found(f"request {request} for a component")
        call.need(_DECIDE, row.team)
        if row.state is not State.WAITING:
            raise conflict(f"request {request} was {row.state} by {row.answered_by}", "decide anew if it has to be otherwise")
        waiting = _waiting(link, row.scope, doing.at)
        if any(each.person == call.who.person or each.asked_by == call.who.login for each in waiting):
            raise ApiError(403, "own-request", "nobody answers his own request", advice="ask somebody else who may decide here")
        by = rights.by(call)
        made = doing.make(_draft(waiting[0], body), by, approved_by=by) if body.grant else None
        for each in waiting:
            requests.answer(link, each.id, Answer(api.who(call), doing.at, body.reason, made))
            told = wishes.visible(call, link, each.id, doing.at)
            doing.tell(of_request(HappeningKind.REQUEST_ANSWERED, told, doing.at, call.who.login))
            doing.note(_entry(call, f"request.{told.state}", each.id, row.team, doing.at))
        doing.finish()
    return WaiverAnswered(made, tuple(each.id for each in waiting))


def _draft(first: RequestRow, body: WaiverAnswer) -> Draft:
    return Draft(
        kind=DecisionKind.WAIVE, scope=first.scope, reason=f"{first.reason}\n{body.reason}"[:2000], owner=first.asked_by,
        until=body.until or first.until, by=By(first.asked_by, first.person), team=first.team, source="request",
    )  # fmt: skip


def _waiting(link: sa.Connection, scope: Scope, now: int) -> list[RequestRow]:
    """Requests for the very same that nobody answered, the first first."""
    answered = sa.exists().where(decision_answer.c.request == decision_request.c.id)
    query = sa.select(decision_request.c.id).where(decision_request.c.scope == decisions.encoded(scope), ~answered)
    found = (requests.one(link, number, now) for number in link.execute(query.order_by(decision_request.c.id)).scalars().all())  # type: ignore[arg-type]
    return [each for each in found if each is not None]


def _entry(call: Call, action: str, number: int, team: TeamId | None, at: int) -> Action:
    by = rights.by(call)
    return Action(at, by.actor, action, "success", by.person, "request", str(number), team, by.origin)  # type: ignore[arg-type]
