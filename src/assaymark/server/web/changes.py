"""What was asked and what came of it: the list of assessments, and the page of one verdict."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import TERMINAL, AssessmentId, AssessmentState
from assaymark.model.digest import Digest
from assaymark.model.trigger import Trigger
from assaymark.model.verdict import Verdict
from assaymark.server.problem import not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work import endorsing
from assaymark.store import approvals, assessments, endorsements, findings, progress, teams
from assaymark.store.approvals import ApprovalRequest
from assaymark.store.assessments import AssessmentPage, Filter
from assaymark.store.comments import About
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.tables import finding
from assaymark.views import html
from assaymark.views.options import Options

_MOST_STOPPING = 10


class Stopping(Struct, frozen=True):
    """A finding that stops a change."""

    id: int
    title: str


def show_changes(visit: Visit) -> Response:
    """The newest first."""
    allowed = visit.who.teams_with(Permission.ASSESSMENTS_READ)
    state = asking.choice(visit, "state", AssessmentState)
    key = asking.after(visit, (int,))
    asked = Filter(state=state or "", at=asking.as_of(visit))
    with visit.service.database.read() as connection:
        rows, last = assessments.page(connection, allowed, asked, after=key[0] if key else None)
    return visit.page(
        "changes.html",
        rows=rows,
        onward=asking.onward(visit, (last,) if last is not None else None),
        state=state or "",
        states=list(AssessmentState),
        as_of=visit.asked("as_of"),
        may_add=visit.who.may_somewhere(Permission.SUBJECTS_WRITE),
    )


def show_change(visit: Visit) -> Response:
    """One verdict: what the change brings, what to do, what it rests on. While it runs, how far it is."""
    number = AssessmentId(visit.number("number"))
    with visit.service.database.read() as connection:
        page = assessments.one(connection, number)
        if page is None or not visit.who.may(Permission.ASSESSMENTS_READ, page.row.team):
            raise not_found("this change")
        done = progress.read(connection, number)
        signed = _endorsing(visit, connection, page)
    trigger = msgspec.json.decode(page.trigger_details, type=Trigger)
    state = AssessmentState(page.row.state)
    heading = body = None
    stopping: tuple[Stopping, ...] = ()
    if page.row.verdict:
        verdict = msgspec.json.decode(visit.service.blobs.get(Digest(page.row.verdict)), type=Verdict)
        options = Options(project=page.repository_name or page.row.subject_name)
        # Both escape every part of foreign origin themselves; they are the report that can be mailed.
        heading, body = Markup(html.heading(verdict, options)), Markup(html.body(verdict, options))  # noqa: S704
        stopping = _stopping(visit, verdict)
    return visit.page(
        "change.html",
        stopping=stopping,
        deciders=_deciders(visit, page) if stopping else (),
        change=page,
        row=page.row,
        trigger=trigger,
        done=done,
        has_ended=state in TERMINAL,
        endorsing=signed,
        heading=heading,
        body=body,
        talk=talk.conversation(visit, About.ASSESSMENT, number),
    )


class Endorsing(Struct, frozen=True):
    """What became of a pass, as far as the visitor may know."""

    endorsement: EndorsementRow | None = None
    request: ApprovalRequest | None = None
    may_ask: bool = False


def _endorsing(visit: Visit, connection: sa.Connection, page: AssessmentPage) -> Endorsing:
    row, now = page.row, visit.service.now()
    if row.state != AssessmentState.PASS or not visit.who.may(Permission.ENDORSEMENTS_READ, row.team):
        return Endorsing()
    made = endorsements.of_assessment(connection, row.id, now)
    may_ask = visit.who.may(Permission.ENDORSEMENTS_ASK, row.team) and not endorsing.problem(connection, row.id, now)
    return Endorsing(made, approvals.last_of(connection, row.id), may_ask)


def _stopping(visit: Visit, verdict: Verdict) -> tuple[Stopping, ...]:
    """What stops it, each with its page where the finding is kept."""
    prints = list(dict.fromkeys(judged.finding.fingerprint for judged in verdict.findings if judged.gates))[:_MOST_STOPPING]
    if not prints:
        return ()
    f = finding.c
    with visit.service.database.read() as connection:
        rows = connection.execute(sa.select(f.id, f.title, f.fingerprint).where(f.fingerprint.in_(prints))).all()
        known = {row.fingerprint: row for row in rows}
        seen = visit.who.teams_with(Permission.FINDINGS_READ)
        return tuple(
            Stopping(known[each].id, known[each].title)
            for each in prints
            if each in known and findings.may_see(connection, seen, known[each].id)
        )


def _deciders(visit: Visit, page: AssessmentPage) -> tuple[str, ...]:
    with visit.service.database.read() as connection:
        return teams.holders(connection, Permission.FINDINGS_DECIDE, page.row.team, limit=5)


SCREENS = [
    Screen("GET", "/changes", show_changes, Permission.ASSESSMENTS_READ),
    Screen("GET", "/changes/{number}", show_change, Permission.ASSESSMENTS_READ),
]
