"""Scripts of a pipeline: the texts that a runner puts together and gives to a shell, and where a piece of them stands in the file.

Every piece of text belongs to exactly one script: a flaw in an anchor is told there, once, and not in each job that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.reading.yaml_tree import Node, Scalar, scalars_below
from assaymark.model.finding import Span


class Script(Struct, frozen=True, eq=False):
    """The lines of one script key, as the runner puts them together."""

    owner: str
    key: str
    scalars: tuple[Scalar, ...]
    language: str = "sh"
    """``sh``, ``powershell``, or another interpreter's name."""

    @property
    def text(self) -> str:
        return "\n".join(scalar.text for scalar in self.scalars)


def script(owner: str, key: str, node: Node | None, seen: set[int], language: str = "sh") -> Iterator[Script]:
    """The script below a key, unless all of it was seen before."""
    scalars = tuple(scalars_below(node, seen))
    if scalars:
        yield Script(owner, key, scalars, language)


def place(script: Script, start: int, end: int, lines: tuple[str, ...]) -> Span:
    """Where a stretch of a script's text stands in the file."""
    passed = 0
    for scalar in script.scalars:
        size = len(scalar.text)
        if start <= passed + size:
            return within(scalar, start - passed, max(1, min(end, passed + size) - start), lines)
        passed += size + 1
    return script.scalars[-1].span


def within(scalar: Scalar, offset: int, length: int, lines: tuple[str, ...]) -> Span:
    """Where a part of a scalar's text stands in the file: exact for literal blocks, found again by its words for the other styles."""
    snippet = scalar.text[offset : offset + length].partition("\n")[0].rstrip()
    first = scalar.span.start_line + (1 if scalar.style in {"|", ">"} else 0)
    guess = first + scalar.text.count("\n", 0, offset) if scalar.style == "|" else first
    for wanted in (snippet, snippet[:24], snippet.partition(" ")[0]):
        for number in dict.fromkeys((guess, *range(first, min(scalar.span.end_line, first + 2000) + 1))):
            column = lines[number - 1].find(wanted) if wanted and 1 <= number <= len(lines) else -1
            if column >= 0:
                return Span(number, column + 1, number, column + 1 + len(wanted))
    return scalar.span
