"""Assessments: what was asked, and what came of it. Their verdicts are served by `verdicts`."""

from __future__ import annotations

from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import AssessmentState, RepositoryId, SubjectId
from assaymark.model.trigger import TriggerKind
from assaymark.server.api import cursor
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.store import assessments, teams
from assaymark.store.assessments import AssessmentPage, AssessmentRow, Filter

router = Router("assessments")


@router.add("GET", "/assessments", Permission.ASSESSMENTS_READ)
def list_assessments(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    subject: int | None = None,
    team: int | None = None,
    repository: int | None = None,
    state: AssessmentState | None = None,
    trigger: TriggerKind | None = None,
    head: str = "",
    as_of: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[AssessmentRow]:
    """Assessments, newest first; `head` is the commit or digest that was judged."""
    asked = Filter(
        subject=None if subject is None else SubjectId(subject),
        team=None if team is None else TeamId(team),
        repository=None if repository is None else RepositoryId(repository),
        state=state.value if state else "",
        trigger=trigger.value if trigger else "",
        head=head,
        at=moment(call, as_of),
    )
    start = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as connection:
        rows, end = assessments.page(connection, call.who.teams_with(Permission.ASSESSMENTS_READ), asked, after=start, limit=limit)
    return Page(tuple(rows), next=cursor.encode((end,)) if end else None)


@router.add("GET", "/assessments/{assessment}", Permission.ASSESSMENTS_READ)
def get_assessment(call: Call, assessment: int) -> AssessmentPage:
    """An assessment with its subject and the verdict before it."""
    return _one(call, assessment)


@router.add("GET", "/assessments/{assessment}/deciders", Permission.ASSESSMENTS_READ)
def list_deciders(call: Call, assessment: int) -> tuple[str, ...]:
    """Logins of those who may let through what this assessment found: those of its team first."""
    found = _one(call, assessment)
    with call.service.database.read() as connection:
        return teams.holders(connection, Permission.FINDINGS_DECIDE, found.row.team)


def _one(call: Call, number: int) -> AssessmentPage:
    with call.service.database.read() as connection:
        found = assessments.one(connection, number)
    if found is None or not call.who.may(Permission.ASSESSMENTS_READ, found.row.team):
        raise not_found(f"assessment {number}")
    return found
