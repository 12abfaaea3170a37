"""What the checks of YAML pipelines have in common: one outcome per input, made by a reader and a book of rules.

Guarantees: choosing a check and asking for its knowledge loads no parser; time and memory are bounded whatever the text (aliases are
never expanded, nesting and size are limited); a flaw has the job and what is wrong as address, so jobs can come, go and change places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct

from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.rulebook import Flaw, Rule


class Readable(Protocol):
    """What every reader makes of a file, at least."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Of the whole text."""
        ...


File = TypeVar("File", bound=Readable)


class OtherFormat(Exception):  # noqa: N818  it is an answer of a reader, not a defect
    """The file has a name that pipelines have, and is none."""


class Book(Struct, Generic[File], frozen=True):
    """How one kind of pipeline is read and judged."""

    check: CheckId
    read: Callable[[str], File | None]
    """Raises `Unreadable`, or `OtherFormat`."""
    examiners: Sequence[Callable[[File], Iterator[Flaw]]]
    rules: Mapping[str, Rule]


class YamlCheck:
    """A check that judges every file on its own."""

    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB

    def __init__(self, check: CheckId, version: str, select: Callable[[str], Dialect | None], judge: Callable[[Input], Outcome]) -> None:
        self.id = check
        self.version = version
        self._select = select
        self._judge = judge

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([self.id])

    def select(self, path: str) -> Dialect | None:
        """By name only; a name that others use too gets a dialect of its own, and the content decides."""
        return self._select(path)

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, self._judge(each)


def judged(content: bytes, book: Book[File]) -> Outcome:
    """The outcome for one file."""
    from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415  not needed to select
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    try:
        file = book.read(decode(content))
        if file is None:
            return Checked(skipped="empty")
        flaws = bounded(flaw for examine in book.examiners for flaw in examine(file))
    except OtherFormat:
        return Checked(skipped="other-format")
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    return Checked(sightings=sightings(book.check, book.rules, flaws, file.lines))
