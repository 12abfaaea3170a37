"""Two ways to judge commits of a mirror: a head against its base, and a head by itself, where everything in it counts as known."""

from __future__ import annotations

from assaymark.flow import Context, Request, assay
from assaymark.model.subject import Comparison, Subject
from assaymark.model.verdict import Verdict
from assaymark.recorded import record
from assaymark.server.work.bases import Ends
from assaymark.subjects.commits import CommitSubject, resolve
from assaymark.subjects.compare import GitComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.repository import Repository
from assaymark.verdict.given import NOTHING, Given


def against(repository: Repository, ends: Ends, context: Context, given: Given = NOTHING) -> Verdict:
    """Did the head make security worse than the base?"""
    base, head = (CommitSubject(repository, resolve(repository, oid)) for oid in (ends.base, ends.head))
    return assay(Request(GitComparison(repository, base, head), given=given), context)


def sides(repository: Repository, ends: Ends) -> tuple[Subject, Subject]:
    """Base and head; without a base the head beside itself, which adds nothing: everything in it is what is known from now on."""
    base, head = (CommitSubject(repository, resolve(repository, oid)) for oid in (ends.base or ends.head, ends.head))
    return base, head


def known(repository: Repository, head: str, context: Context, given: Given = NOTHING) -> Verdict:
    """Everything in the head as what is known from now on: nothing of it is new, and nothing of it stops anybody.

    The same as `assay baseline write` and `assay check --baseline` one after the other; the second finds every fact remembered.
    """
    comparison = by_itself(repository, head)
    return assay(Request(comparison, baseline=record(comparison, context, given=given), given=given), context)


def everything(repository: Repository, head: str, context: Context, given: Given = NOTHING) -> Verdict:
    """All findings of the head, for an inventory."""
    return assay(Request(by_itself(repository, head), whole=True, given=given), context)


def by_itself(repository: Repository, head: str) -> Comparison:
    """The head beside nothing."""
    return GitComparison(repository, EmptySubject(), CommitSubject(repository, resolve(repository, head)))
