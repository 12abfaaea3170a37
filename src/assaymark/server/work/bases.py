"""What a head is compared with. The fetch comes in as a function, so that the decision can be read and tested by itself.

| what is judged | compared with |
|---|---|
| merge request or queue, call with a base | the merge base of the target (or the base) and the head; the target itself if there is none |
| push to a branch | the head that was judged last, else where the branch stood before (intake says it); also after a force push |
| push to a new branch | the merge base with the default branch |
| first push of the default branch, or nothing of the above is there any more | its own state: everything in it counts as known |
| tag, release | the nearest tag or release before it that was judged; without one its own state |
| schedule, advisory | its own state: what is found now was not brought by a change |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.subjects.mirror import Want

Fetch = Callable[[Sequence[Want]], tuple[str, ...]]
"""Commits by id, empty for those that were not needed and are not there."""
Common = Callable[[str, str], str]
"""The merge base; empty when there is none."""

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_LABELS = frozenset({SubjectKind.TAG, SubjectKind.RELEASE})
_REPEATED = frozenset({TriggerKind.SCHEDULE, TriggerKind.ADVISORY})


class Question(Struct, frozen=True):
    """What is known before anything was fetched."""

    kind: SubjectKind
    ref: str
    trigger: Trigger
    base: str
    """As intake says, may be empty."""
    head: str
    default_branch: str = ""
    earlier: tuple[str, ...] = ()
    """For tags and releases: heads of those that were judged before, latest first."""


class Ends(Struct, frozen=True):
    """Commits that are here."""

    head: str
    base: str = ""
    """Empty: the head's own state is what is known."""


def find_ends(question: Question, fetch: Fetch, common: Common) -> Ends:
    """Have both ends fetched.

    Raises:
        UsageError: when there is nothing by which the head could be found, or it is gone.
        SubjectUnreadable: when the remote cannot be asked.
    """
    trigger = question.trigger
    head = Want(question.head if _OID.match(question.head) else "", _ref_of(question))
    if not (head.oid or head.ref):
        raise UsageError("the trigger names neither a commit nor a ref", advice="send it again with one of them")
    if trigger.kind in _REPEATED and not _OID.match(trigger.before):
        return Ends(fetch([head])[0])
    if trigger.merge_request is not None or (trigger.kind in {TriggerKind.MERGE_QUEUE, TriggerKind.CALL} and question.base):
        return _from_where_it_left(question, head, fetch, common)
    if question.kind in _LABELS:
        return _after_earlier(question, head, fetch, common)
    return _onward(question, head, fetch, common)


def branch(name: str) -> str:
    """The full ref of a branch, however it was written."""
    return name if not name or name.startswith("refs/") else f"refs/heads/{name}"


def _ref_of(question: Question) -> str:
    ref = question.ref or question.trigger.ref
    return ref if ref.startswith("refs/") else ""


def _from_where_it_left(question: Question, head: Want, fetch: Fetch, common: Common) -> Ends:
    request = question.trigger.merge_request
    target = branch(request.base_ref) if request is not None else ""
    tip = ""
    if _OID.match(question.base):
        commit, tip = fetch([head, Want(question.base, target, needed=not target)])
    else:
        (commit,) = fetch([head])
    if not tip and target:
        (tip,) = fetch([Want(ref=target)])
    if not tip:
        raise UsageError("the trigger names no base", advice="send it again with a base, or without asking for a comparison")
    return Ends(commit, common(tip, commit) or tip)


def _onward(question: Question, head: Want, fetch: Fetch, common: Common) -> Ends:
    base = ""
    if _OID.match(question.base):
        commit, base = fetch([head, Want(question.base, needed=False)])
    else:
        (commit,) = fetch([head])
    if base:
        return Ends(commit, base)
    default = branch(question.default_branch)
    if default and default != question.ref:
        (tip,) = fetch([Want(ref=default, needed=False)])
        return Ends(commit, common(tip, commit) if tip else "")
    return Ends(commit)


def _after_earlier(question: Question, head: Want, fetch: Fetch, common: Common) -> Ends:
    before = [each for each in (question.base, *question.earlier) if _OID.match(each)]
    commit, *found = fetch([head, *(Want(each, needed=False) for each in dict.fromkeys(before))])
    there = [each for each in found if each]
    return Ends(commit, next((each for each in there if each != commit and common(each, commit) == each), there[0] if there else ""))
