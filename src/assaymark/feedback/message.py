"""What is said of an assessment, in the shapes that forges take. Pure: texts in, texts out."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from msgspec import Struct

from assaymark.model.assessment import AssessmentState
from assaymark.model.trigger import SubjectKind, TriggerKind
from assaymark.model.verdict import Verdict
from assaymark.views import markdown
from assaymark.views.causes import outcome_sentence
from assaymark.views.options import Options

CONTEXT = "assaymark"
"""Name of the status, by which a forge's branch protection asks for it."""
_UNSAID = {AssessmentState.QUEUED: "it waits to be judged", AssessmentState.RUNNING: "it is being judged"}
_LONGEST = 140
"""Characters of a description: GitHub refuses more."""


class StatusState(StrEnum):
    """Of a commit, as all forges have it in words of their own."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    """Not known to be good, and not known to be bad: it does not let a change through."""
    CANCELLED = "cancelled"
    """It is judged no more: a newer commit covers it, or somebody stopped it. Does not let a change through either."""


class Status(Struct, frozen=True):
    """A mark at a commit."""

    state: StatusState
    description: str
    url: str
    """Page of the verdict."""
    context: str = CONTEXT


class Comment(Struct, frozen=True):
    """What one comment says now."""

    body: str
    marker: str

    @property
    def digest(self) -> str:
        """Tells whether anything is new to say."""
        return hashlib.sha256(self.body.encode()).hexdigest()


def context_of(kind: SubjectKind, trigger: TriggerKind) -> str:
    """Name of the mark: what gates a merge has a name of its own, so that a push of the same commit cannot say that all is well."""
    if kind is SubjectKind.MERGE_REQUEST or trigger is TriggerKind.MERGE_QUEUE:
        return CONTEXT
    return f"{CONTEXT}/{'tag' if kind is SubjectKind.TAG else 'push'}"


def status(state: AssessmentState, summary: str, url: str, context: str = CONTEXT) -> Status:
    """The mark."""
    match state:
        case AssessmentState.QUEUED | AssessmentState.RUNNING:
            found = StatusState.PENDING
        case AssessmentState.PASS:
            found = StatusState.SUCCESS
        case AssessmentState.FAIL:
            found = StatusState.FAILURE
        case AssessmentState.UNPROVEN:
            found = StatusState.ERROR
        case AssessmentState.SUPERSEDED | AssessmentState.CANCELLED:
            found = StatusState.CANCELLED
    return Status(found, _short(summary or _UNSAID.get(state, state.value)), url, context)


def comment(verdict: Verdict | None, summary: str, url: str, *, nonce: str) -> Comment:
    """The comment, which links to the page; without a verdict it says why there is none. The nonce makes its marker one of its kind."""
    category = f"{CONTEXT}-{nonce}"
    marker = markdown.marker(category)
    told = f"{marker}\n**Unproven:** {markdown.prose(summary)}"
    body = told if verdict is None else markdown.render(verdict, Options(category=category))
    return Comment(f"{body}\n\n[The verdict in full]({url})\n", marker)


def sentence(verdict: Verdict) -> str:
    """One line for lists and statuses."""
    return outcome_sentence(verdict)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
