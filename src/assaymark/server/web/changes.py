"""What was asked and what came of it: the list of assessments, and the page of one verdict."""

from __future__ import annotations

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import TERMINAL, AssessmentId, AssessmentState
from assaymark.model.digest import Digest
from assaymark.model.trigger import Trigger
from assaymark.model.verdict import Verdict
from assaymark.server.problem import not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import assessments, progress
from assaymark.store.assessments import Filter
from assaymark.store.comments import About
from assaymark.views import html
from assaymark.views.options import Options


def show_changes(visit: Visit) -> Response:
    """The newest first."""
    teams = visit.who.teams_with(Permission.ASSESSMENTS_READ)
    state = asking.choice(visit, "state", AssessmentState)
    key = asking.after(visit, (int,))
    asked = Filter(state=state or "", at=asking.as_of(visit))
    with visit.service.database.read() as connection:
        rows, last = assessments.page(connection, teams, asked, after=key[0] if key else None)
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
    trigger = msgspec.json.decode(page.trigger_details, type=Trigger)
    state = AssessmentState(page.row.state)
    heading = body = None
    if page.row.verdict:
        verdict = msgspec.json.decode(visit.service.blobs.get(Digest(page.row.verdict)), type=Verdict)
        options = Options(project=page.repository_name or page.row.subject_name)
        # Both escape every part of foreign origin themselves; they are the report that can be mailed.
        heading, body = Markup(html.heading(verdict, options)), Markup(html.body(verdict, options))  # noqa: S704
    return visit.page(
        "change.html",
        change=page,
        row=page.row,
        trigger=trigger,
        done=done,
        has_ended=state in TERMINAL,
        heading=heading,
        body=body,
        talk=talk.conversation(visit, About.ASSESSMENT, number),
    )


SCREENS = [
    Screen("GET", "/changes", show_changes, Permission.ASSESSMENTS_READ),
    Screen("GET", "/changes/{number}", show_change, Permission.ASSESSMENTS_READ),
]
