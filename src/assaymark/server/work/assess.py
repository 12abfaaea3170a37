"""Handler: from a queued assessment to a recorded verdict.

Guarantees: whatever happens, the assessment ends once. What may pass (a forge that does not answer, a copy that is damaged) is tried again
by the queue until the last attempt, which writes down that it is unproven and why; what cannot change by itself (a commit that is gone, a
policy that is wrong, an address that is refused) ends it at once. A worker that was killed on the last attempt leaves a will (`abandon`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import AssayError, EngineMissing, SubjectUnreadable, UsageError
from assaymark.flow import Context
from assaymark.model.assessment import AssessmentId
from assaymark.model.finding import Kind
from assaymark.model.subject import Subject
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service
from assaymark.server.work import cases, governing
from assaymark.server.work.approved_changes import with_components
from assaymark.server.work.bases import Ends, Question, find_ends
from assaymark.server.work.cases import Case
from assaymark.server.work.deciding import decided_about
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.images import Image, is_image, judge_image, with_tag
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.server.work.surroundings import surroundings
from assaymark.server.work.watch import Watch
from assaymark.server.work.whole import against, known, sides
from assaymark.store.repositories import RepositoryRow
from assaymark.subjects.bounded import Stopped
from assaymark.subjects.history import merge_base
from assaymark.subjects.mirror import Bound, Mirror, Want
from assaymark.verdict.given import Given

SECONDS = 540.0
"""Of one attempt: less than its job has, so that the end can still be written down."""
_DAMAGED = frozenset({"missing", "unreadable"})
"""Gaps that say something of the copy, not of the content."""


class Judgement(Struct, frozen=True):
    """A verdict and what it is about."""

    verdict: Verdict
    ends: Ends


def assess(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Judge one assessment (arguments: ``assessment``)."""
    number = AssessmentId(int(arguments["assessment"]))
    case = cases.take_up(service, number, attempt.number)
    if case is None:
        return
    watch = Watch(service, attempt, SECONDS, number)
    try:
        context = replace(surroundings(service, watch), decided=partial(decided_about, service, case.subject), keep=service.blobs.put)
        judgement = judge(service, case, context, watch)
    except (UsageError, SubjectUnreadable, EngineMissing) as error:
        if not watch.cancelled:
            _failed(service, case, error, attempt)
            return
        judgement = None
    if watch.cancelled or judgement is None:
        with service.database.write() as link:
            cases.end_cancelled(service, link, number, "somebody cancelled it while it ran")
        return
    cases.write_down(service, case, judgement.verdict, judgement.ends)
    context.settle()


def abandon(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """The will of an `assess` that was given up (arguments: ``assessment``, ``error``): it ends, unproven."""
    case = cases.look_at(service, AssessmentId(int(arguments["assessment"])))
    if case is not None:
        why = str(arguments.get("error") or "its worker was stopped each time")
        cases.end_unproven(service, case, f"it could not be run to its end: {why[:500]}; look at the dead jobs and replay, or push again")


def judge(service: Service, case: Case, context: Context, watch: Watch) -> Judgement:
    """Fetch what is needed and judge it; writes no row.

    Raises:
        UsageError: when trying again cannot help.
        SubjectUnreadable: when it can.
    """
    giving = partial(_given, service, case)
    if case.kind is SubjectKind.IMAGE or (is_image(case.head) and case.trigger.details.get("image")):
        verdict, ends = judge_image(service, _image(case), context, watch, giving)
        _need_time(watch)
        return Judgement(verdict, ends)
    if case.repository is None:
        raise UsageError(f"{case.name} cannot be fetched", why=f"a {case.kind} without a repository is judged by what is imported for it")
    mirror = mirror_of(service, case.repository.id)
    bound = Bound(seconds=watch.left, should_stop=watch.should_stop)

    def fetch(wants: Sequence[Want]) -> tuple[str, ...]:
        here = mirror.known(wants)
        return here if all(here) else mirror.fetch(remote(), wants, bound)

    def remote() -> Any:
        return remote_of(service, _present(case))

    ends = find_ends(_question(case, mirror, remote, bound), fetch, lambda one, other: _common(mirror, one, other))
    watch.checking()
    given = giving(ends.head, *sides(mirror.repository, ends))
    verdict = against(mirror.repository, ends, context, given) if ends.base else known(mirror.repository, ends.head, context, given)
    _need_time(watch)
    if not watch.cancelled and is_damaged(verdict):
        mirror.suspect()
        raise SubjectUnreadable(f"the copy of {case.repository.name} is damaged", why="contents are missing", advice="it is fetched anew")
    return Judgement(verdict, ends)


def _given(service: Service, case: Case, head: str, before: Subject, after: Subject) -> Given:
    return with_components(service, governing.given_for(service, case, head), case.subject, before, after)


def _need_time(watch: Watch) -> None:
    if watch.overdue:
        raise Stopped("it took too long", why=f"one attempt has {SECONDS:.0f} seconds", advice="lower limits.seconds in assay.toml")


def _image(case: Case) -> Image:
    """An image by its reference; what runs in an environment by the reference that its deployment names."""
    named = case.trigger.details.get("image", "") if case.kind is not SubjectKind.IMAGE else case.ref or case.name
    return Image(with_tag(named.partition("@")[0], case.trigger.details.get("tag", "")), case.team, case.head, case.base)


def is_damaged(verdict: Verdict) -> bool:
    """Whether something could not be read that a whole copy has."""
    cores = (judged.finding.core for judged in verdict.findings)
    return any(core.kind is Kind.UNCHECKED and core.parts[-1] in _DAMAGED for core in cores)


def _failed(service: Service, case: Case, error: AssayError, attempt: Attempt) -> None:
    """End it, or let the queue try again."""
    if not isinstance(error, UsageError) and not attempt.is_last:
        if case.repository is not None and type(error) is SubjectUnreadable:  # neither stopped nor unreachable: perhaps it is the copy
            mirror_of(service, case.repository.id).suspect()
        raise error
    cases.give_up(service, case, error)


def _present(case: Case) -> RepositoryRow:
    assert case.repository is not None  # noqa: S101 - asked before
    return case.repository


def _question(case: Case, mirror: Mirror, remote: Any, bound: Bound) -> Question:
    repository = _present(case)
    default = repository.default_branch
    if not default and not case.base and case.trigger.merge_request is None and case.ref.startswith("refs/heads/"):
        default = mirror.default_branch(remote(), bound)
    head = case.trigger.after if is_image(case.head) else case.head  # an artifact that is no image: its commit is judged
    return Question(case.kind, case.ref, case.trigger, case.base, head, default, case.earlier)


def _common(mirror: Mirror, one: str, other: str) -> str:
    try:
        return merge_base(mirror.repository, one, other)
    except SubjectUnreadable as error:
        if "no common ancestor" in error.what:
            return ""
        raise
