"""How long something has stood: bands that people ask for, as ranges of the instant at which it came."""

from __future__ import annotations

from enum import StrEnum

from assaymark.model.assessment import SECOND, Instant

DAY = 86_400 * SECOND


class Age(StrEnum):
    """Whole days that it has stood."""

    WEEK = "0-7"
    MONTH = "8-30"
    QUARTER = "31-90"
    YEAR = "91-365"
    OLDER = "366-"

    @property
    def days(self) -> tuple[int, int | None]:
        """The first and the last day; None for no end."""
        first, _, last = self.value.partition("-")
        return int(first), int(last) if last else None


def came(age: Age, at: Instant) -> tuple[Instant | None, Instant | None]:
    """(from, until) of the instants at which what is of this age at the instant had come; the youngest also come by the instant itself."""
    first, last = age.days
    begin = None if last is None else Instant(at - (last + 1) * DAY + 1)
    return begin, None if first == 0 else Instant(at - first * DAY)


def age_of(since: Instant, at: Instant) -> Age:
    """The band of what came then."""
    days = max(0, at - since) // DAY
    return next(age for age in Age if age.days[1] is None or days <= (age.days[1] or 0))
