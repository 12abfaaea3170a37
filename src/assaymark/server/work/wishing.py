"""Handler: what somebody asked for by a button of a check run: an explanation, a waiver, another judgement.

Guarantees: a wish counts only for an assessment of the connection that its delivery came by, at the commit that it names; asking for a
waiver decides nothing: it is a request like any other, and whoever may decide answers it. The same button pressed twice asks once as long
as nobody answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from assaymark.feedback.forges import check_runs
from assaymark.feedback.forges.check_runs import About, run_of
from assaymark.feedback.forges.send import tell_run
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SECOND, AssessmentId, Instant
from assaymark.model.decision import DecisionKind, Scope
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.verdict import Judged, Verdict
from assaymark.server.outgoing import client as outgoing_client
from assaymark.server.service import Service
from assaymark.server.work.deliver import Told, page_of, place_of, told_of, verdict_of
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.intake import Source, accept
from assaymark.server.work.publish import publish
from assaymark.store import decisions, wishes
from assaymark.store.decisions import By
from assaymark.store.tables import decision_answer, decision_request, finding, subject
from assaymark.triggers.webhooks.delivery import Wish
from assaymark.views.causes import is_gap

_MOST_ASKED = 50
_DAY = 86400 * SECOND
_DAYS = 30
"""For how long a waiver is asked for by a button; whoever grants it says otherwise if he likes."""


def put(service: Service, link: sa.Connection, connection: int, wish: Wish) -> None:
    """Let it be looked at, within the caller's transaction."""
    arguments: dict[str, int | str | bool | None] = {"connection": connection, **msgspec.structs.asdict(wish)}
    service.queue.put(link, Job("fulfil-wish", arguments, priority=Priority.CALL, seconds=120))


def fulfil(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Do it (arguments: ``connection`` and those of a `Wish`)."""
    connection = int(arguments["connection"])
    wish = msgspec.convert({name: arguments[name] for name in Wish.__struct_fields__}, Wish)
    if not wish.external.isascii() or not wish.external.isdecimal() or len(wish.external) > 18:
        return
    with service.database.read() as link:
        told = told_of(link, AssessmentId(int(wish.external)))
    if told is None or told.connection != connection or told.head != wish.head:
        return
    if wish.what == "explain":
        _explain(service, told, wish.remote)
    elif wish.what == "waiver":
        _ask(service, told, wish.actor)
    elif wish.what == "again":
        with service.database.write() as link:
            accept(
                service, link, told.trigger, source=Source(connection_id=connection, team=_team(link, told), cause=f"{wish.actor} asked")
            )


def _explain(service: Service, told: Told, remote: str) -> None:
    verdict = verdict_of(service, told)
    if verdict is None or told.app is None:
        return
    run = run_of(About(told.assessment, told.state, told.summary, page_of(service, told), told.context), verdict, explained=True)
    place = place_of(service, told)
    with outgoing_client(service.settings) as client:
        tell_run(client, place, check_runs.explain(place.target, remote, run))


def _ask(service: Service, told: Told, actor: str) -> None:
    verdict = verdict_of(service, told)
    if verdict is None:
        return
    now = service.now()
    with service.database.write() as link:
        asked = [judged for judged in _gating(verdict) if _request(link, told, judged, actor, now)]
        if not asked:
            return
        more = f" and {len(asked) - 1} more" if len(asked) > 1 else ""
        happening = Happening(
            HappeningKind.REQUEST_ASKED, now, _team(link, told), f"{actor} asks for a waiver: {asked[0].finding.message[:200]}{more}",
            f"/changes/{told.assessment}", subject=told.subject, repository=told.home,
            severity=max((each.finding.severity for each in asked), key=lambda severity: severity.rank), actor=actor,
            data={"assessment": str(told.assessment), "findings": str(len(asked))},
        )  # fmt: skip
        publish(service, link, happening)


def _gating(verdict: Verdict) -> list[Judged]:
    """What stops the line, each finding once."""
    found = {each.finding.fingerprint: each for each in verdict.findings if each.gates and not each.waiver and not is_gap(each.finding)}
    return list(found.values())[:_MOST_ASKED]


def _request(link: sa.Connection, told: Told, judged: Judged, actor: str, now: Instant) -> bool:
    """A request about one finding in this subject; False when one waits already."""
    number = link.execute(sa.select(finding.c.id).where(finding.c.fingerprint == judged.finding.fingerprint)).scalar()
    scope = Scope(finding=judged.finding.fingerprint, subject=told.subject)
    answered = sa.exists().where(decision_answer.c.request == decision_request.c.id)
    waits = sa.select(decision_request.c.id).where(
        decision_request.c.finding == number, decision_request.c.scope == decisions.encoded(scope), ~answered
    )
    if number is None or link.execute(waits.limit(1)).first() is not None:
        return False
    reason, until = f"asked for at the check run of {told.head[:12]}", decisions.day_of(now + _DAYS * _DAY)
    wishes.add(link, wishes.Wish(DecisionKind.WAIVE, scope, reason, until, By(actor), _team(link, told), number), now)
    return True


def _team(link: sa.Connection, told: Told) -> Any:
    return link.execute(sa.select(subject.c.team).where(subject.c.id == told.subject)).scalar()
