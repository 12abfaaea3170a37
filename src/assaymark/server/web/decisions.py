"""Pages of decisions: the list with what ends soon and what is carried, one decision, the form to decide or to ask about a finding, and the
requests. The API's own calls do the work, so that pages and programs may the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.decision import MOST_DAYS, DecisionKind, Justification, Scope
from assaymark.model.severity import Severity
from assaymark.server.api import decisions as api
from assaymark.server.api import wishes as wishes_api
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, forbidden, invalid, not_found
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import decision_debt, decisions, findings, subjects, wishes
from assaymark.store.decisions import Filter, Part, Standing
from assaymark.store.findings import FindingInfo, FindingRow
from assaymark.store.wishes import State

_READ, _DECIDE, _ASK = Permission.FINDINGS_READ, Permission.FINDINGS_DECIDE, Permission.FINDINGS_ASK
_ROWS, _COVERED = 50, 50
_USUAL_DAYS = 90


class Soon(StrEnum):
    """Which decisions end within so many days."""

    TWO_WEEKS = "14"
    MONTH = "30"
    QUARTER = "90"


def show_decisions(visit: Visit) -> Response:
    """What is in force, what ends soon, and how much is carried."""
    teams = visit.who.teams_with(_READ)
    at = asking.as_of(visit)
    now = _not_ahead(visit, at)
    standing, kind = asking.choice(visit, "standing", Standing) or Standing.IN_FORCE, asking.choice(visit, "kind", DecisionKind)
    soon = asking.choice(visit, "ends_within", Soon)
    key = asking.after(visit, (int,))
    asked = Filter(
        standing=standing, kind=kind, ends_before=Instant(now + int(soon) * decisions.DAY) if soon else None,
        unapproved=visit.asked("unapproved") == "yes", owner=visit.asked("owner"),
    )  # fmt: skip
    with visit.service.database.read() as link:
        rows, last = decisions.page(link, teams, asked, now, Part(key[0] if key else None, _ROWS))
        debt = decision_debt.debt(link, teams, at)
        ending = decisions.count(link, teams, Filter(ends_before=Instant(now + decisions.SOON)), now)
        waiting, _ = wishes.page(link, teams, wishes.Filter(State.WAITING), now, Part(limit=1))
    return visit.page(
        "decisions.html", rows=rows, onward=asking.onward(visit, (int(last),) if last is not None else None), debt=debt, ending=ending,
        some_wait=bool(waiting), standing=standing.value, standings=list(Standing), kind=kind or "", kinds=list(DecisionKind),
        soon=soon or "", soons=list(Soon), unapproved=asked.unapproved, owner=asked.owner, as_of=visit.asked("as_of"), now=now,
    )  # fmt: skip


def show_decision(visit: Visit) -> Response:
    """One decision, what became of it, and what it lets through."""
    return _decision(visit, 200, None)


def _decision(visit: Visit, status: int, error: Exception | None) -> Response:
    number, at = visit.number("number"), asking.as_of(visit)
    now, call = _not_ahead(visit, at), _call(visit)
    with visit.service.database.read() as link:
        row = api.visible(call, link, number, now)
        ids: list[int] = list(link.execute(decision_debt.covered(visit.who.teams_with(_READ), number, at).limit(_COVERED + 1)).scalars())
        rows = findings.rows_of(link, ids[:_COVERED], at)
    may = visit.who.may(_DECIDE, row.team) and not visit.asked("as_of") and row.standing is Standing.IN_FORCE
    return visit.page(
        "decision.html", status=status, row=row, rows=rows, more=len(ids) > _COVERED, as_of=visit.asked("as_of"), may_decide=may,
        may_approve=may and not row.approved_by and visit.who.login not in (row.made_by, row.owner), error=error, form=visit.form,
        place=_place(visit, row.scope), latest=_latest(visit, MOST_DAYS), usual=_latest(visit, _USUAL_DAYS),
    )  # fmt: skip


def approve(visit: Visit) -> Response:
    """Agree."""
    return _act(visit, api.approve_decision)


def withdraw(visit: Visit) -> Response:
    """Take it back."""
    return _act(visit, lambda call, number: api.withdraw_decision(call, number, api.Why(visit.form.get("reason", ""))))


def renew(visit: Visit) -> Response:
    """The same for longer."""
    return _act(visit, lambda call, number: api.renew_decision(call, number, api.Renewal(_day(visit), visit.form.get("reason", ""))))


def _act(visit: Visit, do: Callable[[Call, int], Any]) -> Response:
    number = visit.number("number")
    try:
        done = do(_call(visit), number)
    except (ApiError, AssayError) as error:
        return _decision(visit, _status(error), error)
    return RedirectResponse(f"/decisions/{done.id if isinstance(done, api.Made) else number}", 303)


# --- about a finding -------------------------------------------------------------------------------------------------


def show_decide(visit: Visit) -> Response:
    """The form: who may decide decides, who may not asks."""
    return _form(visit, 200, None)


def decide(visit: Visit) -> Response:
    """Decide or ask, as the button says."""
    form = visit.form
    try:
        number = _sent(visit, asks=form.get("do") == "ask")
    except (ApiError, AssayError) as error:
        return _form(visit, _status(error), error)
    return RedirectResponse(number, 303)


def _sent(visit: Visit, *, asks: bool) -> str:
    form, call = visit.form, _call(visit)
    found, rows = _finding(visit)
    where, _, number = form.get("where", "").partition(":")
    if where not in ("subject", "repository", "team", "everywhere") or (where != "everywhere" and not number.isdecimal()):
        raise invalid("it is not said where it holds", "choose one of the places")
    if len(number) > 18:
        raise not_found("what was chosen")
    kind, justification = _one_of(DecisionKind, form.get("kind", "")), form.get("justification", "")
    word = _one_of(Justification, justification) if justification and kind is DecisionKind.NOT_AFFECTED else None
    worst = max((row.severity for row in rows), key=lambda each: each.rank, default=Severity.INFO)
    severity = worst if form.get("up_to") == "yes" and rows else None
    reason, path = form.get("reason", "").strip(), form.get("path", "").strip()
    if not reason:
        raise invalid("the reason is missing", "say why, in a sentence or two")
    if asks:
        if where not in ("subject", "repository"):
            raise invalid("it is asked for one subject or repository", "choose one of them")
        body = wishes_api.NewRequest(
            kind, reason, _day(visit), path=path, severity=severity, justification=word,
            subject=int(number) if where == "subject" else None, repository=int(number) if where == "repository" else None,
        )  # fmt: skip
        return f"/requests/{wishes_api.ask_for_decision(call, found.id, body).id}"
    scope = Scope(
        finding=found.fingerprint, path=path, severity=severity,
        subject=SubjectId(int(number)) if where == "subject" else None,
        repository=RepositoryId(int(number)) if where == "repository" else None,
        team=TeamId(int(number)) if where == "team" else None,
    )  # fmt: skip
    made = api.make_decision(call, api.NewDecision(kind, scope, reason, _day(visit), form.get("owner", "").strip()[:200], word))
    return f"/decisions/{made.id}"


def _form(visit: Visit, status: int, error: Exception | None) -> Response:
    found, rows = _finding(visit)
    with visit.service.database.read() as link:
        places: dict[str, str] = {}
        for row in rows:
            about = subjects.one(link, row.subject.id)
            name = findings.repository_name(link, row.subject.id)
            if about is not None and about.repository is not None:
                places.setdefault(f"repository:{about.repository}", f"everything of {name}")
            places.setdefault(f"subject:{row.subject.id}", f"only {row.subject.name}")
        mine = visit.who.teams_with(_DECIDE)
        asked, _ = wishes.page(link, visit.who.teams_with(_READ), wishes.Filter(finding=found.id), visit.service.now(), Part(limit=10))
    may = visit.who.may_somewhere(_DECIDE) and any(visit.who.may(_DECIDE, row.team) for row in rows)
    if not may and not visit.who.may_somewhere(_ASK):
        raise forbidden(_ASK)
    ordered = sorted(places.items(), key=lambda each: not each[0].startswith("repository"))
    if mine is None:
        ordered.append(("everywhere", "everywhere, in things of every team"))
    return visit.page(
        "decide.html", status=status, found=found, rows=rows[:10], scopes=ordered, kinds=list(DecisionKind), error=error, form=visit.form,
        words=list(Justification), may_decide=may, may_ask=visit.who.may_somewhere(_ASK), latest=_latest(visit, MOST_DAYS),
        usual=_latest(visit, _USUAL_DAYS), today=_latest(visit, 0), asked=asked,
    )  # fmt: skip


def _finding(visit: Visit) -> tuple[FindingInfo, list[FindingRow]]:
    number, teams = visit.number("number"), visit.who.teams_with(_READ)
    with visit.service.database.read() as link:
        found = findings.by_id(link, number)
        if found is None or not findings.may_see(link, teams, number):
            raise not_found("this finding")
        rows, _ = findings.page(link, teams, findings.Filter(finding=number), findings.Part(limit=50))
    return found, rows


# --- requests --------------------------------------------------------------------------------------------------------


def show_requests(visit: Visit) -> Response:
    """What was asked for: one's own, and those of teams whose findings one reads."""
    state, mine = asking.choice(visit, "state", State), visit.asked("mine") == "yes"
    at = asking.as_of(visit)
    key = asking.after(visit, (int,))
    asked = wishes.Filter(state, visit.who.person if mine else None)
    teams = None if mine else visit.who.teams_with(_READ)
    with visit.service.database.read() as link:
        rows, last = wishes.page(link, teams, asked, _not_ahead(visit, at), Part(key[0] if key else None, _ROWS))
    return visit.page(
        "requests.html", rows=rows, onward=asking.onward(visit, (int(last),) if last is not None else None), state=state or "",
        states=list(State), mine=mine, as_of=visit.asked("as_of"),
    )  # fmt: skip


