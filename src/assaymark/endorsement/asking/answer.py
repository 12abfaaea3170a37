"""The answer about several things at once: each is asked by itself, and what went wrong with one hides nothing of the others.

`approved` only where an endorsement holds. Where none was found, or the trust may not be used any more, nothing was shown either way:
that is `unproven`, and never approved. What could not be read is `unreadable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.endorsement.asking.asked import Asked, Kind
from assaymark.endorsement.asking.believed import Believed
from assaymark.endorsement.asking.bundles import Found
from assaymark.endorsement.verify import Expected, Logged, Refusal, Refused, Verification, verify
from assaymark.errors import AssayError
from assaymark.model.assessment import Instant


class Outcome(StrEnum):
    """In the order in which they count: the first that there is, is that of the whole."""

    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNPROVEN = "unproven"
    APPROVED = "approved"


UNPROVEN = frozenset({Refusal.ABSENT, Refusal.STALE_TRUST})


class Answer(Struct, frozen=True):
    """About one thing."""

    name: str
    outcome: Outcome
    refused: tuple[Refused, ...] = ()
    """Of the endorsement that comes nearest; empty where it is approved."""
    problem: str = ""
    """Why it could not be read."""
    asked: Asked | None = None
    digest: str = ""
    """Of its digests the one that is endorsed, or the first."""
    place: str = ""
    """Where the endorsement that decided lies."""
    verification: Verification | None = None
    tried: int = 0


class Question(Struct, frozen=True):
    """What is the same for all."""

    expected: Expected
    believed: Believed
    now: Instant
    proof: Callable[[Found], Logged | None] = lambda _: None
    """What the log's proof beside an endorsement, or given for all, shows."""


def about(word: str, asking: Callable[[str], Asked], gather: Callable[[Asked], Sequence[Found]], question: Question) -> Answer:
    """The answer about what a word names."""
    try:
        asked = asking(word)
        found = gather(asked)
    except AssayError as error:
        why = f"{error.what}{': ' if error.why else ''}{error.why}"
        return Answer(word, Outcome.UNREADABLE, problem=why)
    return decided(asked, found, question)


def decided(asked: Asked, found: Sequence[Found], question: Question) -> Answer:
    """The answer about something, given what may endorse it; pure but for the log's proof."""
    first = asked.digests[0]
    if question.believed.refused is not None:
        return Answer(asked.name, Outcome.UNPROVEN, (question.believed.refused,), asked=asked, digest=first)
    if not found:
        refused = Refused(Refusal.ABSENT, f"no endorsement of {first} was found {_where(asked)}")
        return Answer(asked.name, Outcome.UNPROVEN, (refused,), asked=asked, digest=first)
    nearest: Answer | None = None
    for each in found:
        for digest in asked.digests:
            answer = _tried(asked, each, digest, question, len(found))
            if answer.outcome is Outcome.APPROVED:
                return answer
            if nearest is None or _far(answer) < _far(nearest):
                nearest = answer
    assert nearest is not None  # noqa: S101 - both were not empty
    return nearest


def whole(answers: Sequence[Answer]) -> Outcome:
    """The outcome of all together."""
    return min((each.outcome for each in answers), key=list(Outcome).index, default=Outcome.UNPROVEN)


def _tried(asked: Asked, found: Found, digest: str, question: Question, number: int) -> Answer:
    believed = question.believed
    held = verify(
        found.data, digest, question.expected, believed.trust, believed.revocations, now=question.now, logged=question.proof(found)
    )
    outcome = Outcome.APPROVED if held.ok else Outcome.REFUSED
    return Answer(asked.name, outcome, held.refused, "", asked, digest, found.place, held, number)


def _far(answer: Answer) -> tuple[bool, bool, int]:
    """What is about something else is farther than what was refused for itself; then the fewest reasons."""
    reasons = [each.reason for each in answer.refused]
    unsigned = answer.verification is None or answer.verification.approval is None
    return Refusal.SUBJECT in reasons, unsigned, len(reasons)


def _where(asked: Asked) -> str:
    if asked.kind is Kind.COMMIT:
        return "in the repository's notes; name one with --bundle"
    return "beside it; name one with --bundle" if asked.path else "in what was given; name one with --bundle"
