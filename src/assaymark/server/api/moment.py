"""``as_of``: the instant as of which a list is asked.

A day means its end, in UTC; the day that is not over yet means now. An instant is taken as it is; one that has not come is refused, because
nobody knows yet what will be true then.
"""

from __future__ import annotations

import datetime as dt
import re

from assaymark.model.assessment import SECOND, Instant
from assaymark.server.api.route import Call
from assaymark.server.problem import invalid

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ADVICE = "write a day as 2026-05-03, or an instant as 2026-05-03T12:00:00Z"


def moment(call: Call, text: str) -> Instant | None:
    """The instant; None for an empty text, which means now.

    Raises:
        ApiError: 400 for what is no day and no instant, or lies ahead.
    """
    return moment_of(text, call.service.now())


def moment_of(text: str, now: Instant) -> Instant | None:
    """The same, for pages."""
    if not text:
        return None
    is_day = _DAY.fullmatch(text) is not None
    try:
        begin = dt.datetime.fromisoformat(text)
        begin = begin.replace(tzinfo=dt.UTC) if begin.tzinfo is None else begin
        micros = (begin - _EPOCH) // dt.timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise invalid(f"`as_of` is neither a day nor an instant: {text[:40]!r}", _ADVICE) from error
    if micros > now:
        raise invalid(f"`as_of` lies ahead: {text[:40]!r}", "leave it out for now")
    return Instant(min(micros + 86_400 * SECOND - 1, now) if is_day else micros)
