"""Fit the model of the generic-credential layer, judge it on repositories it never saw, and write it.

    python -m training.generic_credentials --labels CREDDATA --repositories FOLDER [--write MODEL.json] [--check] [--peers]

Needs the package and scikit-learn; see README.md for the method, the figures and their limits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from training.generic_credentials import held_out, learning, pairs
from training.generic_credentials.labels import LabelledFile, labelled_files
from training.generic_credentials.samples import Sample, samples


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print figures, one line per name."""
    columns = list(next(iter(rows.values())))
    say("| " + " | ".join(["", *columns]) + " |")
    say("|" + "---|" * (len(columns) + 1))
    for name, figures in rows.items():
        say("| " + " | ".join([name, *(f"{figures[column]:.3f}" for column in columns)]) + " |")


def main() -> None:
    """Read, judge, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="a checkout of Samsung/CredData")
    parser.add_argument("--repositories", type=Path, required=True, help="git repositories named owner+name")
    parser.add_argument("--write", type=Path, help="where the model is written; without it nothing is")
    parser.add_argument("--check", action="store_true", help="judge the whole check on held-out repositories, by line")
    parser.add_argument("--peers", action="store_true", help="and the installed peers on the same files")
    options = parser.parse_args()
    files = list(labelled_files(options.labels, options.repositories))
    rows = samples(files)
    repositories = {file.repository for file in files}
    say(f"{len(repositories)} repositories, {len(files)} files, {len(rows)} candidates, {sum(row.true for row in rows)} true")
    models = _per_fold(files, rows)
    table(held_out.candidates(rows, models))
    if options.check:
        table(held_out.whole_check(files, models))
    if options.peers:
        table(held_out.peers(files))
    if options.write:
        model = learning.learned(rows, pairs.table(files))
        options.write.write_bytes(msgspec.json.encode(model) + b"\n")
        say(f"thresholds {model.thresholds}, {len(model.feature)} nodes")


def _per_fold(files: Sequence[LabelledFile], rows: Sequence[Sample]) -> list[held_out.Fold]:
    """One model per outer fold; pairs, trees and thresholds come from the other folds' repositories alone."""
    fold = learning.fold_of([file.repository for file in files], learning.OUTER)
    made = []
    for number in range(learning.OUTER):
        held = frozenset(name for name, its in fold.items() if its == number)
        text = pairs.table(file for file in files if file.repository not in held)
        model = learning.learned([row for row in rows if row.repository not in held], text)
        say(f"fold {number}: {len(held)} repositories held out, thresholds {model.thresholds}")
        made.append(held_out.Fold(held, model))
    return made


if __name__ == "__main__":
    main()
