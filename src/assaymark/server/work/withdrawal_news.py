"""What is told of a revocation: one happening per team, of what it was the first to withdraw, and how much of that runs."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec.structs import replace

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.service import Service
from assaymark.server.work.publish import publish
from assaymark.store import running, withdrawals
from assaymark.store.revocations import RevocationRow
from assaymark.store.tables import happening


def tell(service: Service, link: sa.Connection, row: RevocationRow, began: Instant) -> int:
    """Within the caller's transaction; gives to how many teams. What was told of this moment is not told again."""
    news = withdrawals.news(row, began)
    h = happening.c
    said_before = sa.select(h.id).where(h.kind == HappeningKind.ENDORSEMENT_WITHDRAWN.value, h.at == began, h.path == _path(row))
    if link.execute(said_before.limit(1)).first() is not None:
        return 0
    teams = withdrawals.by_team(link, news)
    for team, count in sorted(teams.items(), key=lambda each: each[0] or 0):
        publish(service, link, replace(_happening(link, row, team, count, news), at=began))
    return len(teams)


def _happening(link: sa.Connection, row: RevocationRow, team: TeamId | None, count: int, news: sa.Select[tuple[int]]) -> Happening:
    mine = news.where(withdrawals.e.team == team if team is not None else withdrawals.e.team.is_(None))
    runs = running.places(link, mine, None, after=0, limit=running.MOST_NAMED + 1)
    word = f"{count} endorsement{'s are' if count > 1 else ' is'} withdrawn: {row.reason}"
    title = f"{word}; {said(len(runs))}"
    data = {"revocation": str(row.id), "target": row.target, "name": row.name[:200], "endorsements": str(count), "runs": str(len(runs))}
    return Happening(
        HappeningKind.ENDORSEMENT_WITHDRAWN, row.at, team, title[:500], _path(row), severity=Severity.HIGH if runs else None,
        actor=row.actor if not row.cause else "", data=data | ({"cause": row.cause} if row.cause else {}),
    )  # fmt: skip


def _path(row: RevocationRow) -> str:
    return f"/revocations/{row.id}"


def said(number: int) -> str:
    """How much runs."""
    if not number:
        return "nothing of it is known to run"
    many = f"more than {running.MOST_NAMED}" if number > running.MOST_NAMED else str(number)
    return f"it runs in {many} place{'s' if number > 1 else ''}"
