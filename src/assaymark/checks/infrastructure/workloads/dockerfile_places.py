"""How flaws of a Dockerfile are addressed: the stage by its name or base, the instruction by its kind, never by a position."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile, Instruction, Stage
from assaymark.checks.reading.image_names import name_of
from assaymark.checks.rulebook import Flaw
from assaymark.model.finding import Span
from assaymark.model.severity import Severity


def address(stage: Stage) -> str:
    """``stage build``, or by its base where it has no name."""
    return f"stage {stage.alias or name_of(stage.base) or 'fragment'}"


class Wrong(Struct, frozen=True, omit_defaults=True):
    """What is wrong with an instruction."""

    rule: str
    what: str
    """For the address: no versions and no values."""
    message: str
    severity: Severity | None = None


def flaw(wrong: Wrong, stage: Stage, instruction: Instruction, span: Span | None = None) -> Flaw:
    """The flaw of an instruction, at its first line unless told better."""
    kind = f"ONBUILD {instruction.name}" if instruction.onbuild else instruction.name
    place = span or head(instruction)
    return Flaw(wrong.rule, address(stage), f"{kind}: {wrong.what}", wrong.message, place, wrong.severity, block=instruction.span)


def head(instruction: Instruction) -> Span:
    """The instruction's first line, as far as its name goes."""
    start = instruction.span
    return Span(start.start_line, start.start_column, start.start_line, start.start_column + len(instruction.name))


def within(file: Dockerfile, instruction: Instruction, start: int, end: int) -> Span:
    """Where a stretch of an instruction's text stands in the file: the first line of it."""
    at = instruction.start + start
    line = bisect_right(file.starts, at)
    column = at - file.starts[line - 1]
    width = max(1, min(end - start, len(file.lines[line - 1]) - column))
    return Span(line, column + 1, line, column + 1 + width)


def of(file: Dockerfile, *names: str) -> Iterator[tuple[Stage, Instruction]]:
    """The instructions of these kinds with their stages."""
    for stage in file.stages:
        for instruction in stage.instructions:
            if instruction.name in names:
                yield stage, instruction
