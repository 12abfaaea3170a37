"""Pages of endorsements: all of them, one with what it rests on and how it is verified now, what people are asked, and the terms.

Guarantees: everything here is what the API answers; whether something is approved is verified when the page is asked for, never read from a
row; what was taken back or has ended is shown as that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from assaymark.endorsement.approval import stamp
from assaymark.errors import AssayError
from assaymark.model.access import Permission, TeamId
from assaymark.server.api import approvals as approvals_api
from assaymark.server.api import endorsements as api
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.endorsing_terms import MOST_DAYS, MOST_PEOPLE, EndorsingTerms, own_terms, terms_of
from assaymark.store import approvals, endorsements, revocations, teams, withdrawals
from assaymark.store.approvals import State
from assaymark.store.endorsements import Filter, Part

_READ, _APPROVE, _ASK = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_APPROVE, Permission.ENDORSEMENTS_ASK
_SET, _REVOKE = Permission.SETTINGS_WRITE, Permission.ENDORSEMENTS_REVOKE
_ROWS = 50
_MOST_REVOKED = 10
_STANDINGS = ("in force", "ended or taken back", "all")


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


# --- endorsements ----------------------------------------------------------------------------------------------------


def show_endorsements(visit: Visit) -> Response:
    """Newest first; those in force, where nothing else is asked."""
    standing = visit.asked("standing") or _STANDINGS[0]
    if standing not in _STANDINGS:
        raise invalid(f"standing={standing!r} is unknown", f"known are {', '.join(_STANDINGS)}")
    at, key = asking.as_of(visit), asking.after(visit, (int,))
    now = visit.service.now() if at is None else min(at, visit.service.now())
    asked = Filter(
        digest=visit.asked("digest").strip(), environment=visit.asked("environment").strip(),
        valid=None if standing == _STANDINGS[2] else standing == _STANDINGS[0],
    )  # fmt: skip
    mine = visit.who.teams_with(_READ)
    with visit.service.database.read() as link:
        rows, last = endorsements.page(link, mine, asked, now, Part(key[0] if key else None, _ROWS))
        some = rows or endorsements.page(link, mine, Filter(), now, Part(limit=1))[0]
        waiting = approvals.page(link, mine, State.WAITING, None, 1)
        terms = terms_of(link, None)
    return visit.page(
        "endorsements.html", rows=rows, onward=asking.onward(visit, (int(last),) if last is not None else None), standing=standing,
        standings=_STANDINGS, digest=asked.digest, environment=asked.environment, as_of=visit.asked("as_of"), some_wait=bool(waiting),
        is_empty=not some, terms=terms, may_set=visit.who.may_somewhere(_SET),
    )  # fmt: skip


def show_endorsement(visit: Visit) -> Response:
    """What it says, on what it rests, where it was logged, and whether it is believed now."""
    call = _call(visit)
    with visit.service.database.read() as link:
        row = api.visible(call, link, visit.request.path_params["name"])
        found = api.detail(call, link, row)
        names = {each: endorsements.named(link, each, visit.who.teams_with(_READ)) for each in found.lineage}
        revoked_by = _revoked_by(visit, link, int(row.id)) if row.withdrawn_at else []
    claims = found.verification.approval or {}
    return visit.page(
        "endorsement.html", found=found, row=row, lineage=names, extension=_extension(claims),
        expires=stamp(row.expires_at), may_see_findings=visit.who.may(Permission.FINDINGS_READ, row.team),
        revoked_by=revoked_by, may_revoke=visit.who.may(_REVOKE, row.team) and found.verification.ok,
    )  # fmt: skip


def _revoked_by(visit: Visit, link: sa.Connection, number: int) -> list[int]:
    """The first revocations of it that this reader may see."""
    mine = visit.who.teams_with(_READ)
    found = (revocations.one(link, each) for each, _ in withdrawals.of_endorsement(link, number)[:_MOST_REVOKED])
    return [each.id for each in found if each is not None and revocations.may_see(mine, each)]


def _extension(claims: dict[str, Any]) -> dict[str, Any]:
    from assaymark.endorsement.approval import EXTENSION  # noqa: PLC0415

    found = claims.get(EXTENSION)
    return found if isinstance(found, dict) else {}


def show_bundle(visit: Visit) -> Response:
    """What was signed, to be kept."""
    form = asking.choice(visit, "form", api.BundleForm) or api.BundleForm.SIGSTORE
    found: Response = api.get_bundle(_call(visit), visit.request.path_params["name"], form)
    return found


def ask(visit: Visit) -> Response:
    """From a change's page: have it endorsed."""
    text = visit.form.get("assessment", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid("it is not said what is to be endorsed")
    done = api.ask_endorsement(_call(visit), api.NewEndorsement(assessment=int(text)))
    if done.endorsement:
        return RedirectResponse(f"/endorsements/{quote(done.endorsement, safe=':')}", 303)
    if done.request is not None:
        return RedirectResponse(f"/endorsement-requests/{done.request}", 303)
    return RedirectResponse("/endorsements?asked=yes", 303)


# --- requests --------------------------------------------------------------------------------------------------------


def show_endorsement_requests(visit: Visit) -> Response:
    """What people are asked, newest first."""
    state, key = asking.choice(visit, "state", State), asking.after(visit, (int,))
    mine = visit.who.teams_with(_READ)
    with visit.service.database.read() as link:
        rows = approvals.page(link, mine, state, key[0] if key else None, _ROWS + 1)
    last = (rows[_ROWS - 1].id,) if len(rows) > _ROWS else None
    return visit.page(
        "endorsement-requests.html", rows=rows[:_ROWS], onward=asking.onward(visit, last), state=state or "", states=list(State)
    )


def show_endorsement_request(visit: Visit) -> Response:
    """One of them, and the form to answer it."""
    return _request(visit, 200, None)


def _request(visit: Visit, status: int, error: Exception | None) -> Response:
    call, who = _call(visit), visit.who
    with visit.service.database.read() as link:
        row = approvals_api.visible(call, link, visit.number("number"))
        counts = approvals.may_vote(row, who.person, approvals.names_of(link, who.person))
        made = endorsements.of_assessment(link, row.assessment, visit.service.now())
    voted = any(vote.login == who.login for vote in row.votes)
    may = who.may(_APPROVE, row.team)
    return visit.page(
        "endorsement-request.html", status=status, row=row, error=error, form=visit.form, may_answer=may and counts and not voted,
        is_his_own=may and not counts and row.state is State.WAITING, voted=voted, endorsement=made,
        may_ask=who.may(_ASK, row.team) and row.state in (State.DECLINED, State.LAPSED) and made is None,
    )  # fmt: skip


def answer_endorsement(visit: Visit) -> Response:
    """Approve or decline, as the button says."""
    number, reason = visit.number("number"), visit.form.get("reason", "").strip()[:1000]
    do: Callable[[], Any]
    try:
        if visit.form.get("do") == "approve":
            do = lambda: approvals_api.approve_endorsement(_call(visit), number, approvals_api.Remark(reason))  # noqa: E731
        elif not reason:
            raise invalid("the reason is missing", "say why not, in a sentence")
        else:
            do = lambda: approvals_api.decline_endorsement(_call(visit), number, approvals_api.Decline(reason))  # noqa: E731
        do()
    except (ApiError, AssayError) as error:
        return _request(visit, error.status if isinstance(error, ApiError) else 400, error)
    return RedirectResponse(f"/endorsement-requests/{number}", 303)


# --- terms -----------------------------------------------------------------------------------------------------------


def show_terms(visit: Visit) -> Response:
    """What counts for the server and for each team, with forms where they may be changed."""
    mine = visit.who.teams_with(_READ)
    with visit.service.database.read() as link:
        rows = teams.page(link, after="", limit=200, teams=mine)
        server = terms_of(link, None)
        own = [(row, terms_of(link, row.id), own_terms(link, row.id) is not None) for row in rows]
    places = [("", "the server", server, True, visit.who.may(_SET, None))]
    places += [(str(int(row.id)), f"team {row.name}", terms, is_own, visit.who.may(_SET, row.id)) for row, terms, is_own in own]
    return visit.page("endorsing-terms.html", places=places, most_days=MOST_DAYS, most_people=MOST_PEOPLE)


def put_terms(visit: Visit) -> Response:
    """As the form says; or what counts for all, for a team."""
    form, call = visit.form, _call(visit)
    team = _team(form.get("team", ""))
    if form.get("do") == "forget":
        api.change_terms(call, team, None)
    else:
        places = tuple(each.strip() for each in form.get("environments", "").replace(",", "\n").splitlines() if each.strip())
        api.change_terms(
            call,
            team,
            EndorsingTerms(
                automatic=form.get("automatic") == "yes", days=_number(form, "days", 1, MOST_DAYS), environments=_places(places),
                people=_number(form, "people", 0, MOST_PEOPLE),
            ),
        )  # fmt: skip
    return RedirectResponse("/endorsing-terms", 303)


def _team(text: str) -> TeamId | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid(f"{text[:40]!r} is no team")
    return TeamId(int(text))


def _number(form: dict[str, str], name: str, least: int, most: int) -> int:
    text = form.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not least <= int(text) <= most:
        raise invalid(f"{name} is no number from {least} to {most}")
    return int(text)


def _places(named: tuple[str, ...]) -> tuple[str, ...]:
    if len(named) > 50 or any(len(each) > 300 for each in named):
        raise invalid("these are too many environments, or one has too long a name", "at most 50, of 300 letters")
    return tuple(dict.fromkeys(named))


SCREENS = [
    Screen("GET", "/endorsements", show_endorsements, _READ),
    Screen("POST", "/endorsements", ask, _ASK),
    Screen("GET", "/endorsements/{name}", show_endorsement, _READ),
    Screen("GET", "/endorsements/{name}/bundle", show_bundle, _READ),
    Screen("GET", "/endorsement-requests", show_endorsement_requests, _READ),
    Screen("GET", "/endorsement-requests/{number}", show_endorsement_request, _READ),
    Screen("POST", "/endorsement-requests/{number}/answer", answer_endorsement, _APPROVE),
    Screen("GET", "/endorsing-terms", show_terms, _READ),
    Screen("POST", "/endorsing-terms", put_terms, _SET),
]
