"""One's own mail: when it comes; and the page that ends it by a link, without signing in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.happening import HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.api import digests as api
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, not_found
from assaymark.server.web.channels import chosen
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.digests import by_link
from assaymark.store import digests, people, trail
from assaymark.store.digests import Every
from assaymark.store.trail import Action

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_OFFERED = tuple(kind for kind in HappeningKind if kind is not HappeningKind.CHANNEL_TESTED)


def show_digest(visit: Visit) -> Response:
    """The form, as it is set."""
    return _show(visit, None, 200)


def change_digest(visit: Visit) -> Response:
    """Set it."""
    form = visit.form

    def number(name: str) -> int:
        text = form.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else -1

    every = Every.WEEK if form.get("every") == Every.WEEK else Every.DAY
    if not 0 <= number("weekday") <= 6 or not 0 <= number("hour") <= 23:
        return _show(visit, ApiError(400, "invalid", "that is no time", advice="choose a day and an hour"), 400)
    return _done(visit, lambda call: api.put_digest(call, api.NewDigest(every, number("weekday"), number("hour"), chosen(form))))


def stop_digest(visit: Visit) -> Response:
    """Get none any more."""
    return _done(visit, api.end_digest)


def try_digest(visit: Visit) -> Response:
    """Send it now."""
    return _done(visit, api.send_digest)


def show_end(visit: Visit) -> Response:
    """What the link in a mail leads to: asks once more, because programs that look at mails follow links."""
    with visit.service.database.read() as link:
        person = by_link(visit.service, link, visit.request.path_params["secret"])
        if person is None:
            raise not_found("this link")
    return visit.page("digest-end.html", is_done=False)


def end_by_link(visit: Visit) -> Response:
    """End it, also by the button of a mail program (RFC 8058)."""
    with visit.service.database.write() as link:
        person = by_link(visit.service, link, visit.request.path_params["secret"])
        who = people.get(link, person) if person is not None else None
        if person is None or who is None:
            raise not_found("this link")
        digests.end(link, person)
        trail.record(
            link, Action(visit.service.now(), who.login, "digest.ended", "success", person, "person", str(person), details={"by": "link"})
        )
    return visit.page("digest-end.html", is_done=True)


def _done(visit: Visit, do: Callable[[Call], Any]) -> Response:
    try:
        do(Call(visit.service, visit.request, visit.principal))
    except ApiError as error:
        return _show(visit, error, error.status)
    except AssayError as error:
        return _show(visit, error, 400)
    return RedirectResponse("/settings/digest", 303)


def _show(visit: Visit, error: Exception | None, status: int) -> Response:
    with visit.service.database.read() as link:
        row, who = digests.get(link, visit.who.person), people.get(link, visit.who.person)
    return visit.page(
        "digest.html", status=status, error=error, row=row, address=who.email if who is not None else "", days=DAYS, kinds=_OFFERED,
        weights=list(Severity), is_set_up=bool(visit.service.settings.mail), rhythms=list(Every),
    )  # fmt: skip


SCREENS = [
    Screen("GET", "/settings/digest", show_digest, None),
    Screen("POST", "/settings/digest", change_digest, None),
    Screen("POST", "/settings/digest/end", stop_digest, None),
    Screen("POST", "/settings/digest/send", try_digest, None),
    Screen("GET", "/mail/end/{secret}", show_end, None, public=True),
    Screen("POST", "/mail/end/{secret}", end_by_link, None, public=True),
]
