"""What a caller asks to be judged, as a trigger; and waiting for it.

Guarantees: a call never moves a branch's history unless it names the branch and no base; a merge request's number leads to the same subject
as the forge's deliveries. Waiting costs one small question per pause, is bounded in time, and so is the number of those who wait.
"""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.assessment import TERMINAL, AssessmentId, AssessmentState, Instant
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.bases import branch
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import assessment, subject

MOST_SECONDS = 60
MOST_WAITING = 16
"""Each holds a thread; who comes beyond is told at once where to look."""
_PAUSES = (0.02, 0.05, 0.1, 0.25)
_MOST_HOPS = 50
_REQUESTS = {"gitlab": "refs/merge-requests/{}/head", "bitbucket": "refs/pull-requests/{}/from"}
"""Where forges keep the heads of merge requests; the others have ``refs/pull``."""
_waiting = threading.BoundedSemaphore(MOST_WAITING)


class Wish(Struct, frozen=True):
    """What is to be judged."""

    head: str = ""
    """Full commit id; without it what `ref` stands for."""
    ref: str = ""
    """A branch, or a full ref."""
    base: str = ""
    """Full commit id; the merge base with it counts. Without it the branch is judged as after a push."""
    merge_request: int | None = None
    target: str = ""
    """Branch that the merge request is to be merged into."""
    actor: str = ""


class Standing(Struct, frozen=True):
    """How an assessment stands."""

    id: AssessmentId
    team: TeamId | None
    name: str
    """Of the subject."""
    state: AssessmentState
    summary: str
    verdict: str
    superseded_by: AssessmentId | None
    started_at: Instant | None
    finished_at: Instant | None

    @property
    def has_ended(self) -> bool:
        return self.state in TERMINAL


def trigger_of(wish: Wish, repository: RepositoryRow, forge: str = "") -> Trigger:
    """The trigger, in the words of the kind of forge where the repository lives.

    Raises:
        UsageError: when nothing is named that could be judged.
    """
    remote = RemoteRepository(repository.name, repository.clone_url)
    ref = branch(wish.ref)
    if wish.merge_request is not None:
        if not wish.head:
            raise UsageError("a merge request is judged at a commit", advice="give its head")
        target = branch(wish.target or repository.default_branch)
        if not (target or wish.base):
            raise UsageError("the merge request's target is not known", advice="give base or target")
        request = MergeRequest(wish.merge_request, target, wish.head, wish.base)
        kind = SubjectKind.MERGE_REQUEST
        ref = ref or _REQUESTS.get(forge, "refs/pull/{}/head").format(wish.merge_request)
        return Trigger(TriggerKind.CALL, remote, kind, ref=ref, after=wish.head, merge_request=request, actor=wish.actor)
    if not (wish.head or ref):
        raise UsageError("nothing is named that could be judged", advice="give head, ref, or both")
    if ref and not wish.base:
        return Trigger(TriggerKind.CALL, remote, SubjectKind.BRANCH, ref=ref, after=wish.head, actor=wish.actor)
    change = f"refs/calls/{wish.head[:16]}" if wish.head else ref
    kind = SubjectKind.MERGE_REQUEST  # of a change only what it brings is held
    return Trigger(TriggerKind.CALL, remote, kind, ref=change, before=wish.base, after=wish.head, actor=wish.actor)


def standing(service: Service, number: AssessmentId) -> Standing | None:
    """How it stands now."""
    a = assessment.c
    names = [name for name in Standing.__struct_fields__ if name != "name"]
    asked = sa.select(subject.c.name, *(a[name] for name in names)).join(subject, subject.c.id == a.subject).where(a.id == number)
    with service.database.read() as link:
        row = link.execute(asked).first()
    return None if row is None else Standing(**{**row._mapping, "state": AssessmentState(row.state)})  # noqa: SLF001 - its public name


def wait_for(service: Service, number: AssessmentId, seconds: float) -> Standing | None:
    """How it stands when it has ended, or when the time is over; what superseded it is waited for instead."""
    ends = time.monotonic() + min(seconds, MOST_SECONDS)
    may_wait = seconds > 0 and _waiting.acquire(blocking=False)
    try:
        turn = hops = 0
        while True:
            found = standing(service, number)
            if found is not None and found.superseded_by is not None and hops < _MOST_HOPS:
                number, hops = found.superseded_by, hops + 1
                continue
            if found is None or found.has_ended or not may_wait or time.monotonic() >= ends:
                return found
            time.sleep(max(0.0, min(_PAUSES[min(turn, len(_PAUSES) - 1)], ends - time.monotonic())))
            turn += 1
    finally:
        if may_wait:
            _waiting.release()
