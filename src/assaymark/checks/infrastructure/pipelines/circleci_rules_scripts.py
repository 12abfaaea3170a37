"""Rules of CircleCI about scripts: what CircleCI pastes into them, and scanners whose result does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.circleci_document import Circle
from assaymark.checks.infrastructure.pipelines.pasted import Pasted, pasted_flaws
from assaymark.checks.infrastructure.pipelines.pipeline_rules import HIGH, LOW, script_flaws, variable_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import is_false
from assaymark.checks.infrastructure.pipelines.walking import at, pairs, text_at
from assaymark.checks.reading.yaml_tree import Scalar
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import Foreign

FOREIGN: Final[Foreign] = {"CIRCLE_BRANCH": "name", "CIRCLE_TAG": "name"}
"""Who may push a branch or tag chooses its name; builds of forks have a number as branch."""
_EXPRESSION: Final = re.compile(r"(?<!\\)<<\s{0,20}(?P<name>[a-z_]\w*(?:\.[\w-]+)+)\s{0,20}>>", re.IGNORECASE)
_STRANGERS = re.compile(
    r"pipeline\.(?:(?:trigger_parameters|event)\..*(?:title|body|message|subject|description|label|ref|branch|author_name|user_name)"
    r"|git\.commit\.(?:subject|body|message|author_name))\Z"
)
_NAMES: Final = frozenset({"pipeline.git.branch", "pipeline.git.tag"})
_GATES: Final = frozenset({"fail-on-issues", "fail_on_issues", "fail-build", "fail_build", "break-build", "exit-code-on-findings"})


def scripts(file: Circle) -> Iterator[Flaw]:
    """The rules about shell text, over every script of the file."""
    yield from script_flaws(file.scripts, file.lines, FOREIGN, _EXPRESSION)


def expression_injection(file: Circle) -> Iterator[Flaw]:
    """A value of the pipeline that others fill is pasted into a script."""
    yield from pasted_flaws(file.scripts, file.lines, _EXPRESSION, _judge)


def _judge(name: str) -> Pasted | None:
    if _STRANGERS.match(name):
        return Pasted("expression-injection", "Whoever opens a pull request or pushes a commit", HIGH)
    return Pasted("expression-injection", "Whoever may push a branch or tag", LOW) if name in _NAMES else None


def parameter_pasted(file: Circle) -> Iterator[Flaw]:
    """A parameter of the pipeline that takes any text is pasted into a script."""
    free = {f"pipeline.parameters.{key.text}" for key, node in pairs(file.root.get("parameters")) if text_at(node, "type") == "string"}

    def judge(name: str) -> Pasted | None:
        return Pasted("parameter-pasted", "Whoever starts a pipeline by hand or by the API") if name in free else None

    if free:
        yield from pasted_flaws(file.scripts, file.lines, _EXPRESSION, judge)


def variable_switches(file: Circle) -> Iterator[Flaw]:
    """Variables that switch verification off or address Docker in the clear."""
    written: list[tuple[str, str, Scalar, Scalar]] = []
    seen: set[int] = set()
    places = [(owner, node.get("environment")) for owner, node in file.places]
    places += [(step.owner, at(step.given, "environment")) for job in file.jobs for step in job.steps if step.name == "run"]
    for owner, environment in places:
        if environment is not None and id(environment) not in seen:
            seen.add(id(environment))
            written += [(owner, "environment", key, value) for key, value in pairs(environment) if isinstance(value, Scalar)]
    yield from variable_flaws(written)


def scanner_cannot_fail(file: Circle) -> Iterator[Flaw]:
    """A scanner's orb is told not to fail."""
    given = [(step.owner, step.name, step.given) for job in file.jobs for step in job.steps]
    given += [(use.name, use.job, use.node) for use in file.uses]
    for owner, name, node in given:
        for key, value in pairs(node) if "/" in name else ():
            if key.text in _GATES and is_false(value):
                message = f"Whatever {name} finds, the job goes on as if it had found nothing"
                yield Flaw("scanner-cannot-fail", owner, f"{name}: {key.text}", message, key.span)
