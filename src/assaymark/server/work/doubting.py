"""Handler: after a policy of the organisation took effect, mark the endorsements that were given by milder rules; they are not withdrawn.

Nothing new is known of what was endorsed: a stricter rule is for what comes, and whoever wants it for what runs revokes by policy.
What is stricter is for the lattice of policies (`verdict.stricter`): every setting of the gate, checks and rules that may not be off, and
rules in CEL. Guarantees: each endorsement in force is looked at, in portions; a mark is made once for a version of a policy. Where of a
verdict only the verdict is kept, it is compared in what that says; where not even that, it is not marked, and the log says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from assaymark.errors import AssayError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SubjectId
from assaymark.model.digest import Digest
from assaymark.model.verdict import PolicyRef, Verdict
from assaymark.server.service import Service
from assaymark.server.work import governing
from assaymark.server.work.handlers import Attempt
from assaymark.store import bulk, doubts, policies, withdrawals
from assaymark.store.tables import endorsement
from assaymark.verdict import grounds
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import FloorOf, Rule
from assaymark.verdict.stricter import floor_above, policy_of, rules_above

_AT_ONCE = 500
_MOST_SAID, _LONGEST = 5, 1000
_log = structlog.get_logger("assaymark.doubts")
e = endorsement.c


def job(after: int) -> Job:
    """To be put by whoever let a policy take effect."""
    return Job("doubt-endorsed", {"after": after}, key=f"doubt-endorsed:{after}", lock="doubts", priority=Priority.SCHEDULE, seconds=300)


def doubt_endorsed(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """The next portion (arguments: ``after``)."""
    with service.database.read() as link:
        ids = withdrawals.portion(link, doubts.in_force(service.now()), after=int(arguments["after"]), limit=_AT_ONCE)
        rows = link.execute(sa.select(e.id, e.subject, e.verdict).where(bulk.among(link, e.id, ids)).order_by(e.id)).all()
    asked: dict[int, tuple[tuple[Rule, ...], tuple[FloorOf, ...]]] = {}
    found: list[tuple[int, str, str]] = []
    for row in rows:
        if row.subject not in asked:
            asked[row.subject] = governing.asked_of(service, SubjectId(row.subject))
        found += [(row.id, policy.digest, why) for policy, why in _stricter(service, row.verdict, *asked[row.subject])]
    with service.database.write() as link:
        versions = {ref: policies.by_digest(link, ref) for ref in {digest for _, digest, _ in found}}
        marks = [(number, made.id, why) for number, digest, why in found if (made := versions[digest]) is not None]
        doubts.add(link, marks, service.now())
        if len(ids) == _AT_ONCE:
            service.queue.put(link, job(ids[-1]))


def _stricter(service: Service, verdict: str, rules: tuple[Rule, ...], floors: tuple[FloorOf, ...]) -> Iterator[tuple[PolicyRef, str]]:
    """Policies that ask for more than the verdict was judged by, each once with everything that is more."""
    if not verdict or not (rules or floors):
        return
    judged = _judged_by(service, verdict)
    if judged is None:
        return
    policy, asked = judged
    more: dict[PolicyRef, list[str]] = {each.policy: list(floor_above(policy, each.floor)) for each in floors}
    for rule, why in rules_above(asked, rules) if asked is not None else ():
        more.setdefault(rule.policy, []).append(why)
    for ref, said in more.items():
        if said:
            kept = ", ".join(said[:_MOST_SAID]) + (f", and {len(said) - _MOST_SAID} more" if len(said) > _MOST_SAID else "")
            yield ref, f"{ref.name} {ref.version} asks for more than it was judged by: {kept}"[:_LONGEST]


def _judged_by(service: Service, digest: str) -> tuple[Policy, tuple[Rule, ...] | None] | None:
    """The policy, with the floors of then, and the rules that were asked; None where that is not kept (the rules alone, or all of it)."""
    try:
        verdict = msgspec.json.decode(service.blobs.get(Digest(digest)), type=Verdict)
        if not verdict.grounds:
            return policy_of(verdict), None
        kept = grounds.unpacked(service.blobs.get(Digest(verdict.grounds)))
    except (AssayError, *UNDECODABLE) as error:
        _log.info("not compared with policies", verdict=digest, outcome="unknown", error=type(error).__name__)
        return None
    return grounds.ran_by(kept), kept.given.rules
