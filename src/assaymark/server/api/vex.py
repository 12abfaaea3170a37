"""VEX documents: taken in as decisions, and given out with what was decided (OpenVEX and CycloneDX)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta
from starlette.responses import Response

from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.decision import Scope
from assaymark.server.api import decisions as api
from assaymark.server.api import rights
from assaymark.server.api.layer import PRIVATE
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Router, Upload
from assaymark.server.problem import invalid, not_found
from assaymark.server.work import vexing
from assaymark.server.work.vexing import Place, Taken
from assaymark.store import subjects
from assaymark.store.tables import repository as repositories
from assaymark.store.tables import subject as subject_table
from assaymark.views.vex import Form, render

router = Router("vex")
MOST_BYTES = 16 << 20
_READ = Permission.FINDINGS_READ
_FORM = Meta(description="Which kind of document.")
_AUTHOR = Meta(description="Who makes the statements; your login without it.", max_length=200)


@router.add("POST", "/vex", Permission.FINDINGS_DECIDE, most_bytes=MOST_BYTES)
def take_vex(
    call: Call,
    body: Upload,
    subject: Annotated[int | None, Meta(description="Let it hold in this subject,")] = None,
    repository: Annotated[int | None, Meta(description="in everything of this repository,")] = None,
    team: Annotated[int | None, Meta(description="or of this team; everywhere without any of them.")] = None,
) -> Taken:
    """Take in an OpenVEX or CycloneDX document: what it says does no harm, or is fixed, is decided.

    Each statement lasts a year from its own date. Sent again, it decides nothing twice; a later statement that something is affected takes
    back what an earlier one said. Where a policy asks for an approver, each decision needs one.
    """
    scope = Scope(
        subject=None if subject is None else SubjectId(subject),
        repository=None if repository is None else RepositoryId(repository),
        team=None if team is None else TeamId(team),
    )
    if sum(each is not None for each in (subject, repository, team)) > 1:
        raise invalid("give at most one of `subject`, `repository` and `team`")
    with call.service.database.read() as link:
        owner = api.team_for(call, link, scope)
    return vexing.take(call.service, vexing.read(body.data), Place(scope, owner), rights.by(call))


@router.add("GET", "/subjects/{subject}/vex", _READ, produces="application/json")
def get_subject_vex(
    call: Call,
    subject: int,
    form: Annotated[Form, _FORM] = Form.OPENVEX,
    author: Annotated[str, _AUTHOR] = "",
    as_of: str = "",
) -> Response:
    """A VEX document about what stands open in a subject's components, with what was decided."""
    with call.service.database.read() as link:
        row = subjects.one(link, subject)
        if row is None or not call.who.may(_READ, row.team):
            raise not_found(f"subject {subject}")
        return _document(call, link, subject_table.c.id == subject, _Asked(form, author, moment(call, as_of)))


@router.add("GET", "/repositories/{repository}/vex", _READ, produces="application/json")
def get_repository_vex(
    call: Call,
    repository: int,
    form: Annotated[Form, _FORM] = Form.OPENVEX,
    author: Annotated[str, _AUTHOR] = "",
    as_of: str = "",
) -> Response:
    """The same about everything of a repository."""
    with call.service.database.read() as link:
        row = link.execute(sa.select(repositories.c.team).where(repositories.c.id == repository)).first()
        if row is None or not call.who.may(_READ, row.team):
            raise not_found(f"repository {repository}")
        return _document(call, link, subject_table.c.repository == repository, _Asked(form, author, moment(call, as_of)))


class _Asked:
    def __init__(self, form: Form, author: str, at: Instant | None) -> None:
        self.form, self.author, self.at = form, author, at


def _document(call: Call, link: sa.Connection, where: sa.ColumnElement[bool], asked: _Asked) -> Response:
    rows = vexing.known(link, call.who.teams_with(_READ), where, asked.at)
    at = dt.datetime.fromtimestamp((asked.at or call.service.now()) // 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = render(asked.form, rows, asked.author.strip() or call.who.login, at)
    return Response(text, headers=PRIVATE, media_type="application/json")
