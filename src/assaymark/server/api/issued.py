"""Reports for whoever decides: issued as of a day, kept as they were, signed, and readable by a link for those who have no account."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, NamedTuple

import sqlalchemy as sa
from msgspec import Meta, Struct
from starlette.responses import Response

from assaymark.model.access import Permission, Principal, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.digest import Digest
from assaymark.server.api import cursor, rights
from assaymark.server.api.figures import teams_of
from assaymark.server.api.moment import moment
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.people import credential
from assaymark.server.problem import invalid, not_found
from assaymark.server.reports import document, schedule, signing
from assaymark.server.reports.issue import FIGURES, HTML, PDF, Order, issue
from assaymark.server.reports.schedule import Every, Plan
from assaymark.server.service import Service
from assaymark.store import issued, signing_keys, teams, trail
from assaymark.store.issued import IssuedLinkRow, IssuedRow
from assaymark.store.promises import DAY
from assaymark.store.signing_keys import KeyRow
from assaymark.store.trail import Action

router = Router("issued reports")
_READ, _ISSUE = Permission.FINDINGS_READ, Permission.FINDINGS_DECIDE
ENVELOPE = "report.dsse.json"
MOST_DAYS = 90


class Form(StrEnum):
    """A file of a report."""

    HTML = "html"
    PDF = "pdf"
    FIGURES = "figures"
    ENVELOPE = "envelope"


NAMES = {Form.HTML: HTML, Form.PDF: PDF, Form.FIGURES: FIGURES, Form.ENVELOPE: ENVELOPE}
KINDS = {Form.HTML: "text/html; charset=utf-8", Form.PDF: "application/pdf", Form.FIGURES: "application/json",
         Form.ENVELOPE: "application/vnd.dsse.envelope.v1+json"}  # fmt: skip


class NewReport(Struct, frozen=True, forbid_unknown_fields=True):
    team: int | None = None
    """Of everything without it."""
    as_of: Annotated[str, Meta(max_length=40)] = ""
    """A day or an instant; without it, the end of yesterday."""


@router.add("GET", "/issued-reports", _READ)
def list_issued(call: Call, after: str | None = None, limit: int = 50) -> Page[IssuedRow]:
    """Reports that were issued, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as connection:
        rows = issued.page(connection, teams_of(call.who), before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/issued-reports", _ISSUE, status=201)
def issue_report(call: Call, body: NewReport) -> IssuedRow:
    """Issue a report: it is made, kept and signed, and never changes."""
    team = None if body.team is None else TeamId(body.team)
    call.need(_ISSUE, team)
    at = moment(call, body.as_of) if body.as_of else yesterday(call.service)
    return issue_now(call, team, at or call.service.now())


def yesterday(service: Service) -> Instant:
    """Its last microsecond."""
    return Instant(service.now() // DAY * DAY - 1)


def issue_now(call: Call, team: TeamId | None, at: Instant) -> IssuedRow:
    """By a person, with its entry in the trail."""
    with call.service.database.read() as connection:
        if team is not None and teams.get(connection, team) is None:
            raise not_found(f"team {team}")
    number = issue(call.service, Order(team, at, person=call.who.person))
    assert number is not None  # noqa: S101 - only the schedule's may have been issued already
    with call.service.database.write() as connection:
        _note(call, connection, _Done("report.issued", number, team))
        found = issued.get(connection, number)
    assert found is not None  # noqa: S101 - it was written above
    return found


@router.add("GET", "/issued-reports/{report}", _READ)
def get_issued(call: Call, report: int) -> IssuedRow:
    """A report: as of when, by whom, and the digests of its files."""
    with call.service.database.read() as connection:
        return visible(connection, call.who, report)


def visible(connection: sa.Connection, who: Principal, number: int, permission: Permission = _READ) -> IssuedRow:
    """The report, when it may be seen, or what else is asked.

    Raises:
        ApiError: 404 otherwise.
    """
    found = issued.get(connection, number)
    allowed = teams_of(who)
    seen = found is not None and (allowed is None or found.team in allowed)
    if found is None or not seen or not who.may(permission, found.team):
        raise not_found(f"report {number}")
    return found


@router.add("GET", "/issued-reports/{report}/files/{form}", _READ, produces="application/octet-stream")
def get_issued_file(call: Call, report: int, form: Form) -> Response:
    """A file of a report, as it was signed: `html`, `pdf`, `figures` (JSON), and the `envelope` (DSSE) that signs the digests of these."""
    with call.service.database.read() as connection:
        found = visible(connection, call.who, report)
    return file_of(call.service, found, form)


def file_of(service: Service, row: IssuedRow, form: Form, *, shown: bool = False) -> Response:
    """To keep, or to be shown under a policy that allows its own style and nothing else."""
    digest = {Form.HTML: row.html, Form.PDF: row.pdf, Form.FIGURES: row.figures, Form.ENVELOPE: row.envelope}[form]
    if not digest:
        raise not_found("a PDF of this report")
    data = service.blobs.get(Digest(digest))
    name = f"{row.id}-{NAMES[form]}"
    headers = {"Cache-Control": "private, no-store", "Content-Security-Policy": document.policy()}
    headers["Content-Disposition"] = f'{"inline" if shown else "attachment"}; filename="{name}"'
    return Response(data, 200, headers, media_type=KINDS[form])


@router.add("GET", "/signing-keys", None, public=True)
def list_signing_keys(call: Call) -> tuple[KeyRow, ...]:
    """Public keys of this server, newest first: what it issues is verified with them, also without it."""
    with call.service.database.read() as connection:
        found = signing_keys.every(connection)
    if not found:
        with call.service.database.write() as connection:
            found = [signing.ensure(call.service, connection)]
    return tuple(found)


# --- links -----------------------------------------------------------------------------------------------------------


class NewIssuedLink(Struct, frozen=True, forbid_unknown_fields=True):
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 14


def new_link(days: int) -> NewIssuedLink:
    """From a form.

    Raises:
        ApiError: 400 for a number of days that is none.
    """
    if not 1 <= days <= MOST_DAYS:
        raise invalid(f"days={days} is out of range", f"1 to {MOST_DAYS}")
    return NewIssuedLink(days)


class MadeIssuedLink(Struct, frozen=True):
    id: int
    url: str
    """Shown once: whoever has it can read the report until it ends."""
    expires_at: Instant


@router.add("POST", "/issued-reports/{report}/links", _ISSUE, status=201)
def share_issued(call: Call, report: int, body: NewIssuedLink) -> MadeIssuedLink:
    """Make a link by which somebody without an account reads this report, until it ends."""
    now = call.service.now()
    secret = credential.new_secret()
    with call.service.database.write() as connection:
        found = visible(connection, call.who, report, _ISSUE)
        row = IssuedLinkRow(0, report, call.who.person, now, Instant(now + body.days * 86_400 * SECOND), None)
        number = issued.add_link(connection, credential.hashed(secret), row)
        _note(call, connection, _Done("report.shared", report, found.team, {"link": str(number), "days": str(body.days)}))
    return MadeIssuedLink(number, f"{call.service.settings.url}/shared/{secret}", row.expires_at)


@router.add("GET", "/issued-reports/{report}/links", _ISSUE)
def list_issued_links(call: Call, report: int) -> tuple[IssuedLinkRow, ...]:
    """Links that were made for it; what they open with is not kept."""
    with call.service.database.read() as connection:
        visible(connection, call.who, report, _ISSUE)
        return tuple(issued.links_of(connection, report))


@router.add("DELETE", "/issued-reports/{report}/links/{link}", _ISSUE, status=204)
def end_issued_link(call: Call, report: int, link: int) -> Nothing:
    """End a link before its time."""
    with call.service.database.write() as connection:
        found = visible(connection, call.who, report, _ISSUE)
        if not issued.end_link(connection, report, link, call.service.now()):
            raise not_found(f"link {link}")
        _note(call, connection, _Done("report.unshared", report, found.team, {"link": str(link)}))
    return Nothing()


# --- schedule --------------------------------------------------------------------------------------------------------


@router.add("GET", "/issued-reports/schedule", Permission.SETTINGS_WRITE)
def get_issue_schedule(call: Call) -> Plan:
    """How often reports are issued by themselves."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.read() as connection:
        return schedule.plan(connection)


@router.add("PUT", "/issued-reports/schedule", Permission.SETTINGS_WRITE)
def put_issue_schedule(call: Call, body: Plan) -> Plan:
    """Issue reports each week (as of Sunday's end) or month (as of its end), of everything, and of each team if wanted."""
    call.need(Permission.SETTINGS_WRITE, None)
    if body.teams and body.every is Every.NEVER:
        raise invalid("`teams` without `every`", "say weekly or monthly")
    with call.service.database.write() as connection:
        schedule.put(connection, body, call.service.now())
        _note(call, connection, _Done("report.scheduled", 0, None, {"every": body.every.value, "teams": str(body.teams)}))
    return body


class _Done(NamedTuple):
    action: str
    number: int
    team: TeamId | None
    more: dict[str, str] = {}  # noqa: RUF012 - never changed


def _note(call: Call, connection: sa.Connection, done: _Done) -> None:
    by = rights.by(call)
    at = call.service.now()
    told = Action(at, by.actor, done.action, "success", by.person, "report", str(done.number), done.team, by.origin, done.more)
    trail.record(connection, told)


def day_of(at: Instant) -> str:
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).date().isoformat()
