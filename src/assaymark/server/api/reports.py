"""Reports: the links by which they come, and what is done about them.

Guarantees: a report is seen by those who decide about findings in its team; accepting it records a finding in the same transaction; every
step is said to whoever reported it and is in the trail.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant
from assaymark.model.finding import Kind, Layer, RuleClassId
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.server.api import cursor, rights
from assaymark.server.api.outside import Words, full, words
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.people import accounts, credential
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work import reporting
from assaymark.server.work.reporting import LAYERS, Wanted
from assaymark.store import findings, reports, teams, trail
from assaymark.store.reports import Entry, LinkRow, ReportRow, ReportState, Step
from assaymark.store.trail import Action

router = Router("reports")
_HINT = 6
_LONGEST_PATH = 500
State = Annotated[ReportState, Meta(description="Which reports; those that nobody has looked at without it.")]


# --- links -----------------------------------------------------------------------------------------------------------


class NewLink(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    """As whoever reports something reads it."""
    team: int | None = None
    """Whose reports these are; the organisation's without it."""


class NewLinkView(Struct, frozen=True):
    id: int
    address: str
    """Shown this once: publish it where people look for it."""

    def __repr__(self) -> str:
        return f"NewLinkView({self.id})"


@router.add("GET", "/report-links", Permission.FINDINGS_DECIDE)
def list_report_links(call: Call, after: str | None = None, limit: int = 50) -> Page[LinkRow]:
    """Links by which anybody may report something, the revoked ones too."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = reports.links(link, call.who.teams_with(Permission.FINDINGS_DECIDE), after=start, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/report-links", Permission.FINDINGS_DECIDE, status=201)
def create_report_link(call: Call, body: NewLink) -> NewLinkView:
    """Make a link; whoever has its address may report something, until it is revoked."""
    team = None if body.team is None else TeamId(body.team)
    call.need(Permission.FINDINGS_DECIDE, team)
    name = accounts.line(body.name, "name")
    if not name:
        raise invalid("`name` is empty", "say whose link it is, as outsiders know you")
    secret = credential.new_secret()
    values = {"hash": credential.hashed(secret), "hint": secret[:_HINT], "name": name, "team": team, "person": call.who.person}
    with call.service.database.write() as link:
        if team is not None and teams.get(link, team) is None:
            raise not_found("this team")
        made = reports.make_link(link, values | {"created_at": call.service.now()})
        _note(call, link, "report-link.created", "report-link", made, team)
    return NewLinkView(made, f"{call.service.settings.url}/report/{secret}")


@router.add("DELETE", "/report-links/{number}", Permission.FINDINGS_DECIDE, status=204)
def revoke_report_link(call: Call, number: int) -> Nothing:
    """Take nothing by a link any more; what came by it stays, and can be followed."""
    with call.service.database.write() as link:
        row = reports.link(link, number)
        if row is None or not call.who.may(Permission.FINDINGS_DECIDE, row.team):
            raise not_found("this link")
        if reports.revoke_link(link, row.id, call.service.now()):
            _note(call, link, "report-link.revoked", "report-link", row.id, row.team)
    return Nothing()


# --- reports ---------------------------------------------------------------------------------------------------------


class ReportView(Struct, frozen=True):
    """A report with what was said and decided."""

    report: ReportRow
    entries: tuple[Entry, ...]


@router.add("GET", "/reports", Permission.FINDINGS_DECIDE)
def list_reports(call: Call, state: State = ReportState.OPEN, after: str | None = None, limit: int = 50) -> Page[ReportRow]:
    """Reports in a state, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    allowed = call.who.teams_with(Permission.FINDINGS_DECIDE)
    with call.service.database.read() as link:
        rows = reports.page(link, allowed, state=state, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/reports/{report}", Permission.FINDINGS_DECIDE)
def get_report(call: Call, report: int) -> ReportView:
    """One report."""
    with call.service.database.read() as link:
        row = _visible(call, reports.get(link, report))
        return ReportView(row, tuple(reports.entries(link, row.id)))


@router.add("POST", "/reports/{report}/messages", Permission.FINDINGS_DECIDE, status=201)
def answer_report(call: Call, report: int, body: Words) -> ReportView:
    """Write to whoever reported it; he reads it by his link and does not see who wrote."""
    return _proceed(call, report, Step(words(body.text), call.who.person), "report.written-to", may_be=tuple(ReportState))


class Acceptance(Struct, frozen=True, forbid_unknown_fields=True):
    subject: int
    """The subject that has it."""
    rule_class: str
    """The family of the weakness, e.g. ``cross-site-scripting``."""
    severity: Severity
    kind: Kind = Kind.CODE
    """``code``, ``endpoint``, ``configuration`` or ``host``."""
    layer: Layer | None = None
    """The kind's own where it is left out."""
    title: str = ""
    """What is wrong, in one line; what was reported where it is left out."""
    path: str = ""
    """Of code or configuration the file, of an endpoint the operation."""
    line: int = 0
    part: str = ""
    """Of code the statement, of an endpoint the parameter, of a configuration the attribute, of a host its name."""
    text: str = ""
    """Said to whoever reported it."""


@router.add("POST", "/reports/{report}/accept", Permission.FINDINGS_DECIDE)
def accept_report(call: Call, report: int, body: Acceptance) -> ReportView:
    """Make a finding of it, in a subject that is looked after."""
    if body.kind not in LAYERS:
        raise invalid(f"a report does not become a finding of kind {body.kind}", f"choose {', '.join(LAYERS)}")
    if body.rule_class not in catalogue().classes or body.rule_class == "unchecked":
        raise invalid(f"there is no family {body.rule_class[:80]!r}", "see the families with `assay rules`, e.g. cross-site-scripting")
    if len(body.path) > _LONGEST_PATH or len(body.part) > _LONGEST_PATH or not 0 <= body.line < 1 << 31 or not body.path.isprintable():
        raise invalid(f"`path` and `part` have at most {_LONGEST_PATH} printable characters, `line` is a number of a line")
    with call.service.database.write() as link:
        row = _visible(call, reports.get(link, report, lock=True))
        place = reporting.place_of(link, body.subject)
        if place is None or not call.who.may(Permission.FINDINGS_DECIDE, place.team):
            raise not_found("this subject")
        wanted = Wanted(
            body.kind, RuleClassId(body.rule_class), body.severity, body.layer or LAYERS[body.kind], body.title.strip() or row.what,
            body.path, body.line, body.part, (("report", str(row.id)), *((("reported place", row.place),) if row.place else ())),
        )  # fmt: skip
        _need(row, (ReportState.OPEN,))
        number = reporting.write(call.service, link, place, reporting.found_in(wanted, place, row.id), call.who.login)
        step = Step(body.text.strip(), call.who.person, ReportState.ACCEPTED, number, place.id)
        return _step(call, link, row, step, "report.accepted")


class Merging(Struct, frozen=True, forbid_unknown_fields=True):
    finding: int
    """That it is about."""
    text: str = ""
    """Said to whoever reported it."""


@router.add("POST", "/reports/{report}/merge", Permission.FINDINGS_DECIDE)
def merge_report(call: Call, report: int, body: Merging) -> ReportView:
    """Say that it is about a finding that is known already."""
    with call.service.database.read() as link:
        if not findings.may_see(link, call.who.teams_with(Permission.FINDINGS_READ), body.finding):
            raise not_found("this finding")
    step = Step(body.text.strip(), call.who.person, ReportState.MERGED, body.finding)
    return _proceed(call, report, step, "report.merged", may_be=(ReportState.OPEN,))


@router.add("POST", "/reports/{report}/refuse", Permission.FINDINGS_DECIDE)
def refuse_report(call: Call, report: int, body: Words) -> ReportView:
    """Refuse it, with the reason, which whoever reported it reads."""
    return _proceed(
        call, report, Step(words(body.text), call.who.person, ReportState.REFUSED), "report.refused", may_be=(ReportState.OPEN,)
    )


@router.add("POST", "/reports/{report}/repaired", Permission.FINDINGS_DECIDE)
def repair_report(call: Call, report: int) -> ReportView:
    """Say that what was accepted is repaired: its finding closes, unless a check still sees it."""
    with call.service.database.write() as link:
        row = _visible(call, reports.get(link, report, lock=True))
        _need(row, (ReportState.ACCEPTED,))
        place = reporting.place_of(link, row.subject or 0)
        if place is not None:
            reporting.repair(call.service, link, place, row.id, call.who.login)
        return _step(call, link, row, Step("", call.who.person, ReportState.REPAIRED), "report.repaired")


def _proceed(call: Call, report: int, step: Step, action: str, *, may_be: tuple[ReportState, ...]) -> ReportView:
    with call.service.database.write() as link:
        row = _visible(call, reports.get(link, report, lock=True))
        _need(row, may_be)
        return _step(call, link, row, step, action)


def _step(call: Call, link: sa.Connection, row: ReportRow, step: Step, action: str) -> ReportView:
    if len(step.text) > 10_000:
        raise invalid("`text` is longer than 10000 characters")
    if not reports.proceed(link, row, step, call.service.now()):
        raise full()
    _note(call, link, action, "report", row.id, row.team, {"finding": str(step.finding)} if step.finding is not None else {})
    found = _visible(call, reports.get(link, row.id))
    return ReportView(found, tuple(reports.entries(link, row.id)))


def _need(row: ReportRow, may_be: tuple[ReportState, ...]) -> None:
    if row.state not in may_be:
        raise conflict(f"this report is {row.state}", "read it again: somebody may have decided meanwhile")


def _visible(call: Call, row: ReportRow | None) -> ReportRow:
    if row is None or not call.who.may(Permission.FINDINGS_DECIDE, row.team):
        raise not_found("this report")
    return row


def _note(  # noqa: PLR0913, PLR0917 - what an entry says
    call: Call, link: sa.Connection, action: str, kind: str, number: int, team: TeamId | None, details: dict[str, str] | None = None
) -> None:
    by = rights.by(call)
    now: Instant = call.service.now()
    trail.record(link, Action(now, by.actor, action, "success", by.person, kind, str(number), team, by.origin, details or {}))
