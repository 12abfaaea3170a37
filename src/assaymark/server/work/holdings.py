"""What an inventory notes beside its findings: the packages that a subject holds, and by which policy they are judged.

Guarantees: both can be judged again without a copy of the repository, on any worker (`rejudge`). Looking, which reads content, is another
step than noting, which is part of the transaction that records the inventory.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.flow import policy_of, vex_of
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.subject import Subject
from assaymark.server.service import Service
from assaymark.server.work import rejudge_jobs
from assaymark.stock import Stock, stock_of
from assaymark.store import components, snapshots
from assaymark.store.tables import subject as subjects
from assaymark.verdict.policy import POLICY_FILE, Policy, parse_policy
from assaymark.verdict.vex import Statement, parse_vex

_MOST_BYTES = 8 << 20


class Grounds(Struct, frozen=True):
    """Files of a subject by which its findings are judged, as they stand there."""

    policy: bytes | None = None
    vex: tuple[tuple[str, bytes], ...] = ()

    def read(self) -> tuple[Policy, tuple[Statement, ...]]:
        """Policy and statements.

        Raises:
            PolicyInvalid: when this release reads them no more.
        """
        policy = parse_policy(self.policy) if self.policy is not None else Policy()
        return policy, tuple(statement for name, data in self.vex for statement in parse_vex(data, name))


class Looked(Struct, frozen=True):
    """What was seen of a subject."""

    stock: tuple[Stock, ...]
    grounds: Grounds
    since: Instant
    """When it was begun."""


def look(head: Subject, since: Instant) -> Looked:
    """Read the lock files and what they are judged by.

    Raises:
        PolicyInvalid: when the policy is wrong.
        SubjectUnreadable: when the subject cannot be listed.
    """
    policy = policy_of(head)
    vex_of(head, policy)  # says what is wrong with it
    files = ((name, head.file(name, limit=_MOST_BYTES)) for name in policy.checks.vex)
    grounds = Grounds(head.file(POLICY_FILE, limit=_MOST_BYTES), tuple((name, data) for name, data in files if data is not None))
    return Looked(tuple(stock_of(head)), grounds, since)


def note(service: Service, connection: sa.Connection, number: SubjectId, looked: Looked) -> None:
    """From now on the subject holds this; within the transaction that records its inventory."""
    team = connection.execute(sa.select(subjects.c.team).where(subjects.c.id == number)).scalar_one()
    sets = {each.path: (each.digest, each.packages) for each in looked.stock if each.is_read}
    components.hold(connection, number, None if team is None else TeamId(team), sets, service.now())
    for _, packages in sets.values():
        components.keep(service.blobs, packages)
    digest: Digest = service.blobs.put(msgspec.msgpack.encode(looked.grounds))
    connection.execute(subjects.update().where(subjects.c.id == number).values(grounds=digest))
    newest = snapshots.newest(connection)
    if newest is not None and newest.created_at >= looked.since and sets:
        # It was judged with advisories that have been replaced meanwhile, and was not held yet when they asked who is hit.
        service.queue.put(connection, rejudge_jobs.one(number))


def grounds_of(service: Service, digest: str) -> Grounds:
    """What was noted; the default policy where nothing was."""
    return msgspec.msgpack.decode(service.blobs.get(Digest(digest)), type=Grounds) if digest else Grounds()
