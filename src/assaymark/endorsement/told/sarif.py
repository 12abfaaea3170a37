"""Answers as SARIF 2.1.0: a result for each reason why something is refused.

What was neither approved nor refused (no endorsement, stale trust, unreadable) is a tool notification and the run no success: it is a gap,
not a weakness. What is approved stands in the run's properties.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from assaymark import __version__
from assaymark.endorsement.asking.answer import Answer, Outcome, Question, whole
from assaymark.endorsement.asking.asked import Kind
from assaymark.endorsement.told.reasons import MEANING
from assaymark.endorsement.verify import Refusal, Refused
from assaymark.views.encoding import json_text
from assaymark.views.sanitise import one_line, visible
from assaymark.views.sarif import GITHUB, SCHEMA
from assaymark.views.sarif_results import BASE, link_safe, uri_of

_SEVERITY = "9.0"
"""For readers that sort by CVSS: what is refused must not run."""


def render(answers: Sequence[Answer], question: Question) -> str:
    """The log as JSON text."""
    refused = [(answer, each) for answer in answers if answer.outcome is Outcome.REFUSED for each in answer.refused]
    kept = refused[: GITHUB.results]
    rules = sorted({each.reason for _, each in kept})
    index = {reason: number for number, reason in enumerate(rules)}
    gaps = list(_gaps(answers))
    if len(kept) < len(refused):
        gaps.append(_note("limit", f"{len(refused) - len(kept)} of {len(refused)} results are left out, to keep to GitHub's limits"))
    driver = {"name": "Assaymark verify", "semanticVersion": __version__, "rules": [_rule(reason) for reason in rules]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "assaymark/verify/"},
        "invocations": [{"executionSuccessful": not gaps, "toolExecutionNotifications": gaps}],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "Where the command was run"}}},
        "results": [_result(answer, each, index[each.reason]) for answer, each in kept],
        "properties": {
            "assaymark/outcome": whole(answers).value,
            "assaymark/trust": question.believed.trust.trust.number,
            "assaymark/approved": [one_line(answer.digest) for answer in answers if answer.outcome is Outcome.APPROVED],
            "assaymark/notes": [one_line(note) for note in question.believed.notes],
        },
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(reason: Refusal) -> dict[str, Any]:
    meaning, advice = MEANING[reason]
    return {
        "id": f"verify/{reason}",
        "shortDescription": {"text": meaning},
        "help": {"text": f"{meaning}. {advice}", "markdown": f"{meaning}. {advice}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"security-severity": _SEVERITY, "precision": "very-high", "tags": ["security", "supply-chain"]},
    }


def _result(answer: Answer, refused: Refused, index: int) -> dict[str, Any]:
    name = one_line(answer.name)
    seal = hashlib.sha256(f"{answer.digest}\0{refused.reason}\0{name}".encode("utf-8", "surrogateescape")).hexdigest()
    return {
        "ruleId": f"verify/{refused.reason}",
        "ruleIndex": index,
        "level": "error",
        "message": {"text": link_safe(f"{name} is not approved: {one_line(refused.text)}")},
        "locations": [_location(answer)],
        "partialFingerprints": {"primaryLocationLineHash": f"{seal[:16]}:1"},
        "properties": {
            "assaymark/digest": one_line(answer.digest),
            "assaymark/place": visible(answer.place),
            "assaymark/endorsement": answer.verification.id if answer.verification else "",
        },
    }


def _location(answer: Answer) -> dict[str, Any]:
    """GitHub wants a file for everything: of what is none, its name stands for one."""
    physical = {"artifactLocation": {"uri": uri_of(answer.name), "uriBaseId": BASE}, "region": {"startLine": 1}}
    kind = {Kind.FILE: "resource", Kind.DIRECTORY: "resource"}.get(answer.asked.kind, "object") if answer.asked else "object"
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": one_line(answer.digest), "kind": kind}]}


def _gaps(answers: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    for answer in answers:
        name = one_line(answer.name)
        if answer.outcome is Outcome.UNREADABLE:
            yield _note("unreadable", f"{name} could not be verified: {one_line(answer.problem)}")
        elif answer.outcome is Outcome.UNPROVEN:
            for each in answer.refused:
                yield _note(str(each.reason), f"{name} could not be verified: {one_line(each.text)}. {MEANING[each.reason][1]}")


def _note(name: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": f"assaymark/{name}"}, "level": "error", "message": {"text": text}}
