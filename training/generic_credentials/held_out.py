"""Figures on repositories that neither the model nor its thresholds have seen, and peers on the same files."""

from __future__ import annotations

import base64
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

from benchmarks.measure import timed, tool
from benchmarks.peers import PEERS, Peer, spots
from msgspec import Struct

from assaymark.checks.application.secrets import scanning, scoring
from assaymark.checks.application.secrets.content import Lines, readable
from assaymark.checks.application.secrets.dialects import dialect_of
from assaymark.checks.application.secrets.reporting import distinct
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.severity import Confidence
from training.generic_credentials.labels import LabelledFile
from training.generic_credentials.measuring import Score
from training.generic_credentials.samples import Sample

_LEVELS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


class Fold(Struct, frozen=True):
    """Repositories that were kept away, and the model that did not see them."""

    repositories: frozenset[str]
    model: scoring.Model


def _with_model(fold: Fold, files: Sequence[LabelledFile]) -> list[list[tuple[range, Confidence]]]:
    """What the whole check reports of each file, under this fold's model."""
    table = base64.b64decode(fold.model.bigrams)
    with (
        mock.patch.object(scoring, "model", return_value=fold.model),
        mock.patch.object(scoring, "bigrams", return_value=table),
        tempfile.TemporaryDirectory() as cache,
    ):
        scanner = scanning.Scanner(CheckSettings(cache_dir=cache, installation_key=Secret(b"")))
        return [list(_reports(scanner, file)) for file in files]


def _reports(scanner: scanning.Scanner, file: LabelledFile) -> Iterator[tuple[range, Confidence]]:
    data = readable(file.content)
    if data is None:
        return
    lines = Lines(data)
    for hit in distinct(scanner.hits(data, dialect_of(file.path))):
        yield range(lines.number(hit.start), lines.number(hit.end) + 1), hit.confidence


def whole_check(files: Sequence[LabelledFile], folds: Sequence[Fold]) -> Mapping[str, Mapping[str, float]]:
    """The check with all its layers, by line, at each least confidence."""
    scores = {level: Score() for level in _LEVELS}
    for fold in folds:
        held = [file for file in files if file.repository in fold.repositories]
        for file, reports in zip(held, _with_model(fold, held), strict=True):
            for level, score in scores.items():
                score.add(file, [lines for lines, confidence in reports if confidence.rank >= level.rank])
    return {f"whole check, {level} and above": score.figures() for level, score in scores.items()}


def candidates(rows: Sequence[Sample], folds: Sequence[Fold]) -> Mapping[str, Mapping[str, float]]:
    """The model alone, by candidate, at the thresholds that the other repositories chose; unlabelled candidates count as false."""
    counts = {level: [0, 0, 0] for level in _LEVELS}
    for fold in folds:
        table = base64.b64decode(fold.model.bigrams)
        with mock.patch.object(scoring, "model", return_value=fold.model), mock.patch.object(scoring, "bigrams", return_value=table):
            for row in rows:
                if row.repository in fold.repositories:
                    said = scoring.confidence_of(scoring.probability(row.candidate, row.group))
                    for level, count in counts.items():
                        reported = said is not None and said.rank >= level.rank
                        count[0] += reported and row.true
                        count[1] += reported and not row.true
                        count[2] += row.true and not reported
    return {f"model, {level} and above": _figures(*count) for level, count in counts.items()}


def _figures(found: int, wrong: int, missed: int) -> Mapping[str, float]:
    precision, recall = found / max(1, found + wrong), found / max(1, found + missed)
    return {"recall": recall, "precision": precision, "F1": 2 * precision * recall / max(1e-9, precision + recall)}


def peers(files: Sequence[LabelledFile]) -> Mapping[str, Mapping[str, float]]:
    """Installed scanners for secrets over the same files under their own names, with their default rules and no network."""
    figures = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        for file in files:
            target = folder / file.repository / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
        for peer in PEERS:
            program = tool(peer.program) if peer.kind == "secrets" else None
            if program is not None:
                figures[peer.name] = _of_peer(peer, program, folder, files)
    return figures


def _of_peer(peer: Peer, program: str, folder: Path, files: Sequence[LabelledFile]) -> Mapping[str, float]:
    report = folder.parent / f"{peer.program}.json"
    command = [program, *peer.arguments(folder, report)]
    if peer.by_output:
        command = ["sh", "-c", '"$@" > "$0"', str(report), *command]
    timed(command, folder, {"HOME": str(folder.parent), "PATH": "/usr/bin:/bin"}, codes=())
    by_path: dict[str, set[range]] = defaultdict(set)
    for path, line, _ in spots(peer, report, folder):
        by_path[path].add(range(line, line + 1))
    score = Score()
    for file in files:
        score.add(file, by_path[f"{file.repository}/{file.path}"])
    return score.figures()
