"""When something is to be endorsed: the job that does it, put within the transaction in which it passed or was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Job, Priority
from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import Outcome, Verdict
from assaymark.server.service import Service
from assaymark.server.work.endorsing_terms import terms_of

ENDORSABLE = frozenset({SubjectKind.BRANCH, SubjectKind.TAG, SubjectKind.RELEASE, SubjectKind.IMAGE})
"""What has a digest of its own. A merge request is a change that nobody runs, and an environment runs what is endorsed elsewhere."""
SECONDS = 600


class By(Struct, frozen=True):
    """By whom it is asked for."""

    login: str = ""
    person: PersonId | None = None


NOBODY = By()
"""The terms say that a pass is endorsed."""


def after_verdict(service: Service, link: sa.Connection, about: tuple[AssessmentId, SubjectKind, TeamId | None], verdict: Verdict) -> None:
    """Of an assessment that ends now: only a pass, and only where the terms say so."""
    number, kind, team = about
    if verdict.outcome is Outcome.PASS and kind in ENDORSABLE and terms_of(link, team).automatic:
        put(service, link, number)


def put(service: Service, link: sa.Connection, number: AssessmentId, by: By = NOBODY, *, priority: Priority = Priority.FEEDBACK) -> None:
    """Have it endorsed, within the caller's transaction; a job that waits for the same already is enough."""
    name = f"endorse:{number}"
    asked: dict[str, int | str | bool | None] = {"assessment": number, "login": by.login, "person": by.person}
    service.queue.put(link, Job("endorse", asked, key=name, lock=name, priority=priority, seconds=SECONDS))
