"""What is looked after: the list of subjects, and one of them with its verdicts and what stands open in it."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import SubjectId
from assaymark.model.trigger import SubjectKind
from assaymark.server.problem import not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import assessments, findings, subjects
from assaymark.store.comments import About
from assaymark.store.subjects import KEYS, Filter, Key, Order, Part

_SHOWN_CHANGES, _SHOWN_FINDINGS = 10, 20


def show_subjects(visit: Visit) -> Response:
    """By name, or the worst first."""
    teams = visit.who.teams_with(Permission.SUBJECTS_READ)
    at = asking.as_of(visit)
    kind = asking.choice(visit, "kind", SubjectKind)
    order = asking.choice(visit, "order", Order) or Order.WORST
    order = order if at is None else Order.NAME
    key = asking.after(visit, KEYS[order])
    asked = Filter(kinds=(kind,) if kind else (), name=visit.asked("name"), at=at)
    with visit.service.database.read() as connection:
        rows, last = subjects.page(connection, teams, asked, Part(order, Key(key) if key else None))
        posture = subjects.summed(connection, teams, asked)
    return visit.page(
        "subjects.html",
        rows=rows,
        posture=posture,
        onward=asking.onward(visit, last.values if last else None),
        kind=kind or "",
        kinds=list(SubjectKind),
        order=order.value,
        name=visit.asked("name"),
        as_of=visit.asked("as_of"),
        may_add=visit.who.may_somewhere(Permission.SUBJECTS_WRITE),
    )


def show_subject(visit: Visit) -> Response:
    """One subject, now or as of a day."""
    number = SubjectId(visit.number("number"))
    at = asking.as_of(visit)
    with visit.service.database.read() as connection:
        row = subjects.one(connection, number, at)
        if row is None or not visit.who.may(Permission.SUBJECTS_READ, row.team):
            raise not_found("this subject")
        teams = visit.who.teams_with(Permission.ASSESSMENTS_READ)
        changes, _ = assessments.page(connection, teams, assessments.Filter(subject=number, at=at), limit=_SHOWN_CHANGES)
        seen = visit.who.teams_with(Permission.FINDINGS_READ)
        part = findings.Part(limit=_SHOWN_FINDINGS)
        standing, more = findings.page(connection, seen, findings.Filter(subject=number, at=at, waived=False), part)
        name = subjects.repository_of(connection, row)
    return visit.page(
        "subject.html",
        row=row,
        repository=name,
        changes=changes,
        findings=standing,
        more=more is not None,
        as_of=visit.asked("as_of"),
        talk=talk.conversation(visit, About.SUBJECT, number),
    )


SCREENS = [
    Screen("GET", "/subjects", show_subjects, Permission.SUBJECTS_READ),
    Screen("GET", "/subjects/{number}", show_subject, Permission.SUBJECTS_READ),
]
