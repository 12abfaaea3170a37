"""A small tree ensemble as plain arrays: how likely a candidate is a credential.

The weights are data (``generic_model.json``): gradient-boosted trees over `features.NAMES`, fitted by ``training/generic_credentials`` of
the source repository on candidates whose lines CredData labels. No machine-learning library is needed to use them.
"""

from __future__ import annotations

import base64
import math
from functools import cache

import msgspec
from msgspec import Struct

from assaymark.checks.application.secrets import shipped
from assaymark.checks.application.secrets.candidates import Candidate
from assaymark.checks.application.secrets.features import ALPHABET, NAMES, vector
from assaymark.model.severity import Confidence


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """Trees in one run of nodes; a leaf has feature -1."""

    features: tuple[str, ...]
    thresholds: tuple[float, float, float]
    """Least probabilities of low, medium and high confidence."""
    bias: float
    roots: tuple[int, ...]
    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]
    bigrams: str
    """Base64 of one byte per pair of character classes: minus log2 of its share in ordinary text, in sixteenths of a bit."""


def model_bytes() -> bytes:
    """The model as shipped."""
    return shipped.data("generic_model.json")


@cache
def model() -> Model:
    """The shipped model.

    Raises:
        ValueError: when it was fitted on other features than this code computes (a defect of the package, found by its tests).
    """
    loaded = msgspec.json.decode(model_bytes(), type=Model)
    if loaded.features != NAMES:
        raise ValueError("generic_model.json does not belong to the features of this release")
    return loaded


@cache
def bigrams() -> bytes:
    """The table of character pairs."""
    table = base64.b64decode(model().bigrams)
    if len(table) != ALPHABET * ALPHABET:
        raise ValueError("generic_model.json holds a table of pairs of another size")
    return table


def probability(candidate: Candidate, group: str) -> float:
    """How likely the candidate is a credential, from 0 to 1."""
    trees = model()
    numbers = vector(candidate, group, bigrams())
    total = trees.bias
    feature, threshold, left, right = trees.feature, trees.threshold, trees.left, trees.right
    for root in trees.roots:
        node = root
        while (asked := feature[node]) >= 0:
            node = left[node] if numbers[asked] <= threshold[node] else right[node]
        total += trees.value[node]
    return 1.0 / (1.0 + math.exp(-total))


def confidence_of(chance: float) -> Confidence | None:
    """The scale's word for a probability; None below the least."""
    low, medium, high = model().thresholds
    if chance < low:
        return None
    return Confidence.HIGH if chance >= high else Confidence.MEDIUM if chance >= medium else Confidence.LOW
