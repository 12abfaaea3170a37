"""How much of what runs is endorsed: environments whose last deployment named a digest with an endorsement in force, as of any instant.

Guarantees: read from rows that do not change any more, so that a past instant keeps its number. An environment counts as endorsed when the
digest that was told (where none was told, the commit) is endorsed, and that environment is one of those named; what was never told to run
does not count at all. Rows say so, not signatures: who decides by it asks `server.work.approval`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.trust import matches
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import Instant
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.store import bulk, endorsements
from assaymark.store.figure_verdicts import Existing
from assaymark.store.tables import assessment

a = assessment.c


class Endorsed(Struct, frozen=True):
    """Of what runs."""

    running: int
    """Environments to which a deployment was told."""
    endorsed: int


def endorsed(connection: sa.Connection, at: Instant, rows: Sequence[Existing]) -> Endorsed | None:
    """Over these subjects; None where nothing was endorsed by then, so that there is nothing to say."""
    if not endorsements.some(connection, at):
        return None
    told = list(_told(connection, at, [row.id for row in rows if row.kind == SubjectKind.ENVIRONMENT]))
    force = endorsements.in_force_where(connection, sorted({digest for digest, _ in told}), at)
    many = sum(any(not named or matches(named, environment) for named in force.get(digest, ())) for digest, environment in told)
    return Endorsed(len(told), many)


def _told(connection: sa.Connection, at: Instant, environments: Sequence[int]) -> Iterator[tuple[str, str]]:
    """(digest, name of the environment) of each last deployment."""
    if not environments:
        return
    last = sa.select(sa.func.max(a.id)).where(a.trigger == TriggerKind.DEPLOYMENT.value, a.queued_at <= at)
    last = last.where(bulk.among(connection, a.subject, environments)).group_by(a.subject)
    for text in connection.execute(sa.select(a.trigger_details).where(a.id.in_(last))).scalars():
        try:
            trigger = msgspec.json.decode(text, type=Trigger)
        except UNDECODABLE:
            continue
        digest = trigger.details.get("digest", "")
        if digest or trigger.after:
            yield digest or f"gitCommit:{trigger.after}", trigger.ref
