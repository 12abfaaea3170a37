"""What runs on endorsements: environments, hosts and the like whose running digest one of them is about, with teams and people.

Guarantees: what a deployment said is running counts from that moment, before it was judged; who may not see a subject is not told of it.
Bounded: subjects are walked in portions, in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.trigger import SubjectKind, TriggerKind
from assaymark.store import bulk
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import assessment, endorsed_digest, endorsement, subject, team

RUNS = (SubjectKind.ENVIRONMENT.value, SubjectKind.HOST.value, SubjectKind.ENDPOINT.value, SubjectKind.ACCOUNT.value)
MOST_NAMED = 100
_PORTION = 500
_MOST_PORTIONS = 200
s, e, d, a = subject.c, endorsement.c, endorsed_digest.c, assessment.c


class Runs(Struct, frozen=True):
    """A place where something runs that an endorsement is about."""

    id: SubjectId
    kind: str
    name: str
    url: str
    team: TeamId | None
    team_name: str
    digest: str
    """Of what runs, as the endorsement names it."""
    endorsement: str
    """Its name."""
    endorsement_id: int
    resource: str
    deployed_by: str
    """Who told of the deployment, as he is called there; empty when nobody is known."""
    deployed_at: Instant | None


def places(connection: sa.Connection, chosen: sa.Select[Any], teams: Teams, *, after: int, limit: int) -> list[Runs]:
    """Where anything runs that these endorsements (ids) are about; for teams (None: all) whose subjects may be seen."""
    found: list[Runs] = []
    for rows in _portions(connection, teams, after):
        digests = {row.id: _digests(row) for row in rows}
        hit = _endorsed(connection, chosen, {each for some in digests.values() for each in some})
        for row in rows:
            first = next((digest for digest in digests[row.id] if digest in hit), None)
            if first is not None:
                found.append(_runs(row, first, hit[first]))
        if len(found) >= limit:
            break
    return _with_people(connection, found[:limit])


def _portions(connection: sa.Connection, teams: Teams, after: int) -> Iterator[Sequence[Any]]:
    columns = (s.id, s.kind, s.name, s.url, s.team, s.head, s.details, team.c.name.label("team_name"))
    asked = sa.select(*columns).join(team, team.c.id == s.team, isouter=True).where(s.kind.in_(RUNS), s.ended_at.is_(None))
    asked = asked.where(*of_teams(s.team, teams)).order_by(s.id).limit(_PORTION)
    for _ in range(_MOST_PORTIONS):
        rows = connection.execute(asked.where(s.id > after)).all()
        if rows:
            yield rows
            after = rows[-1].id
        if len(rows) < _PORTION:
            return


def _digests(row: Any) -> list[str]:
    """What runs there, as endorsements name it: what was deployed last, else what was judged last."""
    told = msgspec.json.decode(row.details, type=dict[str, Any])
    return list(dict.fromkeys(named(text) for text in (str(told.get("digest") or ""), str(told.get("commit") or "")) if text)) or [
        named(text) for text in (row.head,) if text
    ]


def named(head: str) -> str:
    """A head as in-toto names it: of a commit only its digits, with ``gitCommit``."""
    return head if head.startswith("sha256:") else f"gitCommit:{head.rpartition(':')[2]}"


def _endorsed(connection: sa.Connection, chosen: sa.Select[Any], digests: Iterable[str]) -> dict[str, Any]:
    """Digest -> the newest of the endorsements about it. First by digest, which are few: those that are meant may be a hundred thousand."""
    query = sa.select(d.digest, e.id, e.digest.label("name"), e.resource).join(endorsement, e.id == d.endorsement)
    rows = connection.execute(query.where(bulk.among(connection, d.digest, sorted(digests))).order_by(e.id)).all()
    if not rows:
        return {}
    meant = set(connection.execute(chosen.where(bulk.among(connection, e.id, sorted({row.id for row in rows})))).scalars())
    return {row.digest: row for row in rows if row.id in meant}


def _runs(row: Any, digest: str, hit: Any) -> Runs:
    return Runs(
        id=SubjectId(row.id), kind=row.kind, name=row.name, url=row.url, team=row.team, team_name=row.team_name or "", digest=digest,
        endorsement=hit.name, endorsement_id=hit.id, resource=hit.resource, deployed_by="", deployed_at=None,
    )  # fmt: skip


def _with_people(connection: sa.Connection, found: Sequence[Runs]) -> list[Runs]:
    last = _deployments(connection, [each.id for each in found])
    return [
        msgspec.structs.replace(each, deployed_by=last[each.id].actor, deployed_at=last[each.id].queued_at) if each.id in last else each
        for each in found
    ]


def _deployments(connection: sa.Connection, numbers: Sequence[int]) -> Mapping[int, Any]:
    """The last deployment of each."""
    newest = sa.select(sa.func.max(a.id)).where(bulk.among(connection, a.subject, numbers), a.trigger == TriggerKind.DEPLOYMENT.value)
    rows = connection.execute(sa.select(a.subject, a.actor, a.queued_at).where(a.id.in_(newest.group_by(a.subject))))
    return {row.subject: row for row in rows}