def show_request(visit: Visit) -> Response:
    """One request, and the form to answer it."""
    return _request(visit, 200, None)


def answer(visit: Visit) -> Response:
    """Grant or refuse."""
    form, number = visit.form, visit.number("number")
    try:
        grants = form.get("do") == "grant"
        reply = wishes_api.Reply(grants, form.get("reason", "").strip(), until=_day(visit) if grants else None)
        if not reply.reason:
            raise invalid("the answer's reason is missing", "say why, in a sentence")
        row = wishes_api.answer_request(_call(visit), number, reply)
    except (ApiError, AssayError) as error:
        return _request(visit, _status(error), error)
    return RedirectResponse(f"/requests/{row.id}", 303)


def _request(visit: Visit, status: int, error: Exception | None) -> Response:
    with visit.service.database.read() as link:
        row = wishes_api.visible(_call(visit), link, visit.number("number"), visit.service.now())
    mine = row.person == visit.who.person or row.asked_by == visit.who.login
    return visit.page(
        "request.html", status=status, row=row, error=error, form=visit.form, latest=_latest(visit, MOST_DAYS),
        may_answer=row.state is State.WAITING and not mine and visit.who.may(_DECIDE, row.team), place=_place(visit, row.scope),
    )  # fmt: skip


# --- what they share -------------------------------------------------------------------------------------------------


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


