"""What a trigger sets off, written within the caller's transaction: repository, subject, queued assessment, job.

Guarantees: each trigger about something that can be judged gives exactly one assessment, also when its head was judged before (the engine
remembers, so that costs little); of one subject at most one assessment is queued, and it begins where the one began that it supersedes, so
no change goes unseen; what runs already is left to finish. A push that arrives after the one that followed it does not become the newest.
A repository's row is locked first, so two deliveries about it are taken in one after the other, on both databases.

Does not judge anything, and asks nobody outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Job, Priority
from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, RepositoryId
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work import policy_jobs
from assaymark.server.work.deliver import announce_progress
from assaymark.server.work.subject_names import place_of
from assaymark.store import arrivals, repositories
from assaymark.store.arrivals import Arrival, Earlier, SubjectRow
from assaymark.store.repositories import Foreign, Keeper, RepositoryRow

_ZERO = frozenset("0")
_PRIORITY = {
    TriggerKind.CALL: Priority.CALL,
    TriggerKind.DEPLOYMENT: Priority.DEPLOYMENT,
    TriggerKind.ADVISORY: Priority.ADVISORY,
    TriggerKind.SCHEDULE: Priority.SCHEDULE,
    TriggerKind.IMPORT: Priority.SCHEDULE,
}
_CONTINUES = frozenset({SubjectKind.BRANCH, SubjectKind.IMAGE, SubjectKind.ENVIRONMENT})
"""Subjects whose present state follows from the one before: what is judged begins where judging ended."""


_AGAIN = frozenset({TriggerKind.SCHEDULE, TriggerKind.ADVISORY, TriggerKind.DECISION})
"""What judges a state once more, and no change."""


class Source(Struct, frozen=True):
    """Through which door a trigger came."""

    connection_id: int | None = None
    delivery_id: int | None = None
    team: TeamId | None = None
    """Of what is new; also the only team whose things it may touch, unless they came by this connection. None: all."""
    priority: int | None = None
    """None: what the kind of the trigger deserves."""
    cause: str = ""
    """What asked again: an advisory update, a replay."""


class _Step(Struct, frozen=True):
    """One trigger on its way in."""

    service: Service
    connection: sa.Connection
    trigger: Trigger
    source: Source
    at: Instant
    default_ref: str = ""
    """Of the repository: its first assessment has no base, because everything in it counts as known."""

    def cancel(self, numbers: Sequence[AssessmentId]) -> None:
        for number in numbers:
            self.service.queue.cancel(self.connection, f"assess:{number}")


def accept(service: Service, connection: sa.Connection, trigger: Trigger, *, source: Source) -> tuple[AssessmentId, ...]:
    """Take a trigger in; gives the assessment that it queued, or nothing when there is nothing to judge.

    Who catches an error and keeps the transaction wraps the call in a savepoint.

    Raises:
        UsageError: when the trigger does not say what it is about.
        Foreign: when that belongs to another connection or team.
    """
    step = _Step(service, connection, trigger, source, service.now())
    keeper = Keeper(source.connection_id, source.team, step.at)
    repository = repositories.settle(connection, trigger.repository, keeper) if trigger.repository else None
    if trigger.kind is TriggerKind.REPOSITORY:
        if repository is not None and repository.ended_at is not None and trigger.details.get("event") == "unarchived":
            repositories.resume(connection, repository.id)
        return ()
    if repository is not None and repository.ended_at is not None:
        return ()
    if trigger.kind is TriggerKind.ENDED:
        _end(step, repository)
        return ()
    place = place_of(trigger, repository, source.team)
    if repository is not None and repository.default_branch:
        step = msgspec.structs.replace(step, default_ref=f"refs/heads/{repository.default_branch}")
    subject = arrivals.settle(connection, place, step.at)
    if repository is not None and place.kind is SubjectKind.BRANCH:
        policy_jobs.put_for(service, connection, repository.id)
    if source.team is not None and subject.team != place.team:
        raise Foreign(f"{trigger.ref} is looked after for another team", advice="ask an administrator")
    return (_queue(step, subject),)


def priority_of(kind: str) -> int:
    """Who waits for it decides."""
    return int(_PRIORITY.get(TriggerKind(kind), Priority.PUSH))


def end_repository(service: Service, connection: sa.Connection, number: RepositoryId) -> None:
    """Look after a repository no more: what waits is cancelled."""
    for each in arrivals.end_all(connection, number, service.now()):
        service.queue.cancel(connection, f"assess:{each}")
    repositories.end(connection, number, service.now())


def _end(step: _Step, repository: RepositoryRow | None) -> None:
    trigger, connection = step.trigger, step.connection
    if trigger.subject_kind is SubjectKind.REPOSITORY:
        if repository is not None:
            end_repository(step.service, connection, repository.id)
        return
    place = place_of(trigger, repository, step.source.team)
    subject = arrivals.find(connection, place.kind, place.key)
    if subject is not None and (step.source.team is None or subject.team == place.team):
        cancelled = arrivals.end(connection, subject.id, step.at)
        step.cancel(cancelled)
        for each in cancelled:
            announce_progress(step.service, connection, each)


def _queue(step: _Step, subject: SubjectRow) -> AssessmentId:
    trigger, connection = step.trigger, step.connection
    base, head = _ends(trigger, subject)
    newest = arrivals.newest(connection, subject.id, but=_AGAIN)
    if newest is not None and (_followed(trigger, newest) or _repeats(trigger, newest)):
        if newest.state == AssessmentState.QUEUED:
            return _folded(step, _arrival(step, subject, base, head), newest)
        head = newest.head
    if trigger.subject_kind in _CONTINUES:
        base = _begin(arrivals.judged_head(connection, subject.id), base, head)
    number = arrivals.insert(connection, _arrival(step, subject, base, head))
    ended = arrivals.supersede(connection, subject.id, number, step.at)
    step.cancel([each.id for each in ended])
    for each in ended:
        announce_progress(step.service, connection, each.id)
    covered = [each for each in ended if each.trigger not in _AGAIN]
    if covered and trigger.subject_kind in _CONTINUES and (covered[0].base or trigger.ref != step.default_ref):
        arrivals.rebase(connection, number, covered[0].base)
    own = step.source.priority if step.source.priority is not None else priority_of(trigger.kind)
    step.service.queue.put(
        connection,
        Job(
            kind="assess",
            arguments={"assessment": int(number)},
            key=f"assess:{number}",
            lock=f"subject:{subject.id}",
            priority=max([own, *(priority_of(each.trigger) for each in ended)]),
        ),
    )
    announce_progress(step.service, connection, number)
    return number


def _begin(judged: str, base: str, head: str) -> str:
    """Where to begin: what was judged last, whether or not the sender knows of it; the same head again is compared with its own base.

    A digest and a commit cannot be compared.
    """
    return judged if judged and judged != head and (":" in judged) == (":" in head) else base


def _ends(trigger: Trigger, subject: SubjectRow) -> tuple[str, str]:
    """(base, head) as the sender says them; empty for what is not known."""
    if trigger.merge_request is not None and trigger.kind is not TriggerKind.MERGE_QUEUE:
        return _commit(trigger.merge_request.base), _commit(trigger.merge_request.head)
    if trigger.subject_kind is SubjectKind.ENVIRONMENT:
        ran = msgspec.json.decode(subject.details)
        return str(ran.get("digest") or ran.get("commit") or ""), trigger.details.get("digest", "") or _commit(trigger.after)
    if trigger.subject_kind is SubjectKind.IMAGE:
        return trigger.before, trigger.after or trigger.ref.partition("@")[2]
    return _commit(trigger.before), _commit(trigger.after)


def _commit(text: str) -> str:
    return "" if set(text) == _ZERO else text


def _followed(trigger: Trigger, newest: Earlier) -> bool:
    """Whether the newest one came after this, by its own words: it started where this one ended, and this one does not start at its end."""
    told = msgspec.json.decode(newest.trigger_details)
    return bool(trigger.before and trigger.after) and told.get("before") == trigger.after and trigger.before != newest.head


def _repeats(trigger: Trigger, newest: Earlier) -> bool:
    """Whether what is queued already will say what this asks again: a change that waits is not given up for it."""
    return trigger.kind in _AGAIN and newest.state == AssessmentState.QUEUED


def _folded(step: _Step, arrival: Arrival, newest: Earlier) -> AssessmentId:
    """A push that was overtaken by the one after it, or a question that what waits will answer: that one covers it."""
    more = {"state": AssessmentState.SUPERSEDED, "superseded_by": newest.id, "finished_at": step.at}
    number = arrivals.insert(step.connection, arrival, summary=f"assessment {newest.id} covers it", **more)
    announce_progress(step.service, step.connection, number)
    if newest.base == arrival.head and step.trigger.kind not in _AGAIN:
        arrivals.rebase(step.connection, newest.id, arrival.base)
    return number


def _arrival(step: _Step, subject: SubjectRow, base: str, head: str) -> Arrival:
    return Arrival(
        subject=subject.id,
        team=subject.team,
        trigger=step.trigger.kind,
        trigger_details=msgspec.json.encode(step.trigger, order="sorted").decode(),
        actor=step.trigger.actor,
        base=base,
        head=head,
        delivery=step.source.delivery_id,
        cause=step.source.cause,
        at=step.at,
    )
