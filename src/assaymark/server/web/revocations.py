"""Pages about what was taken back: the list, one revocation with what it withdrew and what runs on that, and making one after a look at it.

Guarantees: nothing is revoked before the page has shown what that would hit; each page asks what an operation of the API asks.
"""

from __future__ import annotations

from msgspec import structs
from starlette.responses import RedirectResponse, Response

from assaymark.endorsement.revocation import Target
from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import revocations as api
from assaymark.server.api.revocations import Aim, Hits, NewRevocation, Wanted
from assaymark.server.problem import ApiError
from assaymark.server.web import asking
from assaymark.server.web.doing import call_of, chosen, status_of
from assaymark.server.web.screen import Screen, Visit
from assaymark.store.revocations import LONGEST_REASON

_READ, _REVOKE = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_REVOKE
_TARGETS = {
    Target.ENDORSEMENT: "One endorsement, by its name",
    Target.SUBJECT: "What has this digest",
    Target.KEY: "Whatever this key signed",
    Target.ENGINE: "Whatever this release or these rules judged",
    Target.COMPONENT: "Whatever holds this component",
    Target.POLICY: "Whatever this policy let pass",
}


def show_revocations(visit: Visit) -> Response:
    """The newest first."""
    target = asking.choice(visit, "target", Target)
    page = api.list_revocations(call_of(visit), Wanted(target.value if target else ""), visit.request.query_params.get("after"))
    return visit.page(
        "revocations.html",
        rows=page.items,
        targets=[each.value for each in Target],
        target=target.value if target else "",
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        may_revoke=visit.who.may_somewhere(_REVOKE),
    )


def show_revocation(visit: Visit) -> Response:
    """One, with what came of it."""
    number, call = visit.number("number"), call_of(visit)
    row = api.get_revocation(call, number)
    withdrawn = api.list_withdrawn(call, number, visit.request.query_params.get("after"))
    return visit.page(
        "revocation.html",
        row=row,
        withdrawn=withdrawn.items,
        onward=asking.address(visit, {"after": withdrawn.next}) if withdrawn.next else None,
        runs=api.list_running(call, number),
        led=api.list_revocations(call, Wanted(parent=number)) if not row.listed else None,
    )


def show_new(visit: Visit) -> Response:
    """The form; with a target and a name also what that would hit."""
    form = {name: visit.asked(name) for name in ("target", "name", "versions", "since", "until", "reason")}
    if not form["name"].strip():
        return _form(visit, form, None, None)
    try:
        return _form(visit, form, api.preview_revocation(call_of(visit), _aim(form)), None)
    except (ApiError, AssayError) as error:
        return _form(visit, form, None, error)


def make(visit: Visit) -> Response:
    """Revoke, and show what that did; refused, the form again."""
    form = {name: visit.form.get(name, "") for name in ("target", "name", "versions", "since", "until", "reason")}
    try:
        aim = _aim(form)
        asked = NewRevocation(**structs.asdict(aim), reason=form["reason"].strip()[:LONGEST_REASON])
        made = api.make_revocation(call_of(visit), asked)
    except (ApiError, AssayError) as error:
        return _form(visit, form, None, error)
    return RedirectResponse(f"/revocations/{made.id}", 303)


def _aim(form: dict[str, str]) -> Aim:
    return Aim(chosen(form, "target", Target), form["name"].strip(), form["versions"].strip(), _time(form["since"]), _time(form["until"]))


def _time(text: str) -> str:
    """As browsers write a moment, which is meant in UTC here."""
    text = text.strip()
    return f"{text}Z" if text and text[-1:] not in {"Z", "z"} and "+" not in text else text


def _form(visit: Visit, form: dict[str, str], hits: Hits | None, error: Exception | None) -> Response:
    return visit.page(
        "revocation-new.html", status=status_of(error), targets=[(each.value, text) for each, text in _TARGETS.items()], form=form,
        hits=hits, error=error,
    )  # fmt: skip


SCREENS = [
    Screen("GET", "/revocations", show_revocations, _READ),
    Screen("GET", "/revocations/new", show_new, _REVOKE),
    Screen("POST", "/revocations", make, _REVOKE),
    Screen("GET", "/revocations/{number}", show_revocation, _READ),
]
