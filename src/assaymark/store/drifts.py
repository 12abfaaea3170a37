"""Differences between what runs and what was endorsed, as sensors told them.

Guarantees: one difference of a pair stands open once; told again it is seen again. It is resolved by a newer generation that is live, or by
not being there any more, and by nothing else: nobody can accept it. Somebody may look away until an instant; that ends at a bound counted
from the first time, so that looking away again and again is no acceptance either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.drift.drifted import Action, Cause, Drift, Weight
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_COUNTED, MOST_ROWS, Teams, counted, of_teams
from assaymark.store.tables import deployed_pair, drift, environment
from assaymark.store.texts import cut

LONGEST = 2000
WEIGHTS = (Weight.LOW, Weight.MEDIUM, Weight.HIGH, Weight.CRITICAL)
_GROWS = frozenset({"age"})
"""Kinds whose observed value changes by itself: another value is the same difference."""
d, p, e = drift.c, deployed_pair.c, environment.c


class Resolution(StrEnum):
    SUPERSEDED = "superseded"
    """Another generation is live."""
    VANISHED = "vanished"
    """It is not there any more, or what it was in is not."""


class DriftRow(Struct, frozen=True):
    """One, as lists and pages show it."""

    id: int
    pair: int
    environment: int
    environment_name: str
    component: str
    team: TeamId | None
    generation: int
    place: str
    """Id of the instance, or the tree's or resource's name."""
    what: str
    kind: str
    expected: str
    observed: str
    weight: Weight
    action: str
    """What the deployer's terms say to do."""
    cause: Cause | None
    first_at: Instant
    last_at: Instant
    times: int
    resolved_at: Instant | None
    resolution: str
    resolved_by: int
    """The generation that superseded it; 0 for none."""
    ignored_from: Instant | None
    ignored_until: Instant | None
    ignored_by: str
    ignored_reason: str
    log_number: int | None

    def is_ignored(self, now: Instant) -> bool:
        """Whether somebody looks away from it now."""
        return self.resolved_at is None and self.ignored_until is not None and now < self.ignored_until


class Told(Struct, frozen=True):
    """What one telling holds."""

    generation: int
    drifts: tuple[Drift, ...]
    at: Instant
    by: str


_NAMES = {"environment": p.environment, "environment_name": e.name.label("environment_name"), "component": p.component, "team": p.team}
_COLUMNS = tuple(_NAMES[name] if name in _NAMES else d[name] for name in DriftRow.__struct_fields__)
_DRIFTS = sa.select(*_COLUMNS).join(deployed_pair, p.id == d.pair).join(environment, e.id == p.environment)


def key_of(told: Drift) -> str:
    """Digest of what makes it another difference: another value that is observed is one."""
    words = (told.where, told.what, told.kind, told.expected, "" if told.kind in _GROWS else told.observed)
    return hashlib.sha256(msgspec.json.encode(words)).hexdigest()


def tell(link: sa.Connection, pair: int, told: Told) -> list[Drift]:
    """Write down what is new and that the rest is seen again; gives what is new. The pair's row is locked."""
    given = {key_of(each): each for each in told.drifts}
    there = dict(_open(link, pair, list(given)))
    for key, number in there.items():
        seen: dict[str, Any] = {"last_at": told.at, "times": d.times + 1, "observed": cut(given[key].observed, LONGEST)}
        seen |= {"action": given[key].action.value}
        link.execute(drift.update().where(d.id == number).values(seen))
    fresh = [(key, each) for key, each in given.items() if key not in there]
    if fresh:
        link.execute(drift.insert(), [_row(pair, key, each, told) for key, each in fresh])
    return [each for _, each in fresh]


def _open(link: sa.Connection, pair: int, keys: Sequence[str]) -> list[tuple[str, int]]:
    query = sa.select(d.key, d.id).where(d.pair == pair, d.resolved_at.is_(None), bulk.among(link, d.key, keys))
    return [(row.key, row.id) for row in link.execute(query)]


def _row(pair: int, key: str, each: Drift, told: Told) -> dict[str, Any]:
    cause = msgspec.json.encode(each.cause).decode() if each.cause is not None else ""
    row: dict[str, Any] = {"pair": pair, "generation": told.generation, "key": key, "place": cut(each.where, LONGEST), "cause": cause}
    row |= {name: cut(getattr(each, name), LONGEST) for name in ("what", "kind", "expected", "observed")}
    row |= {"weight": WEIGHTS.index(each.weight), "action": each.action.value, "first_at": told.at, "last_at": told.at}
    return row | {"times": 1, "told_by": told.by}


def logged(link: sa.Connection, pair: int, fresh: Iterable[Drift], line: int) -> None:
    """Write where these stand in the transparency log."""
    keys = [key_of(each) for each in fresh]
    link.execute(drift.update().where(d.pair == pair, d.resolved_at.is_(None), bulk.among(link, d.key, keys)).values(log_number=line))


