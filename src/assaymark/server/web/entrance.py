"""Coming in and going out: set-up by the one-time link, sign-in, a password by link, sign-out. The API's own calls do the work."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.server import sample_organisation
from assaymark.server.api import sessions as api
from assaymark.server.api.oidc import ways_in
from assaymark.server.api.route import Call
from assaymark.server.people import links
from assaymark.server.problem import ApiError
from assaymark.server.sample import make_sample
from assaymark.server.web.screen import Screen, Visit, inside
from assaymark.store import people


def show_setup(visit: Visit) -> Response:
    """The form for the first person."""
    secret = visit.request.path_params["secret"]
    with visit.service.database.read() as connection:
        if not links.sets_up(visit.service, connection, secret):
            raise links.spent()
    return visit.page("setup.html", error=None, form={}, sample=True)


def set_up(visit: Visit) -> Response:
    """Make the first person; with the sample if he wants it."""
    form = visit.form
    secret = visit.request.path_params["secret"]
    body = api.SetUp(secret, form.get("login", ""), form.get("password", ""), form.get("name", ""))
    try:
        api.set_up(_call(visit), body)
    except (AssayError, ApiError) as error:
        return visit.page("setup.html", status=_status(error), error=error, form=form, sample="sample" in form)
    if "sample" in form:
        make_sample(visit.service)
    if "organisation" in form:
        sample_organisation.order(visit.service)
    return RedirectResponse("/changes", 303)


def show_sign_in(visit: Visit) -> Response:
    """The form; for whoever is signed in already, where he wanted to go."""
    if visit.principal is not None:
        return RedirectResponse(inside(visit.asked("next")), 303)
    with visit.service.database.read() as connection:
        if not people.anybody(connection):
            return visit.page("not-set-up.html", status=503)
    return _sign_in_page(visit, _PROBLEMS.get(visit.asked("problem")), wanted=inside(visit.asked("next")))


def _sign_in_page(visit: Visit, error: ApiError | None, *, wanted: str, login: str = "", status: int = 200) -> Response:
    ways = ways_in(_call(visit))
    providers = [(each.title, f"{each.start}?{urlencode({'to': wanted})}") for each in ways.providers]
    return visit.page("sign-in.html", status=status, error=error, login=login, wanted=wanted, providers=providers, passkeys=ways.passkeys)


_PROBLEMS = {
    "sign-in": ApiError(401, "sign-in", "the identity provider's answer did not let you in", advice="begin again, in this browser"),
    "no-account": ApiError(403, "no-account", "you have no account here", advice="ask an administrator for one"),
    "too-many-tries": ApiError(429, "too-many-tries", "there were too many tries", advice="wait a quarter of an hour"),
    "provider": ApiError(422, "provider", "the identity provider cannot be reached", advice="try again, or ask an administrator"),
}
"""What `server.api.oidc` says by the page's address: words of ours, never words from the address."""


def sign_in(visit: Visit) -> Response:
    """Begin a session."""
    login, wanted = visit.form.get("login", ""), inside(visit.form.get("next", ""))
    try:
        api.begin_session(_call(visit), api.Credentials(login, visit.form.get("password", "")))
    except ApiError as error:
        return _sign_in_page(visit, error, wanted=wanted, login=login, status=error.status)
    return RedirectResponse(wanted, 303)


def sign_out(visit: Visit) -> Response:
    """End the session."""
    api.end_present_session(_call(visit))
    return RedirectResponse("/sign-in", 303)


def show_link(visit: Visit) -> Response:
    """The form of a link to join or to choose a password anew."""
    found = api.look_at_link(_call(visit), api.Link(visit.request.path_params["secret"]))
    return visit.page("link.html", error=None, found=found)


def use_link(visit: Visit) -> Response:
    """Choose the password and come in."""
    secret = visit.request.path_params["secret"]
    found = api.look_at_link(_call(visit), api.Link(secret))
    try:
        api.redeem_link(_call(visit), api.Redemption(secret, visit.form.get("password", "")))
    except AssayError as error:
        return visit.page("link.html", status=400, error=error, found=found)
    return RedirectResponse("/", 303)


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


def _status(error: Exception) -> int:
    return error.status if isinstance(error, ApiError) else 400


SCREENS = [
    Screen("GET", "/setup/{secret}", show_setup, None, public=True),
    Screen("POST", "/setup/{secret}", set_up, None, public=True),
    Screen("GET", "/sign-in", show_sign_in, None, public=True),
    Screen("POST", "/sign-in", sign_in, None, public=True),
    Screen("POST", "/sign-out", sign_out, None),
    Screen("GET", "/link/{secret}", show_link, None, public=True),
    Screen("POST", "/link/{secret}", use_link, None, public=True),
]
