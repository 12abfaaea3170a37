"""A page as data, and the way from a request to it: who is it, may he, run in a thread, render.

Whoever is not signed in is sent to the sign-in page and comes back to where he wanted to go; what he may not see is not there. Errors are
pages that say what, where and what to do. Authorisation is by the matched page, never by the URL's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from assaymark.errors import AssayError, SubjectNotFound, UsageError
from assaymark.model.access import Permission, Principal
from assaymark.server.problem import ApiError, forbidden, not_found
from assaymark.server.service import Service
from assaymark.server.web.layout import render
from assaymark.server.web.navigation import is_here, places_for

MOST_FORM_BYTES = 64 << 10
_MOST_FIELDS = 300
"""A list of 200 rows, each of which may be chosen, and what is to become of them."""

Identify = Callable[[Service, Request], Principal | None]


class Visit(Struct, frozen=True):
    """One request for a page."""

    service: Service
    request: Request
    principal: Principal | None
    form: dict[str, str]
    rooms: Mapping[str, Permission | None] = {}
    """Addresses of the pages that this server has, with what they ask."""

    @property
    def who(self) -> Principal:
        """The visitor; pages that are not public always have one."""
        if self.principal is None:
            raise ApiError(401, "unauthenticated", "nobody is signed in")
        return self.principal

    def number(self, name: str) -> int:
        """A number in the path.

        Raises:
            ApiError: 404 for what is none or too large for any row.
        """
        text = self.request.path_params[name]
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise not_found("this page")
        return int(text)

    def asked(self, name: str) -> str:
        """A parameter of the query, at most 300 characters; empty when it is missing."""
        return self.request.query_params.get(name, "")[:300]

    def need(self, permission: Permission, team: Any) -> None:
        """Raise unless this is allowed on something of that team."""
        if not self.who.may(permission, team):
            raise forbidden(permission)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A rendered template; nobody keeps a copy of what is private."""
        path = self.request.url.path
        ways = [(place, is_here(place.address, path)) for place in places_for(self.principal, self.rooms)]
        html = render(template, visitor=self.principal, path=path, main_places=ways, **values)
        return HTMLResponse(html, status, {"Cache-Control": "private, no-store"})


class Screen(Struct, frozen=True):
    """One method of one page."""

    method: str
    path: str
    show: Callable[[Visit], Response]
    permission: Permission | None
    public: bool = False


def routes(service: Service, screens: list[Screen], identify: Identify) -> list[Route]:
    """One Starlette route per page and method; fixed paths before those with parameters, in whatever order they are given."""
    rooms = {each.path: each.permission for each in screens if each.method == "GET"}
    ordered = sorted(screens, key=lambda each: [part.startswith("{") for part in each.path.split("/")])
    return [Route(each.path, _endpoint(service, each, identify, rooms), methods=[each.method], name=each.show.__name__) for each in ordered]


def _endpoint(service: Service, screen: Screen, identify: Identify, rooms: Mapping[str, Permission | None]) -> Callable[[Request], Any]:
    def perform(request: Request, form: dict[str, str]) -> Response:
        visit = Visit(service, request, _visitor(service, request, identify), form, rooms)
        if not screen.public and visit.principal is None:
            return sign_in_first(request)
        try:
            if screen.permission is not None and not visit.who.may_somewhere(screen.permission):
                raise forbidden(screen.permission)
            return screen.show(visit)
        except ApiError as error:
            return visit.page("problem.html", status=error.status, title=error.title, detail=error.detail, advice=error.advice)
        except AssayError as error:
            return visit.page("problem.html", status=_status(error), title=error.what, detail=error.why, advice=error.advice)
        except msgspec.ValidationError as error:
            return visit.page("problem.html", status=400, title="the request makes no sense", detail=str(error), advice="")

    async def endpoint(request: Request) -> Response:
        form = await _form(request) if request.method == "POST" else {}
        if form is None:
            return Response("the form is too large", 413)
        return await run_in_threadpool(perform, request, form)

    return endpoint


def nothing_here(service: Service, screens: list[Screen], identify: Identify) -> Callable[[Request], Response]:
    """The page for an address that is none, with the way back."""
    rooms = {each.path: each.permission for each in screens if each.method == "GET"}

    def page(request: Request) -> Response:
        visit = Visit(service, request, _visitor(service, request, identify), {}, rooms)
        advice = "follow a link from the first page, or search for what you look for"
        return visit.page("problem.html", status=404, title="there is nothing at this address", detail="", advice=advice)

    return page


def _visitor(service: Service, request: Request, identify: Identify) -> Principal | None:
    """A credential that ended is no error on a page: the visitor signs in again."""
    try:
        return identify(service, request)
    except ApiError:
        return None


def _status(error: AssayError) -> int:
    return 404 if isinstance(error, SubjectNotFound) else 400 if isinstance(error, UsageError) else 503


async def _form(request: Request) -> dict[str, str] | None:
    size = 0
    chunks = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_FORM_BYTES:
            return None
        chunks.append(chunk)
    request._body = b"".join(chunks)  # noqa: SLF001 - read above, with a bound that Starlette's own reader does not have
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def sign_in_first(request: Request) -> Response:
    """To the sign-in page, and back afterwards."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(wanted, safe='/')}" if request.method == "GET" else "/sign-in", 303)


def inside(text: str) -> str:
    """A place on this server to go to, or the first page: never another server."""
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or not text.startswith("/") or text.startswith(("//", "/\\")) or "\\" in text or not text.isprintable():
        return "/"
    return text
