"""Policies of the organisation: the list, one of them, a version beside what is in force, its steps. The API's own calls do the work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import policies as api
from assaymark.server.api import policy_sources as sources_api
from assaymark.server.api.policies import VersionView
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, invalid, not_found
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work import activation
from assaymark.store import policies, policy_sources, repositories
from assaymark.store.policies import VersionRow
from assaymark.store.policy_sources import SourceRow
from assaymark.verdict.organisation import weaker
from assaymark.verdict.rules import gate_of

_READ, _WRITE = Permission.POLICIES_READ, Permission.POLICIES_WRITE
_ROWS = 50
_MOST_LINES = 3000
"""Of two documents that are compared line by line."""
STARTER = """\
kind: Policy
metadata:
  name: base-line
  version: 1.0.0
  description: What every repository keeps to.
floor:
  fail_on: high
rules:
  - id: no-critical
    when: finding.rank >= rank.critical
    action: stop
    message: a critical weakness goes nowhere
    advice: repair it; if that cannot be done today, ask the security team for a decision
    examples:
      - holds: true
        finding: {severity: critical}
      - holds: false
        finding: {severity: high}
"""


def show_policies(visit: Visit) -> Response:
    """By name, with what is in force and where it lives."""
    key = asking.after(visit, (str,))
    with visit.service.database.read() as link:
        rows = policies.page(link, visit.service.now(), after=key[0] if key else "", limit=_ROWS + 1)
        sources = policy_sources.page(link, after=0, limit=200)
    return visit.page(
        "policies.html",
        rows=rows[:_ROWS],
        sources=sources,
        onward=asking.onward(visit, (rows[_ROWS - 1].name,) if len(rows) > _ROWS else None),
        may_write=_may_write(visit),
    )


def show_policy(visit: Visit) -> Response:
    """One policy: what is in force, what waits, what was done."""
    name = visit.request.path_params["name"]
    with visit.service.database.read() as link:
        newest = policies.newest(link, name)
        if newest is None:
            raise not_found("this policy")
        now = policies.standing(link, name, visit.service.now())
        versions = policies.history(link, name, limit=20)
        events = policies.events_of(link, name, limit=_ROWS)
        source = policy_sources.get(link, newest.source) if newest.source is not None else None
    shown = now or newest
    policy = api.parsed(shown)
    asked = next((each for each in events if each.kind != policies.EventKind.PROPOSED), None)
    return visit.page(
        "policy.html",
        name=name,
        now=now,
        shown=shown,
        policy=policy,
        gate={each: str(value).lower() if isinstance(value, bool) else value for each, value in gate_of(policy.floor).items()}
        if policy
        else {},
        versions=versions,
        events=events,
        source=source,
        numbers={row.id: row.version for row in versions},
        retiring=asked if asked is not None and asked.kind == policies.EventKind.RETIREMENT_PROPOSED else None,
        may_write=_may_write(visit),
        latest_day=_latest_day(visit),
        error=None,
    )


def show_version(visit: Visit) -> Response:
    """A version: its document, and what it changes in what is in force."""
    return _version_page(visit, 200, None)


def _version_page(visit: Visit, status: int, error: Exception | None) -> Response:
    name, number = visit.request.path_params["name"], visit.request.path_params["version"]
    with visit.service.database.read() as link:
        row = api.found_version(link, name, number)
        now = policies.standing(link, name, visit.service.now())
        other = visit.asked("beside")
        beside = api.found_version(link, name, other) if other else now
        weakens = activation.weakened(link, visit.service.now(), name, row)
        events = policies.events_of_version(link, row.id)
        source = policy_sources.get(link, row.source) if row.source is not None else None
    return visit.page(
        "policy-version.html",
        status=status,
        row=row,
        now=now,
        beside=beside if beside is not None and beside.id != row.id else None,
        lines=_difference(beside, row),
        compared=[each.text for each in weaker(api.parsed(beside), api.parsed(row))] if beside is not None else [],
        weakens=[each.text for each in weakens],
        events=events[::-1],
        source=source,
        may_write=_may_write(visit),
        latest_day=_latest_day(visit),
        form=visit.form,
        error=error,
    )


def _difference(before: VersionRow | None, after: VersionRow) -> list[tuple[str, str]] | None:
    """(kind, line) of two documents; None where there is nothing to compare, or too much."""
    if before is None or before.id == after.id:
        return None
    old, new = before.document.splitlines(), after.document.splitlines()
    if len(old) + len(new) > _MOST_LINES:
        return None
    import difflib  # noqa: PLC0415 - few pages compare

    kinds = {"+": "added", "-": "removed", "@": "place"}
    told = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    return [(kinds.get(line[:1], "same"), line) for line in told]


def show_new(visit: Visit) -> Response:
    """The form, with a document to begin with, or the version that is to be followed."""
    name = visit.asked("from")
    document = STARTER
    if name:
        with visit.service.database.read() as link:
            row = policies.newest(link, name)
        document = row.document if row is not None and row.source is None else STARTER
    return visit.page("policy-new.html", document=document, comment="", checked=None, error=None, may_write=_may_write(visit))


def propose(visit: Visit) -> Response:
    """Look at a document, or propose it."""
    document, comment = visit.form.get("document", "").replace("\r\n", "\n"), visit.form.get("comment", "")
    text = api.Text(document, comment)
    try:
        if visit.form.get("action") == "propose":
            made = api.propose_policy(_call(visit), text)
            return RedirectResponse(_address(made), 303)
        checked, error, status = api.check_policy(_call(visit), text), None, 200
    except ApiError as problem:
        checked, error, status = None, problem, problem.status
    return visit.page(
        "policy-new.html", status=status, document=document, comment=comment, checked=checked, error=error, may_write=_may_write(visit)
    )


def review(visit: Visit) -> Response:
    """Approve or object."""
    approves = visit.form.get("word") == "approve"
    body = api.Review(approves, visit.form.get("comment", ""))
    return _step(visit, lambda call, name, version: api.review_policy(call, name, version, body))


def activate(visit: Visit) -> Response:
    """Let it take effect."""
    return _step(visit, lambda call, name, version: api.activate_policy(call, name, version, api.Activation(_exception(visit))))


def _step(visit: Visit, do: Callable[[Call, str, str], object]) -> Response:
    name, version = visit.request.path_params["name"], visit.request.path_params["version"]
    try:
        do(_call(visit), name, version)
    except ApiError as error:
        return _version_page(visit, error.status, error)
    return RedirectResponse(f"/policies/{quote(name)}/{quote(version)}", 303)


def retire(visit: Visit) -> Response:
    """Ask for it, or answer who asked."""
    name = visit.request.path_params["name"]
    exception = _exception(visit)
    if exception is None:
        api.propose_retirement(_call(visit), name, api.Ending(visit.form.get("comment", "")))
    else:
        api.retire_policy(_call(visit), name, api.Retirement(exception))
    return RedirectResponse(f"/policies/{quote(name)}", 303)


def _exception(visit: Visit) -> activation.Wanted | None:
    """What the form says; None when nothing of it is filled in."""
    reason, owner, until = (visit.form.get(name, "").strip() for name in ("reason", "owner", "until"))
    if not (reason or owner or until):
        return None
    try:
        return activation.Wanted(reason, owner, dt.date.fromisoformat(until))
    except ValueError as error:
        raise invalid(f"{until[:40]!r} is no day", "write it as 2026-11-23") from error


def show_sources(visit: Visit) -> Response:
    """Repositories in which policies live."""
    return _sources_page(visit, 200, None)


def _sources_page(visit: Visit, status: int, error: Exception | None) -> Response:
    allowed = visit.who.teams_with(Permission.SUBJECTS_READ)
    with visit.service.database.read() as link:
        rows: list[SourceRow] = policy_sources.page(link, after=0, limit=200)
        known = repositories.page(link, allowed, after=0, limit=200, conditions=(repositories.ALIVE,))
    return visit.page(
        "policy-sources.html", status=status, rows=rows, repositories=known, may_write=_may_write(visit), error=error, form=visit.form
    )


def change_sources(visit: Visit) -> Response:
    """Add one, read one now, or end one."""
    form, call = visit.form, _call(visit)
    number = _number(form.get("source", "") or form.get("repository", ""))
    try:
        if form.get("action") == "end":
            sources_api.end_policy_source(call, number)
        elif form.get("action") == "read":
            sources_api.read_policy_source(call, number)
        else:
            sources_api.add_policy_source(call, sources_api.NewSource(number, form.get("path", ""), form.get("branch", "").strip()))
    except ApiError as error:
        return _sources_page(visit, error.status, error)
    except AssayError as error:
        return _sources_page(visit, 400, error)
    return RedirectResponse("/policies/sources", 303)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _address(view: VersionView) -> str:
    return f"/policies/{quote(view.name)}/{quote(view.version)}"


def _may_write(visit: Visit) -> bool:
    return visit.who.may(_WRITE, None)


def _latest_day(visit: Visit) -> str:
    today = dt.datetime.fromtimestamp(visit.service.now() / 1e6, dt.UTC).date()
    return (today + dt.timedelta(days=activation.MOST_DAYS)).isoformat()


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


SCREENS = [
    Screen("GET", "/policies", show_policies, _READ),
    Screen("GET", "/policies/new", show_new, _READ),
    Screen("POST", "/policies/new", propose, _READ),
    Screen("GET", "/policies/sources", show_sources, _READ),
    Screen("POST", "/policies/sources", change_sources, _WRITE),
    Screen("GET", "/policies/{name}", show_policy, _READ),
    Screen("POST", "/policies/{name}/retire", retire, _WRITE),
    Screen("POST", "/policies/{name}/{version}/review", review, _WRITE),
    Screen("POST", "/policies/{name}/{version}/activate", activate, _WRITE),
    Screen("GET", "/policies/{name}/{version}", show_version, _READ),
]
