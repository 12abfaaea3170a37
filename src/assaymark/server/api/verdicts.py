"""Verdicts for whoever asks: judge this now, show what was said in any format, stop."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from starlette.responses import Response

from assaymark.errors import UsageError
from assaymark.model.access import Permission
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant
from assaymark.model.digest import Digest
from assaymark.model.verdict import Verdict
from assaymark.server.api import rights
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.api.tag import matches
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.work import call as calling
from assaymark.server.work.call import MOST_SECONDS, Standing, Wish
from assaymark.server.work.cases import end_cancelled
from assaymark.server.work.intake import Source, accept
from assaymark.store import progress, repositories, trail
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import connection as connection_table
from assaymark.store.tables import repository as repository_table
from assaymark.views.formats import FORMATS, renderer
from assaymark.views.options import Options

router = Router("verdicts")
Form = Annotated[str, Meta(description="A format of reports, e.g. sarif; without it the verdict itself as JSON.")]
Wait = Annotated[int, Meta(description="Seconds to wait for the verdict, at most 60.")]
_KINDS = {
    "sarif": "application/sarif+json",
    "junit": "application/xml; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "terminal": "text/plain; charset=utf-8",
    "github": "text/plain; charset=utf-8",
    "github-summary": "text/markdown; charset=utf-8",
}
_ALONE = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
)
"""A report shows names and texts that strangers chose: it runs nothing, and nothing of ours is its own."""


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be judged, and how long the caller waits."""

    repository: int | str
    """Its number, or its clone URL."""
    head: str = ""
    """Full commit id; without it what `ref` stands for now."""
    ref: str = ""
    """A branch (or a full ref). Without a base it is judged as after a push."""
    base: str = ""
    """Full commit id; compared with is the merge base."""
    merge_request: int | None = None
    """Number of a merge request: the same subject as the forge's deliveries have."""
    target: str = ""
    """Branch that the merge request goes into; the default branch without it."""
    wait: int = 10
    """Seconds, at most 60."""
    format: str = ""
    """A format of reports; without it the verdict itself as JSON."""


class Pending(Struct, frozen=True):
    """There is no verdict yet."""

    assessment: int
    state: str
    phase: str
    """``fetching`` or ``checking``; empty for what waits, or has only begun."""
    done: int
    total: int


@router.add("POST", "/verdicts", Permission.ASSESSMENTS_RUN)
def ask_verdict(call: Call, body: Question) -> Response:
    """Judge a commit, a branch or a merge request now: 200 with the verdict when it is ready in time, 202 with its place otherwise."""
    _known_format(body.format)
    if not 0 <= body.wait <= MOST_SECONDS:
        raise invalid(f"wait is {body.wait}", f"give seconds from 0 to {MOST_SECONDS}")
    repository = _repository(call, body.repository)
    wish = Wish(body.head, body.ref, body.base, body.merge_request, body.target, call.who.login)
    trigger = calling.trigger_of(wish, repository, _forge(call, repository))
    source = Source(connection_id=repository.connection, team=repository.team, cause="call")
    with call.service.database.write() as link:
        numbers = accept(call.service, link, trigger, source=source)
    if not numbers:
        raise conflict("the repository is not looked after any more")
    return _answer(call, calling.wait_for(call.service, numbers[0], body.wait), body.format)


@router.add("GET", "/assessments/{assessment}/verdict", Permission.ASSESSMENTS_READ)
def get_verdict(call: Call, assessment: int, format: Form = "", wait: Wait = 0) -> Response:  # noqa: A002 - name in the URL
    """The verdict as JSON, byte for byte as its digest says, or in a format of reports; 202 while there is none, after `wait` seconds."""
    _known_format(format)
    if not 0 <= wait <= MOST_SECONDS:
        raise invalid(f"wait is {wait}", f"give seconds from 0 to {MOST_SECONDS}")
    _seen(call, assessment)
    return _answer(call, calling.wait_for(call.service, AssessmentId(assessment), wait), format)