def vanished(link: sa.Connection, pair: int, *, but: Iterable[Drift], places: Sequence[str] | None, at: Instant) -> int:
    """End those that were not told this time, of these places (None: of all); gives how many."""
    left = [d.pair == pair, d.resolved_at.is_(None), ~bulk.among(link, d.key, [key_of(each) for each in but])]
    left += [] if places is None else [bulk.among(link, d.place, list(places))]
    return _end(link, left, at, Resolution.VANISHED, 0)


def superseded(link: sa.Connection, pair: int, by: int, at: Instant) -> int:
    """End those of generations before this one, which is live; gives how many."""
    return _end(link, [d.pair == pair, d.resolved_at.is_(None), d.generation < by], at, Resolution.SUPERSEDED, by)


def burnt(link: sa.Connection, pair: int, number: int, at: Instant) -> int:
    """End those of a generation that is gone; gives how many."""
    return _end(link, [d.pair == pair, d.resolved_at.is_(None), d.generation == number], at, Resolution.VANISHED, 0)


def _end(link: sa.Connection, which: list[sa.ColumnElement[bool]], at: Instant, how: Resolution, by: int) -> int:
    values = {"resolved_at": at, "resolution": how.value, "resolved_by": by}
    return int(link.execute(drift.update().where(*which).values(values)).rowcount)


def ignore(link: sa.Connection, number: int, until: Instant, by: tuple[str, str], at: Instant) -> None:
    """Look away from it until then; `by` is who, and why."""
    values: dict[str, Any] = {"ignored_until": until, "ignored_by": by[0], "ignored_reason": cut(by[1], LONGEST)}
    link.execute(drift.update().where(d.id == number).values(values | {"ignored_from": sa.func.coalesce(d.ignored_from, at)}))


def look_again(link: sa.Connection, number: int, at: Instant) -> None:
    """Look away no more."""
    link.execute(drift.update().where(d.id == number, d.ignored_until > at).values(ignored_until=at))


# --- questions -------------------------------------------------------------------------------------------------------


class Filter(Struct, frozen=True):
    """Which; empty is all."""

    pairs: tuple[int, ...] | None = None
    environment: int | None = None
    open: bool | None = None


def one(link: sa.Connection, number: int, *, lock: bool = False) -> DriftRow | None:
    """One; locked, nobody else changes it until the caller's transaction ends."""
    if lock:
        link.execute(sa.select(d.id).where(d.id == number).with_for_update())
    return next(iter(_rows(link, _DRIFTS.where(d.id == number))), None)


def page(link: sa.Connection, teams: Teams, asked: Filter, *, before: int | None, limit: int) -> list[DriftRow]:
    """The newest first."""
    query = _DRIFTS.where(*_conditions(link, teams, asked)).order_by(d.id.desc()).limit(max(1, min(limit, MOST_ROWS + 1)))
    return _rows(link, query if before is None else query.where(d.id < before))


def worst(link: sa.Connection, teams: Teams, asked: Filter, limit: int) -> list[DriftRow]:
    """What matters most first."""
    return _rows(link, _DRIFTS.where(*_conditions(link, teams, asked)).order_by(d.weight.desc(), d.id.desc()).limit(limit))


def count(link: sa.Connection, teams: Teams, asked: Filter) -> int:
    """How many, counted up to a bound."""
    query = sa.select(d.id).join(deployed_pair, p.id == d.pair).where(*_conditions(link, teams, asked))
    return counted(link, query, MOST_COUNTED)


def ignored(link: sa.Connection, pairs: Sequence[int], now: Instant) -> dict[int, list[DriftRow]]:
    """What somebody looks away from now, by pair."""
    found: dict[int, list[DriftRow]] = {}
    query = _DRIFTS.where(bulk.among(link, d.pair, pairs), d.resolved_at.is_(None), d.ignored_until > now).order_by(d.id)
    for row in _rows(link, query.limit(MOST_COUNTED)):
        found.setdefault(row.pair, []).append(row)
    return found


def _conditions(link: sa.Connection, teams: Teams, asked: Filter) -> list[sa.ColumnElement[bool]]:
    found = of_teams(p.team, teams)
    if asked.pairs is not None:
        found.append(bulk.among(link, d.pair, asked.pairs))
    if asked.environment is not None:
        found.append(p.environment == asked.environment)
    if asked.open is not None:
        found.append(d.resolved_at.is_(None) if asked.open else d.resolved_at.is_not(None))
    return found


def _rows(link: sa.Connection, query: sa.Select[Any]) -> list[DriftRow]:
    found = []
    for row in link.execute(query):
        values = row._asdict()
        cause = msgspec.json.decode(values["cause"], type=Cause) if values["cause"] else None
        found.append(DriftRow(**values | {"cause": cause, "weight": WEIGHTS[values["weight"]]}))
    return found


__all__ = ["Action", "DriftRow", "Filter", "Resolution", "Told", "tell"]