def _not_ahead(visit: Visit, at: Instant | None) -> Instant:
    now = visit.service.now()
    return now if at is None else min(at, now)


def _status(error: Exception) -> int:
    return error.status if isinstance(error, ApiError) else 400


def _latest(visit: Visit, days: int) -> str:
    return (decisions.day_of(visit.service.now()) + dt.timedelta(days=days)).isoformat()


def _day(visit: Visit) -> dt.date:
    text = visit.form.get("until", "")
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"{text[:40]!r} is no day", "write it as 2027-01-31") from error


def _one_of(kinds: Any, text: str) -> Any:
    try:
        return kinds(text)
    except ValueError as error:
        raise invalid(f"{text[:40]!r} is unknown", f"known are {', '.join(kinds)}") from error


def _place(visit: Visit, scope: Scope) -> tuple[str, str]:
    """Where it holds, in words, and the address of that."""
    with visit.service.database.read() as link:
        if scope.subject is not None:
            row = subjects.one(link, SubjectId(scope.subject))
            return (row.name if row else f"subject {scope.subject}", f"/subjects/{scope.subject}")
        if scope.repository is not None:
            name = decisions.repository_name(link, RepositoryId(scope.repository))
            return (f"everything of {name}", f"/findings?{urlencode({'repository': scope.repository})}")
        if scope.team is not None:
            return (f"everything of team {decisions.team_name(link, scope.team)}", f"/findings?{urlencode({'team': scope.team})}")
    return ("everywhere", "")


SCREENS = [
    Screen("GET", "/decisions", show_decisions, _READ),
    Screen("GET", "/decisions/{number}", show_decision, _READ),
    Screen("POST", "/decisions/{number}/approve", approve, _DECIDE),
    Screen("POST", "/decisions/{number}/withdraw", withdraw, _DECIDE),
    Screen("POST", "/decisions/{number}/renew", renew, _DECIDE),
    Screen("GET", "/findings/{number}/decide", show_decide, _READ),
    Screen("POST", "/findings/{number}/decide", decide, _READ),
    Screen("GET", "/requests", show_requests, _READ),
    Screen("GET", "/requests/{number}", show_request, _READ),
    Screen("POST", "/requests/{number}/answer", answer, _DECIDE),
]
