"""Answers as JSON, under a format name and version: ``major.minor``; a member may be added in a minor version, none is renamed or removed.

`schema` gives the JSON Schema; the packaged copy ``verification-1.schema.json`` is the same text, kept so by a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.endorsement.approval import WaiverNote, stamp
from assaymark.endorsement.asking.answer import Answer, Outcome, Question, whole
from assaymark.endorsement.asking.asked import shown
from assaymark.endorsement.statement import Named
from assaymark.endorsement.verify import Refusal
from assaymark.views.encoding import json_text

FORMAT, VERSION = "assaymark/verification", "1.2"


class Reason(Struct, frozen=True):
    reason: Refusal
    text: str


class Endorsement(Struct, frozen=True, rename="camel"):
    """What decided: signed by a trusted key, though it may be refused all the same."""

    id: str
    """``sha256:`` and the digest of its statement."""
    signed_by: tuple[str, ...]
    root: str
    """Of the trust document; empty where none vouches for it."""
    verifier: str
    resource: str
    levels: tuple[str, ...]
    time_verified: str
    expires: str
    environments: tuple[str, ...]
    """Empty: all that the root is trusted for."""
    waivers: tuple[WaiverNote, ...]
    subjects: tuple[Named, ...]
    platforms: tuple[str, ...]
    """Of an image for several: those that were judged."""
    platforms_unjudged: tuple[str, ...]
    """The others that its index names."""


class Result(Struct, frozen=True, rename="camel"):
    """About one thing, in the order in which they were named."""

    name: str
    outcome: Outcome
    kind: str
    """``file``, ``directory``, ``commit``, ``image``, ``digest``; empty where it could not be read."""
    digests: tuple[str, ...]
    digest: str
    """Of these the one that is endorsed, or the first."""
    reasons: tuple[Reason, ...]
    """Why it is not approved; empty where it is, and where it could not be read."""
    problem: str
    """Why it could not be read."""
    place: str
    """Where the endorsement lies that decided."""
    tried: int
    """How many endorsements were looked at."""
    endorsement: Endorsement | None


class Asking(Struct, frozen=True, rename="camel"):
    resource: str
    environment: str
    levels: tuple[str, ...]
    max_age_days: int
    platform: str


class VerificationDocument(Struct, frozen=True, rename="camel"):
    """The document's root."""

    outcome: Outcome
    at: str
    expected: Asking
    trust_number: int
    notes: tuple[str, ...]
    results: tuple[Result, ...]
    format: str = FORMAT
    version: str = VERSION


def document(answers: Sequence[Answer], question: Question) -> VerificationDocument:
    """All that was found out."""
    expected = question.expected
    return VerificationDocument(
        outcome=whole(answers),
        at=stamp(question.now),
        expected=Asking(expected.resource, expected.environment, expected.levels, expected.max_age_days, expected.platform),
        trust_number=question.believed.trust.trust.number,
        notes=question.believed.notes,
        results=tuple(_result(each) for each in answers),
    )


def render(answers: Sequence[Answer], question: Question) -> str:
    """The document, indented."""
    return json_text(document(answers, question))


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    made = msgspec.json.schema(VerificationDocument)
    whole_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:assaymark:verification:{VERSION}",
        "title": "Assaymark verification",
        **made,
    }
    # The generator leaves tuples in it; a schema is JSON and nothing else.
    return msgspec.json.decode(msgspec.json.encode(whole_schema), type=dict[str, Any])


def _result(answer: Answer) -> Result:
    asked = answer.asked
    return Result(
        name=shown(answer.name),
        outcome=answer.outcome,
        kind=str(asked.kind) if asked else "",
        digests=asked.digests if asked else (),
        digest=answer.digest,
        reasons=tuple(Reason(each.reason, each.text) for each in answer.refused),
        problem=answer.problem,
        place=shown(answer.place),
        tried=answer.tried,
        endorsement=_endorsement(answer),
    )


def _endorsement(answer: Answer) -> Endorsement | None:
    held = answer.verification
    if held is None or held.approval is None:
        return None
    said = held.approval
    return Endorsement(
        id=held.id,
        signed_by=held.keyids,
        root=held.root,
        verifier=said.verifier.id,
        resource=said.resource_uri,
        levels=said.verified_levels,
        time_verified=said.time_verified,
        expires=said.extension.expires,
        environments=said.extension.environments,
        waivers=said.extension.waivers,
        subjects=held.subjects,
        platforms=said.extension.platforms,
        platforms_unjudged=said.extension.platforms_unjudged,
    )
