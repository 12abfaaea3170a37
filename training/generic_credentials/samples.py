"""Candidates of the labelled files, as the check itself extracts them, each with what the labels say of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from assaymark.checks.application.secrets.candidates import KEY, Candidate, candidates
from assaymark.checks.application.secrets.dialects import dialect_of, group_of
from assaymark.checks.application.secrets.generic import is_open
from training.generic_credentials.labels import Label, LabelledFile

_LONGEST_LINE = 3000


class Sample(Struct, frozen=True):
    """One candidate."""

    repository: str
    group: str
    candidate: Candidate
    true: bool


def samples(files: Iterable[LabelledFile]) -> list[Sample]:
    """Candidates that the model would be asked about. One that nobody labelled counts as false: CredData's authors looked at the file."""
    return [sample for file in files for sample in _of_file(file)]


def _of_file(file: LabelledFile) -> Iterator[Sample]:
    group = group_of(dialect_of(file.path))
    if group == "none":
        return
    true: dict[int, list[Label]] = defaultdict(list)
    for label in file.labels:
        if label.true and not label.identifies_only:
            for number in label.lines:
                true[number].append(label)
    for number, raw in enumerate(file.content.split(b"\n"), 1):
        line = raw[:_LONGEST_LINE].decode("latin-1")
        if KEY.search(line):
            for candidate in filter(is_open, candidates(line, group)):
                yield Sample(file.repository, group, candidate, any(_meets(candidate, label, number) for label in true[number]))


def _meets(candidate: Candidate, label: Label, line: int) -> bool:
    """Whether the label's value and the candidate's overlap; a label without columns speaks for its whole line."""
    if label.start is None or label.first != line:
        return True
    end = label.end or label.start + 1
    return candidate.start < max(end, label.start + 1) and label.start < candidate.end
