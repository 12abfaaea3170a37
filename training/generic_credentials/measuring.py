"""Scores by line, the same for the whole check and for its peers: a true label is found when something is reported on one of its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from training.generic_credentials.labels import LabelledFile


class Score(Struct):
    """Counts over many files; identifiers (UUIDs, client ids, nonces …) are neither asked for nor counted as wrong."""

    found: int = 0
    missed: int = 0
    wrong: int = 0
    """Reports on lines that CredData calls harmless."""
    unlabelled: int = 0
    """Reports on lines that nobody labelled: some are right."""

    def add(self, file: LabelledFile, reports: Iterable[range]) -> None:
        """Count one file's reports, each a range of lines."""
        places = [set(lines) for lines in reports]
        seen: set[int] = set().union(*places)
        for lines in {label.lines for label in file.labels if label.true and not label.identifies_only}:
            self.found += not seen.isdisjoint(lines)
            self.missed += seen.isdisjoint(lines)
        true = {line for label in file.labels if label.true for line in label.lines}
        false = file.lines_of(true=False)
        for place in places:
            if place.isdisjoint(true):
                self.wrong += not place.isdisjoint(false)
                self.unlabelled += place.isdisjoint(false)

    def figures(self) -> Mapping[str, float]:
        """Recall, and precision and F1 with unlabelled reports left out (``labelled``) and counted as wrong (``strict``)."""
        recall = self.found / max(1, self.found + self.missed)
        labelled = self.found / max(1, self.found + self.wrong)
        strict = self.found / max(1, self.found + self.wrong + self.unlabelled)
        return {
            "recall": recall,
            "precision labelled": labelled,
            "precision strict": strict,
            "F1 labelled": 2 * recall * labelled / max(1e-9, recall + labelled),
            "F1 strict": 2 * recall * strict / max(1e-9, recall + strict),
        }