@router.add("POST", "/assessments/{assessment}/cancel", Permission.ASSESSMENTS_RUN, status=204)
def cancel_assessment(call: Call, assessment: int) -> Nothing:
    """End an assessment that waits or runs, without a verdict."""
    found = _seen(call, assessment)
    call.need(Permission.ASSESSMENTS_RUN, found.team)
    who = rights.by(call)
    with call.service.database.write() as link:
        if not end_cancelled(call.service, link, found.id, f"{call.who.login} cancelled it"):
            raise conflict(f"assessment {assessment} has ended", "look at its verdict, or ask for a new one")
        call.service.queue.cancel(link, f"assess:{assessment}")
        action = trail.Action(
            call.service.now(), call.who.login, "assessment.cancelled", "success", person=call.who.person, object_kind="assessment",
            object=str(assessment), team=found.team, origin=who.origin,
        )  # fmt: skip
        trail.record(link, action)
    return Nothing()


def _known_format(name: str) -> None:
    if name and name not in FORMATS:
        raise invalid(f"there is no format {name[:40]!r}", f"choose one of {', '.join(FORMATS)}")


def _repository(call: Call, named: int | str) -> RepositoryRow:
    with call.service.database.read() as link:
        if isinstance(named, int):
            found = repositories.get(link, named)
        else:
            url = repositories.address(named)
            forms = [url, f"{url}.git", url.removesuffix(".git")]
            found = next(iter(repositories.page(link, None, after=0, limit=1, conditions=(repository_table.c.clone_url.in_(forms),))), None)
    if found is None or not call.who.may(Permission.SUBJECTS_READ, found.team):
        raise not_found("this repository")
    call.need(Permission.ASSESSMENTS_RUN, found.team)
    return found


def _forge(call: Call, repository: RepositoryRow) -> str:
    with call.service.database.read() as link:
        asked = sa.select(connection_table.c.kind).where(connection_table.c.id == repository.connection)
        return str(link.execute(asked).scalar() or "")


def _seen(call: Call, number: int) -> Standing:
    found = calling.standing(call.service, AssessmentId(number))
    if found is None or not call.who.may(Permission.ASSESSMENTS_READ, found.team):
        raise not_found(f"assessment {number}")
    return found


def _answer(call: Call, found: Standing | None, form: str) -> Response:
    if found is None:
        raise not_found("this assessment")
    place = f"/api/v1/assessments/{found.id}/verdict"
    if not found.has_ended:
        with call.service.database.read() as link:
            far = progress.read(link, found.id)
        pending = Pending(found.id, found.state, *((far.phase, far.done, far.total) if far else ("", 0, 0)))
        headers = {"Location": place, "Retry-After": "1", "Cache-Control": "no-store"}
        return Response(msgspec.json.encode(pending), 202, headers, media_type="application/json")
    if not found.verdict:
        raise ApiError(
            409, "no-verdict", f"assessment {found.id} ended without a verdict: {found.state}", detail=found.summary,
            advice="look at the reason, then ask again" if found.state is AssessmentState.UNPROVEN else "ask again if it is still wanted",
            headers={"Content-Location": place},
        )  # fmt: skip
    return _report(call, found, form, place)


def _report(call: Call, found: Standing, form: str, place: str) -> Response:
    """Made of bytes that never change, so that its tag needs no report."""
    tag = f'"{found.verdict}{"-" if form else ""}{form}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Content-Location": place, "Assay-Outcome": found.state.value}
    if call.request.method == "GET" and matches(call.request.headers.get("if-none-match", ""), tag, strong=False):
        return Response(status_code=304, headers=headers)
    data = call.service.blobs.get(Digest(found.verdict))
    if not form:
        return Response(data, 200, headers, media_type="application/json")
    verdict = msgspec.json.decode(data, type=Verdict)
    options = Options(project=found.name, started=_iso(found.started_at), finished=_iso(found.finished_at))
    try:
        text = renderer(form)(verdict, options)
    except UsageError as error:
        raise invalid(error.what, error.advice) from error
    if form == "html":
        headers["Content-Security-Policy"] = _ALONE
    return Response(text.encode("utf-8", "replace"), 200, headers, media_type=_KINDS.get(form, "application/json"))


def _iso(at: Instant | None) -> str:
    return "" if at is None else dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
