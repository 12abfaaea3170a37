"""What figures consist of: numbers of a cell (a team and a layer), and how they change from one instant to a later one. Pure.

Guarantees: the numbers at an instant follow from those at an earlier one and from the rows that began, ended or grew older in between, in
any steps: whether a day was summed up or is counted row by row, the same comes out (`tests/figures`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.store.promises import DAY, NEVER, Promises

RANKS = len(Severity)
BANDS = (7, 30, 90, 365)
"""Ages in whole days: the last day that belongs to a band; what is older is the band behind the last."""
BAND_COUNT = len(BANDS) + 1
ALL = 0
"""Instead of a team: everything, also what belongs to none."""


def band(age: int) -> int:
    """Which band an age in days lies in."""
    return bisect_left(BANDS, age)


def day_of(instant: int) -> int:
    """Days since 1970, in UTC."""
    return instant // DAY


def end_of(day: int) -> int:
    """Its last microsecond."""
    return (day + 1) * DAY - 1


def _zeros(count: int) -> list[int]:
    return [0] * count


class Counted(Struct, array_like=True):
    """Of a cell. What flows is counted from the beginning on, so that a span is a difference."""

    open: list[int]
    """Standing open by rank and band: ``rank * BAND_COUNT + band``."""
    late: list[int]
    """Of those: past their due day, by rank."""
    waived: list[int]
    unchecked: int
    """Places that a check could not look at."""
    came: list[int]
    """Began to stand open (or let through)."""
    fixed: list[int]
    """Ended because a verdict saw it no more."""
    seconds: list[int]
    """From coming to being fixed, summed up."""
    in_time: list[int]
    """Of the fixed ones: not late."""
    promised: list[int]
    """Of the fixed ones: those for which anything was promised."""
    gone: list[int]
    """Ended with its subject: nobody repaired it."""

    @classmethod
    def nothing(cls) -> Counted:
        late, waived, came, fixed, seconds, in_time, promised, gone = (_zeros(RANKS) for _ in range(8))
        return cls(_zeros(RANKS * BAND_COUNT), late, waived, 0, came, fixed, seconds, in_time, promised, gone)

    def add(self, other: Counted, sign: int = 1) -> None:
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, list):
                for index, value in enumerate(theirs):
                    mine[index] += sign * value
            else:
                setattr(self, name, mine + sign * theirs)

    def copy(self) -> Counted:
        made = Counted.nothing()
        made.add(self)
        return made

    @property
    def is_nothing(self) -> bool:
        return self == Counted.nothing()


Cell = tuple[int, str]
"""(team or `ALL`, layer)."""
Cells = dict[Cell, Counted]


class Group(Struct, frozen=True):
    """Occurrences that are alike in all that figures ask."""

    team: int | None
    layer: str
    rank: int
    is_gap: bool
    is_waived: bool
    since_day: int
    many: int


class Begun(Struct, frozen=True):
    """A group that began within a span."""

    group: Group
    is_first: bool
    """Not the continuation of another row."""


class Over(Struct, frozen=True):
    """A group that ended within a span."""

    group: Group
    day: int
    is_continued: bool
    is_seen: bool
    """A verdict saw that it is gone."""
    seconds: int


class Clock(Struct, frozen=True):
    """An instant's day, and what was promised then."""

    day: int
    promises: Promises


class Tally:
    """Cells at an instant, moved on by what happened."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    def grow_older(self, group: Group, before: Clock, after: Clock) -> None:
        """A group that stands open all the while."""
        old, new = band(before.day - group.since_day), band(after.day - group.since_day)
        shift = is_late(group, after) - is_late(group, before)
        for counted in self._both(group):
            counted.open[group.rank * BAND_COUNT + old] -= group.many
            counted.open[group.rank * BAND_COUNT + new] += group.many
            counted.late[group.rank] += shift * group.many

    def begin(self, begun: Begun, now: Clock) -> None:
        self._stand(begun.group, now, 1)
        if begun.is_first and not begun.group.is_gap:
            for counted in self._both(begun.group):
                counted.came[begun.group.rank] += begun.group.many

    def end(self, over: Over, now: Clock, then: Promises) -> None:
        """`then` is what was promised at the end of the day on which it ended."""
        group = over.group
        self._stand(group, now, -1)
        if over.is_continued or group.is_gap:
            return
        days = then.days(group.team, group.rank)
        for counted in self._both(group):
            if not over.is_seen:
                counted.gone[group.rank] += group.many
                continue
            counted.fixed[group.rank] += group.many
            counted.seconds[group.rank] += over.seconds
            if days != NEVER:
                counted.promised[group.rank] += group.many
                counted.in_time[group.rank] += group.many if over.day - group.since_day <= days else 0

    def _stand(self, group: Group, now: Clock, sign: int) -> None:
        """As it counts on the day of `now`, for what began and for what ended alike."""
        many = sign * group.many
        for counted in self._both(group):
            if group.is_waived:
                counted.waived[group.rank] += many
            elif group.is_gap:
                counted.unchecked += many
            else:
                counted.open[group.rank * BAND_COUNT + band(now.day - group.since_day)] += many
                counted.late[group.rank] += many * is_late(group, now)

    def _both(self, group: Group) -> Iterator[Counted]:
        for team in (ALL,) if group.team is None else (ALL, group.team):
            cell = (team, group.layer)
            if cell not in self.cells:
                self.cells[cell] = Counted.nothing()
            yield self.cells[cell]


def is_late(group: Group, now: Clock) -> int:
    """1 when it is past its due day."""
    days = now.promises.days(group.team, group.rank)
    return int(days != NEVER and now.day - group.since_day > days)


def changing(before: Clock, after: Clock) -> list[tuple[int | None, int]]:
    """Ranges of days (first or None for ever, and the one behind the last): what came in them counts otherwise at the later instant."""
    ranges = [(before.day - days, after.day - days) for days in BANDS]
    olds, news = _bounds(before), _bounds(after)
    for key in olds | news:
        old, new = olds.get(key, olds[None, key[1]]), news.get(key, news[None, key[1]])
        ranges.append((min(old, new), max(old, new)))
    return _merged(each for each in ranges if each[0] < each[1])


_EVER = -(10**9)


def _bounds(clock: Clock) -> dict[tuple[int | None, int], int]:
    """(team, rank) -> the day before which what came is late."""
    teams = (None, *clock.promises.own)
    found = {(team, rank): clock.promises.days(team, rank) for team in teams for rank in range(RANKS)}
    return {key: _EVER if days == NEVER else clock.day - days for key, days in found.items()}


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int | None, int]]:
    found: list[list[int]] = []
    for first, behind in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1][1] = max(found[-1][1], behind)
        else:
            found.append([first, behind])
    return [(None if first == _EVER else first, behind) for first, behind in found]


def summed(cells: Iterable[Counted]) -> Counted:
    """All together."""
    total = Counted.nothing()
    for each in cells:
        total.add(each)
    return total
