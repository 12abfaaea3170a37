"""Handler: after a policy of the organisation took effect, mark the endorsements that were given by milder rules; they are not withdrawn.

Nothing new is known of what was endorsed: a stricter rule is for what comes, and whoever wants it for what runs revokes by policy.
Guarantees: each endorsement in force is looked at, in portions; a mark is made once for a version of a policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from assaymark.errors import AssayError
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SubjectId
from assaymark.model.digest import Digest
from assaymark.model.severity import Severity
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service
from assaymark.server.work import governing
from assaymark.server.work.handlers import Attempt
from assaymark.store import bulk, doubts, policies, withdrawals
from assaymark.store.tables import endorsement
from assaymark.verdict.rules import FloorOf

_AT_ONCE = 500
e = endorsement.c


def job(after: int) -> Job:
    """To be put by whoever let a policy take effect."""
    return Job("doubt-endorsed", {"after": after}, key=f"doubt-endorsed:{after}", lock="doubts", priority=Priority.SCHEDULE, seconds=300)


def doubt_endorsed(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """The next portion (arguments: ``after``)."""
    with service.database.read() as link:
        ids = withdrawals.portion(link, doubts.in_force(service.now()), after=int(arguments["after"]), limit=_AT_ONCE)
        rows = link.execute(sa.select(e.id, e.subject, e.verdict).where(bulk.among(link, e.id, ids)).order_by(e.id)).all()
    floors: dict[int, tuple[FloorOf, ...]] = {}
    found: list[tuple[int, FloorOf, str]] = []
    for row in rows:
        mine = floors.setdefault(row.subject, ()) or governing.floors_of(service, SubjectId(row.subject))
        floors[row.subject] = mine
        found += [(row.id, floor, why) for floor, why in _stricter(service, row.verdict, mine)]
    with service.database.write() as link:
        versions = {ref: policies.by_digest(link, ref) for ref in {floor.policy.digest for _, floor, _ in found}}
        marks = [(number, made.id, why) for number, floor, why in found if (made := versions[floor.policy.digest]) is not None]
        doubts.add(link, marks, service.now())
        if len(ids) == _AT_ONCE:
            service.queue.put(link, job(ids[-1]))


def _stricter(service: Service, verdict: str, floors: tuple[FloorOf, ...]) -> Iterator[tuple[FloorOf, str]]:
    """Floors that stop more than the verdict was judged by."""
    asked = [(each, each.floor.fail_on) for each in floors]
    if not verdict or all(fail_on is None for _, fail_on in asked):
        return
    try:
        said = msgspec.json.decode(service.blobs.get(Digest(verdict)), type=Verdict).fail_on
    except AssayError:
        return
    for each, fail_on in asked:
        if fail_on is not None and said and fail_on.rank < Severity(said).rank:
            yield each, f"{each.policy.name} {each.policy.version} stops at {fail_on}, it was judged by what stops at {said}"
