"""Answers as JUnit XML: a case for each thing; refused is a failure, what was not shown either way an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from assaymark.endorsement.asking.answer import Answer, Outcome, Question
from assaymark.views.sanitise import one_line

_SUITE = "assaymark.verify"


def render(answers: Sequence[Answer], question: Question) -> str:
    """The document."""
    failures = sum(each.outcome is Outcome.REFUSED for each in answers)
    errors = sum(each.outcome in {Outcome.UNPROVEN, Outcome.UNREADABLE} for each in answers)
    numbers = f'tests="{len(answers)}" failures="{failures}" errors="{errors}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="assaymark" {numbers} time="0.000">',
        f'  <testsuite name="{_SUITE}" {numbers} skipped="0" time="0.000">',
        *(line for answer in answers for line in _case(answer)),
    ]
    if question.believed.notes:
        lines.append(f"    <system-out>{escape(' '.join(map(one_line, question.believed.notes)))}</system-out>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _case(answer: Answer) -> Iterator[str]:
    opening = f"    <testcase name={quoteattr(one_line(answer.name))} classname={quoteattr(_SUITE)}"
    if answer.outcome is Outcome.APPROVED:
        yield opening + "/>"
        return
    tag = "failure" if answer.outcome is Outcome.REFUSED else "error"
    told = [f"{each.reason}: {one_line(each.text)}" for each in answer.refused] or [one_line(answer.problem)]
    kind = answer.refused[0].reason if answer.refused else "unreadable"
    body = "\n".join([*told, *filter(None, (answer.digest, one_line(answer.place)))])
    yield opening + ">"
    yield f"      <{tag} type={quoteattr(str(kind))} message={quoteattr(told[0])}>{escape(body)}</{tag}>"
    yield "    </testcase>"
