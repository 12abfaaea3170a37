"""Reports on pages: the public form and what became of a report, for anybody who has the link; triage for those who decide."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.model.assessment import SECOND
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.server.api import outside, security_txt
from assaymark.server.api import reports as api
from assaymark.server.api.outside import LONGEST, NewReport, Words
from assaymark.server.problem import ApiError, invalid, not_found
from assaymark.server.web import asking
from assaymark.server.web.doing import call_of, chosen, number_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.reporting import LAYERS
from assaymark.store import reports, subjects, teams
from assaymark.store.reports import ReportState
from assaymark.store.teams import TeamRow

_MOST_SUBJECTS, _MOST_TEAMS = 100, 200


# --- for anybody -----------------------------------------------------------------------------------------------------


def show_report(visit: Visit) -> Response:
    """The form."""
    return _form(visit, None)


def _form(visit: Visit, error: ApiError | None) -> Response:
    addressee = outside.look_at_report_link(call_of(visit), visit.request.path_params["link"])
    status = error.status if error else 200
    return visit.page("report.html", status=status, addressee=addressee, error=error, form=visit.form, longest=LONGEST)


def report(visit: Visit) -> Response:
    """Take it, and lead to where it can be followed."""
    given = {name: visit.form.get(name, "") for name in NewReport.__struct_fields__}
    try:
        made = outside.report_something(call_of(visit), visit.request.path_params["link"], NewReport(**given))
    except ApiError as error:
        if error.status == 404:
            raise
        return _form(visit, error)
    return RedirectResponse(made.follow.removeprefix(visit.service.settings.url) + "?new=1", 303)


def show_followed(visit: Visit) -> Response:
    """What became of it."""
    return _followed(visit, None)


def _followed(visit: Visit, error: ApiError | None) -> Response:
    secret = visit.request.path_params["secret"]
    found = outside.follow_report(call_of(visit), secret)
    address = f"{visit.service.settings.url}/follow/{secret}"
    status = error.status if error else 200
    return visit.page("follow.html", status=status, found=found, address=address, is_new=bool(visit.asked("new")), error=error)


def answer_followed(visit: Visit) -> Response:
    """Say more about it."""
    secret = visit.request.path_params["secret"]
    try:
        outside.answer_as_reporter(call_of(visit), secret, Words(visit.form.get("text", "")))
    except ApiError as error:
        if error.status == 404:
            raise
        return _followed(visit, error)
    return RedirectResponse(f"/follow/{secret}", 303)


def show_security_txt(visit: Visit) -> Response:
    """To whom something is reported (RFC 9116)."""
    found = security_txt.kept(call_of(visit))
    if found is None or found.expires_at <= visit.service.now() + SECOND:
        raise not_found("security.txt")
    return PlainTextResponse(security_txt.text_of(found, visit.service.settings.url), headers={"Cache-Control": "public, max-age=3600"})


# --- for those who decide --------------------------------------------------------------------------------------------


def show_reports(visit: Visit) -> Response:
    """Those that wait, newest first."""
    state = asking.choice(visit, "state", ReportState) or ReportState.OPEN
    page = api.list_reports(call_of(visit), state, after=visit.request.query_params.get("after"))
    onward = asking.address(visit, {"after": page.next}) if page.next else None
    return visit.page("reports.html", rows=page.items, onward=onward, state=state.value, states=list(ReportState))


def show_one_report(visit: Visit) -> Response:
    """One report, and what can be done about it."""
    return _one(visit, None)


def _one(visit: Visit, error: Exception | None) -> Response:
    found = api.get_report(call_of(visit), visit.number("number"))
    words = visit.asked("subject")
    asked = subjects.Filter(team=found.report.team, name=words)
    with visit.service.database.read() as link:
        rows, _ = subjects.page(
            link, visit.who.teams_with(Permission.FINDINGS_DECIDE), asked, subjects.Part(subjects.Order.NAME, limit=_MOST_SUBJECTS)
        )
        link_row = reports.link(link, found.report.link)
    return visit.page(
        "triage.html",
        status=error.status if isinstance(error, ApiError) else 400 if error else 200,
        report=found.report,
        entries=found.entries,
        by=link_row.name if link_row else "",
        subjects=rows,
        families=sorted(name for name in catalogue().classes if name != "unchecked"),
        kinds=[kind.value for kind in LAYERS],
        ranks=[each.value for each in reversed(Severity)],
        form=visit.form,
        words=words,
        error=error,
    )


def decide_report(visit: Visit) -> Response:
    """Accept, merge, refuse, answer, or say that it is repaired."""
    number, form = visit.number("number"), visit.form
    call, text = call_of(visit), visit.form.get("text", "")
    try:
        match form.get("do", ""):
            case "accept":
                api.accept_report(call, number, _acceptance(form))
            case "merge":
                api.merge_report(call, number, api.Merging(number_in(form, "finding"), text))
            case "refuse":
                api.refuse_report(call, number, Words(text))
            case "repaired":
                api.repair_report(call, number)
            case "answer":
                api.answer_report(call, number, Words(text))
            case _:
                raise invalid("nothing was chosen", "press one of the buttons")
    except (ApiError, AssayError) as error:
        return _one(visit, error)
    return RedirectResponse(f"/reports/{number}", 303)


def _acceptance(form: dict[str, str]) -> api.Acceptance:
    line = form.get("line", "").strip()
    return api.Acceptance(
        subject=number_in(form, "subject"),
        rule_class=form.get("rule_class", ""),
        severity=chosen(form, "severity", Severity),
        kind=chosen(form, "kind", type(next(iter(LAYERS)))),
        title=form.get("title", ""),
        path=form.get("path", "").strip(),
        line=number_in(form, "line") if line else 0,
        part=form.get("part", "").strip(),
        text=form.get("text", ""),
    )


def show_report_links(visit: Visit) -> Response:
    """Links by which anybody may report something."""
    return _links(visit, None, "")


def _links(visit: Visit, error: Exception | None, address: str) -> Response:
    page = api.list_report_links(call_of(visit), after=visit.request.query_params.get("after"))
    allowed = visit.who.teams_with(Permission.FINDINGS_DECIDE)
    with visit.service.database.read() as link:
        listed: list[TeamRow] = teams.page(link, after="", limit=_MOST_TEAMS, teams=allowed)
    names = {team.id: team.name for team in listed}
    status = error.status if isinstance(error, ApiError) else 400 if error else 200
    onward = asking.address(visit, {"after": page.next}) if page.next else None
    return visit.page(
        "report-links.html", status=status, rows=page.items, onward=onward, teams=listed, names=names, may_leave_out=allowed is None,
        address=address, error=error,
    )  # fmt: skip


def change_report_links(visit: Visit) -> Response:
    """Make a link, which is shown this once, or revoke one."""
    form = visit.form
    try:
        if form.get("do") == "revoke":
            api.revoke_report_link(call_of(visit), number_in(form, "link"))
            return RedirectResponse("/reports/links", 303)
        team = number_in(form, "team") if form.get("team") else None
        made = api.create_report_link(call_of(visit), api.NewLink(form.get("name", ""), team))
    except (ApiError, AssayError) as error:
        return _links(visit, error, "")
    return _links(visit, None, made.address)


SCREENS = [
    Screen("GET", "/report/{link}", show_report, None, public=True),
    Screen("POST", "/report/{link}", report, None, public=True),
    Screen("GET", "/follow/{secret}", show_followed, None, public=True),
    Screen("POST", "/follow/{secret}", answer_followed, None, public=True),
    Screen("GET", "/.well-known/security.txt", show_security_txt, None, public=True),
    Screen("GET", "/reports", show_reports, Permission.FINDINGS_DECIDE),
    Screen("GET", "/reports/links", show_report_links, Permission.FINDINGS_DECIDE),
    Screen("POST", "/reports/links", change_report_links, Permission.FINDINGS_DECIDE),
    Screen("GET", "/reports/{number}", show_one_report, Permission.FINDINGS_DECIDE),
    Screen("POST", "/reports/{number}", decide_report, Permission.FINDINGS_DECIDE),
]
