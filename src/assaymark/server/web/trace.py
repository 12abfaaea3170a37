"""The page of a trace: endorsement, what runs, checks, commits, people, with a way on from each of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.model.digest import Digest
from assaymark.model.verdict import CheckRun, Verdict
from assaymark.server.api import trace as api
from assaymark.server.api.route import Call
from assaymark.server.web.screen import Screen, Visit
from assaymark.store.assessments import AssessmentRow
from assaymark.store.trace import LONGEST


def show_trace(visit: Visit) -> Response:
    """Of what is asked, or the field alone."""
    text = visit.request.query_params.get("q", "").strip()[:LONGEST]
    if not text:
        return visit.page("trace.html", trace=None, checks=())
    found = api.look(Call(visit.service, visit.request, visit.principal), text)
    return visit.page("trace.html", trace=found, checks=_checks(visit, found.checks))


def _checks(visit: Visit, rows: Sequence[AssessmentRow]) -> tuple[CheckRun, ...]:
    """What ran for the newest verdict; nothing when its content is not here any more."""
    if not rows:
        return ()
    try:
        content = visit.service.blobs.get(Digest(rows[0].verdict))
    except AssayError:
        return ()
    return msgspec.json.decode(content, type=Verdict).checks


SCREENS = [Screen("GET", "/trace", show_trace, Permission.SUBJECTS_READ)]
