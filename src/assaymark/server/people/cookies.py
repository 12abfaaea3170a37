"""Cookies that the server sets: never readable by scripts, never sent with another site's posts, bound to this host when served by HTTPS.

``__Host-`` makes the browser refuse a cookie of that name that another host of the domain, or plain HTTP, tries to plant. A cookie is put
on a request: `outer.Outer` adds it to whatever answer that request gets, so that API and pages set them alike.
"""

from __future__ import annotations

from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from assaymark.server.settings import Settings

TO_SET = "assaymark.cookies"
"""Key of the request's scope: list of `Set-Cookie` values."""


class Cookie(StrEnum):
    SESSION = "assay_session"
    CEREMONY = "assay_ceremony"
    """Binds a sign-in that takes several requests (passkey, identity provider) to the browser that began it."""
    DEVICE = "assay_device"
    """Shows that somebody signed in here before, so that strangers who guess cannot lock him out."""


def name(settings: Settings, cookie: Cookie) -> str:
    """As the browser knows it."""
    return f"__Host-{cookie.value}" if settings.is_https else cookie.value


def read(settings: Settings, request: Request, cookie: Cookie) -> str:
    """Its value, empty when there is none."""
    return request.cookies.get(name(settings, cookie), "")


def put(request: Request, settings: Settings, cookie: Cookie, value: str, *, seconds: int) -> None:
    """Set it with the answer to this request; an empty value with 0 seconds takes it away."""
    carrier = Response()
    carrier.set_cookie(name(settings, cookie), value, max_age=seconds, path="/", secure=settings.is_https, httponly=True, samesite="lax")
    request.scope.setdefault(TO_SET, []).append(carrier.headers["set-cookie"])


def clear(request: Request, settings: Settings, cookie: Cookie) -> None:
    """Take it away."""
    put(request, settings, cookie, "", seconds=0)
