"""What a page is asked for in its address: an instant, a place in a list, choices. What makes no sense is said, not overlooked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from assaymark.model.assessment import SECOND, Instant
from assaymark.server.api import cursor
from assaymark.server.problem import invalid
from assaymark.server.web.screen import Visit

LATEST_YEAR = 9000
Chosen = TypeVar("Chosen", bound=StrEnum)


def as_of(visit: Visit) -> Instant | None:
    """The end of the day that was asked for, in UTC; None is now.

    Raises:
        ApiError: when it is no day, or lies ahead.
    """
    text = visit.asked("as_of")
    return day_end(text, visit.service.now()) if text else None


def day_end(text: str, now: Instant) -> Instant:
    """The last microsecond of a day that has begun, in UTC.

    Raises:
        ApiError: when it is no day, or lies ahead.
    """
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"{text!r} is no day", "write it as 2026-11-23") from error
    if not 1970 <= day.year <= LATEST_YEAR:
        raise invalid(f"{text!r} is out of range")
    begin = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    if begin * SECOND > now:
        raise invalid(f"{text!r} lies ahead", "nobody knows yet what will be true then; leave it out for now")
    return Instant((begin + 86_400) * SECOND - 1)


def after(visit: Visit, types: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The sort key at which the last page ended."""
    text = visit.request.query_params.get("after", "")
    return cursor.decode(text, types) if text else None


def onward(visit: Visit, key: tuple[Any, ...] | None) -> str | None:
    """Address of the following page, with everything else that was asked for."""
    return None if key is None else address(visit, {"after": cursor.encode(key)})


def address(visit: Visit, changed: Mapping[str, str]) -> str:
    """The page with other choices; empty ones are left out."""
    kept = {name: value[:300] for name, value in visit.request.query_params.items() if name != "after"}
    words = {name: value for name, value in {**kept, **changed}.items() if value}
    return f"{visit.request.url.path}?{urlencode(words)}" if words else visit.request.url.path


def choice(visit: Visit, name: str, among: type[Chosen]) -> Chosen | None:
    """One of an enumeration's values, or None.

    Raises:
        ApiError: when it is none of them.
    """
    text = visit.asked(name)
    if not text:
        return None
    try:
        return among(text)
    except ValueError as error:
        raise invalid(f"{name}={text!r} is unknown", f"known are {', '.join(each.value for each in among)}") from error
