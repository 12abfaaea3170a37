"""Simulations: what policies would have done with the newest verdicts, before they take effect. And approvals that rules ask for."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.jobs.job import Priority
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import SubjectId
from assaymark.model.trigger import Trigger
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.policies import found_version, parsed, read
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work import simulate
from assaymark.server.work.again import Asked, judge_again
from assaymark.store import assessments, policies, simulations, trail
from assaymark.store.assessments import AssessmentPage
from assaymark.store.policies import ApprovalRow
from assaymark.store.simulations import OutcomeRow, SimulationRow, SimulationState, Wish

router = Router("policies")
_READ, _WRITE = Permission.POLICIES_READ, Permission.POLICIES_WRITE
Head = Annotated[int, Meta(description="Number of an assessment: what is approved of is its head.")]


class Version(Struct, frozen=True, forbid_unknown_fields=True):
    """A version that was proposed."""

    name: str
    version: str


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be asked; everything else that is in force is asked as well."""

    versions: tuple[Version, ...] = ()
    """Versions that are kept here."""
    documents: tuple[str, ...] = ()
    """YAML of policies that nobody proposed yet."""
    most: int = 500
    """So many of the newest verdicts, at most 2000."""


class Approval(Struct, frozen=True, forbid_unknown_fields=True):
    rule: str
    """`<policy>/<rule>`, as the verdict's reason names it."""
    reason: str


@router.add("POST", "/policy-simulations", _WRITE, status=202, most_bytes=1 << 20)
def simulate_policies(call: Call, body: Wanted) -> SimulationRow:
    """Judge the newest verdicts again as if these policies were in force; a worker does it, the result is kept."""
    call.need(_WRITE, None)
    if not 1 <= body.most <= simulate.MOST:
        raise invalid(f"most is {body.most}", f"give a number from 1 to {simulate.MOST}")
    if len(body.versions) + len(body.documents) > 20:
        raise invalid("more than 20 policies at once", "simulate them one after the other")
    with call.service.database.write() as link:
        rows = [found_version(link, each.name, each.version) for each in body.versions]
        texts = {row.name: row.document for row in rows}
        asked = [policy for policy in (parsed(row) for row in rows) if policy is not None]
        for document in body.documents:
            policy = read(document)
            texts[policy.metadata.name] = document
            asked.append(policy)
        if len(texts) < len(asked):
            raise invalid("two of them have one name", "give one version of each policy")
        by = rights.by(call)
        wish = Wish(by.actor, by.person, simulate.named(link, asked, call.service), msgspec.json.encode(texts).decode(), body.most)
        number = simulate.order(call.service, link, wish)
        details = {"policies": ", ".join(f"{each.name} {each.version}" for each in wish.policies if each.proposed)[:1000]}
        _note(call, link, _Done("policy.simulated", "policy-simulation", str(number), details=details))
        return _found(link, number)


@router.add("GET", "/policy-simulations", _READ)
def list_policy_simulations(call: Call, after: str | None = None, limit: int = 50) -> Page[SimulationRow]:
    """Simulations, the newest first."""
    call.need(_READ, None)
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = simulations.page(link, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/policy-simulations/{simulation}", _READ)
def get_policy_simulation(call: Call, simulation: int) -> SimulationRow:
    """How far it is, and what came of it."""
    call.need(_READ, None)
    with call.service.database.read() as link:
        return _found(link, simulation)


@router.add("GET", "/policy-simulations/{simulation}/outcomes", _READ)
def list_policy_outcomes(call: Call, simulation: int, after: str | None = None, limit: int = 50) -> Page[OutcomeRow]:
    """Verdicts that would be others, or of which that cannot be told; of teams whose assessments you may see."""
    call.need(_READ, None)
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    teams = call.who.teams_with(Permission.ASSESSMENTS_READ)
    with call.service.database.read() as link:
        _found(link, simulation)
        rows = simulations.differing(link, simulation, teams, after=start, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/policy-simulations/{simulation}/cancel", _WRITE, status=204)
def cancel_policy_simulation(call: Call, simulation: int) -> Nothing:
    """Stop it; what was found so far is kept."""
    call.need(_WRITE, None)
    with call.service.database.write() as link:
        row = _found(link, simulation)
        ending = simulations.Ending(SimulationState.CANCELLED, row.counts, f"{call.who.login} cancelled it")
        if not simulations.end(link, row.id, ending, call.service.now()):
            raise conflict(f"simulation {simulation} has ended")
        call.service.queue.cancel(link, f"simulate:{row.id}")
        _note(call, link, _Done("policy.simulation-cancelled", "policy-simulation", str(row.id)))
    return Nothing()


# --- approvals -------------------------------------------------------------------------------------------------------


@router.add("GET", "/assessments/{assessment}/approvals", Permission.ASSESSMENTS_READ)
def list_approvals(call: Call, assessment: Head) -> Page[ApprovalRow]:
    """Who approved of this head, as rules of the organisation require."""
    with call.service.database.read() as link:
        page = _seen(call, link, assessment)
        return Page(tuple(policies.approvals(link, page.row.subject, page.row.head)))


@router.add("POST", "/assessments/{assessment}/approvals", Permission.FINDINGS_DECIDE, status=201)
def approve_head(call: Call, assessment: Head, body: Approval) -> Page[ApprovalRow]:
    """Approve of a head that a rule with `require-approval` stops; it is judged again at once."""
    by = rights.by(call)
    if not body.reason.strip() or len(body.reason) > 1000 or not body.rule or len(body.rule) > 200:
        raise invalid("an approval names a rule and has a reason", "write the rule as the verdict names it, and say why")
    with call.service.database.write() as link:
        page = _seen(call, link, assessment)
        row = page.row
        call.need(Permission.FINDINGS_DECIDE, row.team)
        if not row.head or not row.finished_at:
            raise conflict("there is no verdict yet", "wait for it")
        trigger = msgspec.json.decode(page.trigger_details, type=Trigger)
        if by.actor in (row.actor, trigger.actor):
            raise conflict("nobody approves of his own change", "ask somebody else")
        made = policies.approve(
            link, SubjectId(row.subject), row.head, body.rule, person=by.person, actor=by.actor, reason=body.reason.strip(),
            at=call.service.now(),
        )  # fmt: skip
        if not made:
            raise conflict(f"{body.rule} was approved of for this head already")
        details = {"rule": body.rule, "reason": body.reason.strip()[:500]}
        _note(call, link, _Done("policy.approved-head", "assessment", str(row.id), row.team, details))
        judge_again(call.service, link, page, Asked(f"approval of assessment {page.row.id}", Priority.CALL))
        return Page(tuple(policies.approvals(link, SubjectId(row.subject), row.head)))


def _found(link: sa.Connection, number: int) -> SimulationRow:
    row = simulations.get(link, number) if 0 < number < 1 << 63 else None
    if row is None:
        raise not_found("this simulation")
    return row


def _seen(call: Call, link: sa.Connection, number: int) -> AssessmentPage:
    page = assessments.one(link, number) if 0 < number < 1 << 63 else None
    if page is None or not call.who.may(Permission.ASSESSMENTS_READ, page.row.team):
        raise not_found("this assessment")
    return page


class _Done(Struct, frozen=True):
    """What was done to what, for the trail."""

    action: str
    kind: str
    object: str
    team: TeamId | None = None
    details: dict[str, str] = {}


def _note(call: Call, link: sa.Connection, done: _Done) -> None:
    by = rights.by(call)
    action = trail.Action(
        call.service.now(), by.actor, done.action, "success", by.person, done.kind, done.object, done.team, by.origin, done.details
    )
    trail.record(link, action)
