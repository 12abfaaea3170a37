"""What pages that do something share: the API's call for a visit, and values out of a form. What makes no sense is said with its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, invalid
from assaymark.server.web.screen import Visit

Chosen = TypeVar("Chosen", bound=StrEnum)


def call_of(visit: Visit) -> Call:
    """The visit as a call of the API, which does the work."""
    return Call(visit.service, visit.request, visit.principal)


def number_in(form: Mapping[str, str], name: str) -> int:
    """A whole number of a form.

    Raises:
        ApiError: 400, naming the field.
    """
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid(f"{name}={text[:40]!r} is no number")
    return int(text)


def chosen(form: Mapping[str, str], name: str, among: type[Chosen]) -> Chosen:
    """One of an enumeration's values.

    Raises:
        ApiError: 400, naming the field.
    """
    text = form.get(name, "")
    try:
        return among(text)
    except ValueError as error:
        raise invalid(f"{name}={text[:40]!r} is unknown", f"known are {', '.join(each.value for each in among)}") from error


def status_of(error: Exception | None) -> int:
    """Of a page that shows why something was not done."""
    if error is None:
        return 200
    return error.status if isinstance(error, ApiError) else 400


def acted(visit: Visit, show: Callable[[Visit, Exception | None], Response], act: Callable[[], object], onward: str) -> Response:
    """Do something and go on; where it was refused, the page again with the reason. What is not there stays not there."""
    try:
        act()
    except ApiError as error:
        if error.status == 404:
            raise
        return show(visit, error)
    except AssayError as error:
        return show(visit, error)
    return RedirectResponse(onward, 303)


def number_or_none(form: Mapping[str, str], name: str) -> int | None:
    """The same where it may be left out."""
    return number_in(form, name) if form.get(name, "").strip() else None


def words_in(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Words of a field, parted by commas, spaces or lines."""
    return tuple(form.get(name, "").replace(",", " ").split())
