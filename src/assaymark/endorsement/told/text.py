"""Answers for people: a line for each, below it why it is not approved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.endorsement.asking.answer import Answer, Outcome, Question, whole
from assaymark.views.sanitise import one_line

_WIDTH = max(len(each) for each in Outcome)


def render(answers: Sequence[Answer], question: Question) -> str:
    """All of them, and a last line that sums up where there are several."""
    lines = [line for answer in answers for line in _about(answer)]
    lines += [f"note: {one_line(note)}" for note in question.believed.notes]
    if len(answers) > 1:
        counts = (f"{number} {outcome}" for outcome in Outcome if (number := sum(each.outcome is outcome for each in answers)))
        lines.append(f"{whole(answers)}: {', '.join(counts)}")
    return "\n".join(lines) + "\n"


def _about(answer: Answer) -> Iterator[str]:
    yield f"{answer.outcome:<{_WIDTH}}  {one_line(answer.name)}{f'  {answer.digest}' if answer.digest != answer.name else ''}".rstrip()
    indent = " " * (_WIDTH + 2)
    held = answer.verification
    if answer.outcome is Outcome.APPROVED and held is not None and held.approval is not None:
        said = held.approval
        where = f" in {', '.join(map(one_line, said.extension.environments))}" if said.extension.environments else ""
        yield f"{indent}by {one_line(said.verifier.id)} for {one_line(said.resource_uri)}{where}, until {said.extension.expires}"
        if held.unjudged:
            mine, others = (", ".join(map(one_line, each)) for each in (said.extension.platforms, held.unjudged))
            yield f"{indent}judged for {mine or 'one platform'} only; nothing is known of {others}"
    elif held is not None and held.id:
        yield f"{indent}endorsement {held.id} in {one_line(answer.place)}"
    elif answer.place:
        yield f"{indent}in {one_line(answer.place)}"
    for each in answer.refused:
        yield f"{indent}{each.reason}: {one_line(each.text)}"
    if answer.problem:
        yield f"{indent}{one_line(answer.problem)}"
