"""Rules of Bitbucket Pipelines about scripts and pipes: foreign text, checks that are off or cannot fail, verbose logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.bitbucket_document import Bitbucket, Pipe, Step
from assaymark.checks.infrastructure.pipelines.pipeline_rules import script_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import SECURITY_JOB, is_true
from assaymark.checks.infrastructure.pipelines.walking import at, pairs, text_at
from assaymark.checks.reading.image_names import name_of
from assaymark.checks.reading.yaml_tree import Scalar
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import Foreign

FOREIGN: Final[Foreign] = {"BITBUCKET_BRANCH": "name", "BITBUCKET_TAG": "name", "BITBUCKET_BOOKMARK": "name"}
"""Who may push a branch or tag chooses its name, which may hold ``$(…)`` but no space."""
_RUNS_TEXT = re.compile(r"(?:^|/)(?:ssh-run|aws-ecs-run|heroku-run)\Z")
_VARIABLE = re.compile(r"\$\{?(BITBUCKET_(?:BRANCH|TAG|BOOKMARK))\b")
_DONT_FAIL: Final = {"DONT_BREAK_BUILD": "true", "EXIT_ZERO": "true", "FAIL_ON_VULNERABILITIES": "false", "BREAK_BUILD": "false"}


def scripts(file: Bitbucket) -> Iterator[Flaw]:
    """The rules about shell text, over every script of the file."""
    yield from script_flaws(file.scripts, file.lines, FOREIGN)


def pipes(file: Bitbucket) -> Iterator[tuple[Step, Pipe]]:
    """Every pipe with its step; one that an anchor brings in twice is told once."""
    seen: set[int] = set()
    for step in file.steps:
        for pipe in step.pipes:
            if id(pipe.node) not in seen:
                seen.add(id(pipe.node))
                yield step, pipe


def pipe_runs_foreign_text(file: Bitbucket) -> Iterator[Flaw]:
    """The name of a branch becomes part of a command that a pipe runs on another machine."""
    for step, pipe in pipes(file):
        command = at(pipe.node, "variables", "COMMAND")
        if not isinstance(command, Scalar) or not _RUNS_TEXT.search(name_of(pipe.name.text)):
            continue
        for name in dict.fromkeys(found[1] for found in _VARIABLE.finditer(command.text)):
            message = f"{name}, which people outside can write, becomes part of the command that {name_of(pipe.name.text)} runs"
            yield Flaw("script-injection", step.name, f"pipe {name_of(pipe.name.text)}: {name}", message, command.span)


def clone_unverified(file: Bitbucket) -> Iterator[Flaw]:
    """The sources are fetched without comparing the server's certificate."""
    places = [("pipeline", file.root.get("clone")), *((step.name, step.node.get("clone")) for step in file.steps)]
    for owner, clone in places:
        node = at(clone, "skip-ssl-verify")
        if isinstance(node, Scalar) and is_true(node):
            message = "Whoever answers for the server decides which sources are built"
            yield Flaw("verification-off", owner, "clone.skip-ssl-verify", message, node.span)


def debug_enabled(file: Bitbucket) -> Iterator[Flaw]:
    """A pipe is told to log what it does, which includes what it is given."""
    for step, pipe in pipes(file):
        node = at(pipe.node, "variables", "DEBUG")
        if isinstance(node, Scalar) and is_true(node):
            message = f"{name_of(pipe.name.text)} logs the requests that it makes, with what they carry"
            yield Flaw("debug-enabled", step.name, f"pipe {name_of(pipe.name.text)}: DEBUG", message, node.span)


def scanner_cannot_fail(file: Bitbucket) -> Iterator[Flaw]:
    """A scanner's pipe is told not to fail."""
    for step, pipe in pipes(file):
        for key, value in pairs(pipe.node.get("variables")):
            wanted = _DONT_FAIL.get(key.text)
            if wanted and isinstance(value, Scalar) and value.text.lower() == wanted:
                name = name_of(pipe.name.text)
                message = f"Whatever {name} finds, the pipeline goes on as if it had found nothing"
                yield Flaw("scanner-cannot-fail", step.name, f"pipe {name}: {key.text}", message, key.span)


def security_step_may_fail(file: Bitbucket) -> Iterator[Flaw]:
    """A step whose purpose is security is allowed to fail."""
    for step in file.steps:
        node = at(step.node, "on-fail", "strategy")
        if isinstance(node, Scalar) and node.text == "ignore" and SECURITY_JOB.search(text_at(step.node, "name")):
            message = f"{step.name} may fail and the pipeline still passes"
            yield Flaw("security-step-may-fail", step.name, "on-fail.strategy", message, node.span)
