"""How phoenix upgrades go: pairs that run, break-glass orders, drifts and how long they stood, as of any instant.

Guarantees: read from instants that are written once, by the server's clock, so that a past instant keeps its numbers. Pairs belong to
teams, not to repositories or layers: of these there is nothing to say (None), nor where no deployer has told anything.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store.tables import deployed_pair, drift, generation

_CRITICAL = 3
g, d, p = generation.c, drift.c, deployed_pair.c


class Deployed(Struct, frozen=True):
    """Of the pairs of the scope."""

    live: int
    """Generations that are live."""
    forced: int
    """That run by a break-glass order, or ran on beyond it."""
    forced_in_window: int
    """Break-glass orders of the 90 days before."""
    drifts: int
    """That stand open."""
    critical_drifts: int
    found_in_window: int
    """Drifts that were found in the 90 days before."""
    mean_seconds_to_resolve: float | None
    """Of those that ended in the 90 days before, from being found to being gone."""
    oldest: Instant | None
    """Since when the oldest generation is live that is."""


def deployed(link: sa.Connection, at: Instant, begin: Instant, teams: list[int] | None) -> Deployed | None:
    """Of these teams (None: of all), at an instant and since the beginning of the window."""
    mine: list[sa.ColumnElement[bool]] = [] if teams is None else [p.team.in_(teams)]
    if link.execute(sa.select(g.id).join(deployed_pair, p.id == g.pair).where(g.began_at <= at, *mine).limit(1)).first() is None:
        return None
    runs = _runs(link, at, begin, mine)
    stands = _drifts(link, at, begin, mine)
    mean = float(stands.waited) / stands.ended / 1e6 if stands.ended else None
    return Deployed(
        live=_whole(runs.live), forced=_whole(runs.forced), forced_in_window=_whole(runs.orders), drifts=_whole(stands.open),
        critical_drifts=_whole(stands.critical), found_in_window=_whole(stands.found),
        mean_seconds_to_resolve=None if mean is None else round(mean, 1), oldest=runs.oldest,
    )  # fmt: skip


def _whole(value: Any) -> int:
    return int(value or 0)


def _some(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _runs(link: sa.Connection, at: Instant, begin: Instant, mine: list[sa.ColumnElement[bool]]) -> Any:
    there = sa.or_(g.ended_at.is_(None), g.ended_at > at)
    live = sa.and_(g.live_at <= at, there)
    columns = (
        _some(live).label("live"),
        _some(sa.and_(g.forced_at <= at, there)).label("forced"),
        _some(sa.and_(g.forced_at > begin, g.forced_at <= at)).label("orders"),
        sa.func.min(sa.case((live, g.live_at), else_=None)).label("oldest"),
    )
    return link.execute(
        sa.select(*columns).select_from(generation.join(deployed_pair, p.id == g.pair)).where(g.began_at <= at, *mine)
    ).one()


def _drifts(link: sa.Connection, at: Instant, begin: Instant, mine: list[sa.ColumnElement[bool]]) -> Any:
    stands = sa.or_(d.resolved_at.is_(None), d.resolved_at > at)
    ended = sa.and_(d.resolved_at > begin, d.resolved_at <= at)
    columns = (
        _some(stands).label("open"),
        _some(sa.and_(stands, d.weight == _CRITICAL)).label("critical"),
        _some(d.first_at > begin).label("found"),
        _some(ended).label("ended"),
        sa.func.sum(sa.case((ended, d.resolved_at - d.first_at), else_=0)).label("waited"),
    )
    query = sa.select(*columns).select_from(drift.join(deployed_pair, p.id == d.pair))
    return link.execute(query.where(d.first_at <= at, *mine)).one()
