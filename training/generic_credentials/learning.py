"""Fitting, choosing thresholds on inner folds, and writing the trees as plain arrays.

Every seed is fixed: the same input gives the same file.
"""

from __future__ import annotations

import base64
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np  # type: ignore[import-not-found, unused-ignore]
from sklearn.ensemble import GradientBoostingClassifier  # type: ignore[import-not-found, import-untyped, unused-ignore]

from assaymark.checks.application.secrets.features import NAMES, vector
from assaymark.checks.application.secrets.scoring import Model
from training.generic_credentials.samples import Sample

SEED = 1
OUTER, INNER = 5, 3
"""Folds over repositories: a model never judges a repository that it saw."""
MEDIUM_PRECISION, HIGH_PRECISION = 0.8, 0.9
"""What the two upper confidences promise on the inner folds, candidates without a label counted as false."""
_HEAVIEST = 200
"""A repository with more candidates than this counts less per candidate: a few repositories hold most of them."""

Array = Any


def fold_of(repositories: Sequence[str], folds: int) -> Mapping[str, int]:
    """A fold for every repository, by a seeded shuffle."""
    names = sorted(set(repositories))
    random.Random(SEED).shuffle(names)  # noqa: S311 - no secret depends on it
    return {name: number % folds for number, name in enumerate(names)}


def matrix(rows: Sequence[Sample], pairs: bytes) -> Array:
    """Features, one row per sample."""
    return np.array([vector(row.candidate, row.group, pairs) for row in rows])


def fitted(rows: Sequence[Sample], numbers: Array) -> Any:
    """The ensemble over these samples."""
    model = GradientBoostingClassifier(
        n_estimators=120, max_depth=4, learning_rate=0.1, subsample=0.7, min_samples_leaf=8, max_features=0.4, random_state=SEED
    )
    return model.fit(numbers, np.array([row.true for row in rows]), sample_weight=_weights(rows))


def _weights(rows: Sequence[Sample]) -> Array:
    counts = Counter(row.repository for row in rows)
    return np.array([min(1.0, _HEAVIEST / counts[row.repository]) ** 0.5 for row in rows])


def out_of_fold(rows: Sequence[Sample], numbers: Array, folds: int) -> Array:
    """Each sample's probability by a model that did not see its repository."""
    fold = fold_of([row.repository for row in rows], folds)
    of_row = np.array([fold[row.repository] for row in rows])
    chances = np.zeros(len(rows))
    for number in range(folds):
        inside, held = np.flatnonzero(of_row != number), np.flatnonzero(of_row == number)
        model = fitted([rows[place] for place in inside], numbers[inside])
        chances[held] = model.predict_proba(numbers[held])[:, 1]
    return chances


def thresholds(rows: Sequence[Sample], chances: Array) -> tuple[float, float, float]:
    """Low where F1 is best, medium and high where their precision is first kept. Only ever called with inner folds' probabilities."""
    order = np.argsort(-chances, kind="stable")
    weights = _weights(rows)[order]
    true = np.array([row.true for row in rows])[order] * weights
    hits, taken = np.cumsum(true), np.cumsum(weights)
    precision = hits / taken
    low = float(chances[order][np.argmax(2 * hits / (taken + true.sum()))])
    medium = max(low, _least(chances[order], precision, MEDIUM_PRECISION))
    high = max(medium, _least(chances[order], precision, HIGH_PRECISION))
    return round(low, 3), round(medium, 3), round(high, 3)


def _least(falling: Array, precision: Array, wanted: float) -> float:
    kept = np.flatnonzero(precision >= wanted)
    return float(falling[kept[-1]]) if kept.size else 1.0


def learned(rows: Sequence[Sample], pairs: bytes) -> Model:
    """A model fitted on all these samples, with thresholds from inner folds over the same samples."""
    numbers = matrix(rows, pairs)
    cuts = thresholds(rows, out_of_fold(rows, numbers, INNER))
    return exported(fitted(rows, numbers), pairs, cuts)


def exported(model: Any, pairs: bytes, cuts: tuple[float, float, float]) -> Model:
    """The ensemble as arrays: children of a node by number, leaves with feature -1, the learning rate multiplied in."""
    roots: list[int] = []
    nodes: list[tuple[int, float, int, int, float]] = []
    for estimator in model.estimators_[:, 0]:
        tree, first = estimator.tree_, len(nodes)
        roots.append(first)
        for node in range(tree.node_count):
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            if left < 0:
                nodes.append((-1, 0.0, 0, 0, round(float(tree.value[node][0][0]) * model.learning_rate, 5)))
            else:
                nodes.append((int(tree.feature[node]), round(float(tree.threshold[node]), 5), first + left, first + right, 0.0))
    feature, threshold, lefts, rights, value = zip(*nodes, strict=True)
    share = float(model.init_.class_prior_[1])
    return Model(
        features=NAMES,
        thresholds=cuts,
        bias=round(math.log(share / (1 - share)), 5),
        roots=tuple(roots),
        feature=feature,
        threshold=threshold,
        left=lefts,
        right=rights,
        value=value,
        bigrams=base64.b64encode(pairs).decode("ascii"),
    )
