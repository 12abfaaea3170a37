"""One box: where is a component, an advisory, a rule, a digest, a secret. Posted, so that what is typed stands in no address and no log."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.server.api import search as api
from assaymark.server.api.route import Call
from assaymark.server.web.screen import Screen, Visit

_LIMIT = 50


def show_find(visit: Visit) -> Response:
    """The box alone, for who came by its address."""
    return visit.page("find.html", question="", found=None)


def find(visit: Visit) -> Response:
    """Everything that the words may mean."""
    question = visit.form.get("q", "")
    if not question.strip():
        return visit.page("find.html", question="", found=None)
    found = api.find(Call(visit.service, visit.request, visit.principal), api.Question(question, limit=_LIMIT))
    return visit.page("find.html", question="" if "secret" in found.taken_for and found.taken_for[0] == "secret" else question, found=found)


SCREENS = [
    Screen("GET", "/find", show_find, Permission.FINDINGS_READ),
    Screen("POST", "/find", find, Permission.FINDINGS_READ),
]
