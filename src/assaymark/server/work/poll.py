"""Looks whether refs moved without a webhook: handlers `poll-repositories` (by the clock) and `poll-repository` (one).

Guarantees: a branch or tag that was made, moved or deleted since the last look gives the trigger that its webhook would have given, unless
something came in for it meanwhile; the first look at a repository queues its default branch only; what a person ended is not looked at.
A look costs one ``ls-remote``; what it saw is kept beside the settings, as digest of the listing and the listing itself.

Does not see a merge request: only the forge knows those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
import structlog
from msgspec import Struct

from assaymark.errors import AssayError, UsageError
from assaymark.jobs.job import Priority
from assaymark.model.assessment import Instant
from assaymark.model.trigger import RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.intake import Source, accept
from assaymark.server.work.register import poll_job
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.server.work.telling import tell_problem
from assaymark.store import arrivals, listings, repositories
from assaymark.store.repositories import RepositoryRow
from assaymark.subjects.mirror import Bound

_log = structlog.get_logger("assaymark.poll")
_SECONDS = 120.0
_PAGE = 500
_LONGEST_PROBLEM = 500
_MOST_MOVED = 1000
"""Of one look; what is more is seen at the next one."""


class Seen(Struct, frozen=True):
    """What a repository's refs are."""

    refs: dict[str, str]
    head: str
    """Full ref of the default branch."""


def poll_all(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:  # noqa: ARG001 - a handler
    """Put one job for each repository that is looked after."""
    after = 0
    while not attempt.should_stop():
        with service.database.write() as link:
            rows = repositories.page(link, None, after=after, limit=_PAGE, conditions=(repositories.ALIVE,))
            for row in rows:
                service.queue.put(link, poll_job(row.id))
        if len(rows) < _PAGE:
            return
        after = int(rows[-1].id)


def poll(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Ask one repository.

    Raises:
        SubjectUnreadable: when it does not answer; the queue tries again, and the repository's row says why meanwhile.
    """
    number = int(arguments["repository"])
    with service.database.read() as link:
        repository = repositories.get(link, number)
    if repository is None or repository.ended_at is not None:
        return
    asked_at = service.now()
    bound = Bound(seconds=_SECONDS, should_stop=attempt.should_stop)
    try:
        refs, head = mirror_of(service, repository.id).refs(remote_of(service, repository), bound)
    except AssayError as error:
        with service.database.write() as link:
            if attempt.is_last or isinstance(error, UsageError):
                tell_problem(service, link, repository.id, _told(error))
            repositories.note_problem(link, repository.id, _told(error))
        if isinstance(error, UsageError):
            return  # trying again cannot help
        raise
    take_in(service, repository, Seen(refs, head), asked_at)


def _told(error: AssayError) -> str:
    return "; ".join(part for part in (error.what, error.why, error.advice) if part)[:_LONGEST_PROBLEM]


def take_in(service: Service, repository: RepositoryRow, seen: Seen, asked_at: Instant) -> int:
    """Accept what moved; gives how many assessments that queued."""
    queued = 0
    with service.database.write() as link:
        tell_problem(service, link, repository.id, "")
        repositories.note_problem(link, repository.id, "")
        before = listings.read(link, repository.id)
        default = seen.head.removeprefix("refs/heads/")
        if default and default != repository.default_branch:
            repositories.describe(link, repository.id, service.now(), default_branch=default)
        source = Source(connection_id=repository.connection, priority=Priority.SCHEDULE, cause="poll")
        moved = _moved(before.refs, seen) if before is not None else _first(seen)
        taken = dict(before.refs) if before is not None else {}
        for count, (ref, old, new) in enumerate(moved):
            if count == _MOST_MOVED:
                break
            trigger = _trigger(repository, ref, old, new)
            # A forge may name an annotated tag by its own object, which is not what it points to: there the time decides alone.
            since = before.seen_at if before is not None and trigger.subject_kind is SubjectKind.TAG else asked_at
            if not arrivals.came_since(link, trigger.subject_kind, f"{repository.id}:{ref}", new, since):
                queued += _accept(service, link, trigger, source)
            taken.pop(ref, None)
            taken |= {ref: new} if new else {}
        else:
            taken = seen.refs
        listings.write(link, repository.id, taken, service.now())
    _log.info("repository.polled", repository=int(repository.id), refs=len(seen.refs), queued=queued)
    return queued


def _first(seen: Seen) -> Iterator[tuple[str, str, str]]:
    if seen.head in seen.refs:
        yield seen.head, "", seen.refs[seen.head]


def _moved(before: Mapping[str, str], seen: Seen) -> Iterator[tuple[str, str, str]]:
    """(ref, where it was, where it is), empty for not at all."""
    for ref in sorted(before.keys() | seen.refs.keys()):
        old, new = before.get(ref, ""), seen.refs.get(ref, "")
        if old != new:
            yield ref, old, new


def _trigger(repository: RepositoryRow, ref: str, old: str, new: str) -> Trigger:
    is_tag = ref.startswith("refs/tags/")
    remote = RemoteRepository(repository.name, repository.clone_url, repository.web_url, repository.forge_id, repository.default_branch)
    kind = (TriggerKind.TAG if is_tag else TriggerKind.PUSH) if new else TriggerKind.ENDED  # a change is gated however it is seen
    return Trigger(kind, remote, SubjectKind.TAG if is_tag else SubjectKind.BRANCH, ref=ref, before=old, after=new)


def _accept(service: Service, link: sa.Connection, trigger: Trigger, source: Source) -> int:
    try:
        with link.begin_nested():
            return len(accept(service, link, trigger, source=source))
    except UsageError as error:
        _log.warning("poll.refused", ref=trigger.ref[:200], what=error.what)
        return 0
