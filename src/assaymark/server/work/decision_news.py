"""What is told of decisions and requests: one happening per change of state, and one for many that are made together."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.service import Service
from assaymark.server.work.publish import publish
from assaymark.store.decisions import DecisionRow
from assaymark.store.wishes import RequestRow

_MOST = 5
"""Of one kind and team from one transaction; more are told as a number."""


def of_decision(kind: HappeningKind, row: DecisionRow, at: Instant, actor: str) -> Happening:
    """Something became of a decision."""
    words = {
        HappeningKind.DECISION_MADE: f"{row.owner} answers for {row.kind.value} of {row.about} until {row.until}: {row.reason}",
        HappeningKind.DECISION_ENDING: f"{row.kind.value} of {row.about} ends on {row.until} ({row.owner})",
    }
    title = words.get(kind, f"{row.kind.value} of {row.about} has ended: what it covered stands open again ({row.owner})")
    return Happening(
        kind=kind, at=at, team=row.team, title=title[:500], path=f"/decisions/{row.id}", actor=actor, subject=row.scope.subject,
        repository=row.scope.repository,
        data={"decision": str(row.id), "kind": row.kind.value, "owner": row.owner, "until": row.until.isoformat()},
    )  # fmt: skip


def of_request(kind: HappeningKind, row: RequestRow, at: Instant, actor: str) -> Happening:
    """Somebody asks, or is answered."""
    if kind is HappeningKind.REQUEST_ASKED:
        title = f"{row.asked_by} asks for {row.kind.value} of {row.about} until {row.until}: {row.reason}"
    else:
        title = f"{row.answered_by} {row.state.value} what {row.asked_by} asked for, {row.kind.value} of {row.about}: {row.answer}"
    data = {"request": str(row.id), "state": row.state.value, "asked_by": row.asked_by, "until": row.until.isoformat()}
    return Happening(kind=kind, at=at, team=row.team, title=title[:500], path=f"/requests/{row.id}", actor=actor, data=data)


def tell(service: Service, link: sa.Connection, happened: Iterable[Happening]) -> None:
    """Within the caller's transaction."""
    groups: dict[tuple[HappeningKind, TeamId | None], list[Happening]] = {}
    for each in happened:
        groups.setdefault((each.kind, each.team), []).append(each)
    for (kind, team), rows in groups.items():
        if len(rows) <= _MOST:
            for each in rows:
                publish(service, link, each)
            continue
        first = rows[0]
        title = f"{len(rows)} decisions {kind.value.partition('.')[2]}, e.g. {first.title}"[:500]
        data = {"count": str(len(rows))}
        publish(service, link, Happening(kind, first.at, team, title, "/decisions", actor=first.actor, data=data))
