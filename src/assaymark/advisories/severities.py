"""How bad a record is: CVSS 3 base scores by the specification's formula (section 7.1), else the word of the record's database.

CVSS 2 and 4 vectors are kept as text and not scored: 4.0 needs a table of 270 expert ratings, 2 has no qualitative scale of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.advisories.osv import Affected, Rating, Record
from assaymark.model.severity import Severity

_VECTOR = re.compile(r"CVSS:3\.[01]/((?:[A-Z]{1,3}:[A-Z](?:/|\Z))+)")
_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_RIGHTS = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "negligible": Severity.LOW,
    "unimportant": Severity.LOW,
}


class Rated(Struct, frozen=True):
    """A severity and what it rests on."""

    severity: Severity
    basis: str
    vector: str = ""
    sure: int = 0
    """2 a score, 1 a word, 0 nothing: the surer one counts."""


UNRATED = Rated(Severity.MEDIUM, "not rated, taken for medium")


def rate(record: Record) -> Rated:
    """The worst score that the record gives, else its database's word, else medium."""
    vectors = list(_ratings(record))
    scored = [(score, rating.score) for rating in vectors if (score := base_score(rating.score)) is not None]
    if scored:
        score, vector = max(scored)
        return Rated(band(score), f"CVSS {vector[5:8]} base score {score}", vector, 2)
    other = next((rating.score for rating in vectors if rating.score.startswith("CVSS:")), "")
    for word in _words(record, vectors):
        severity = _WORDS.get(word.lower())
        if severity is not None:
            return Rated(severity, f"rated {word.lower()} by its database", other, 1)
    return Rated(UNRATED.severity, UNRATED.basis, other)


def worse(one: Rated, other: Rated) -> Rated:
    """Of two records of one alias group: the surer, then the worse, then by text, so that their order decides nothing."""
    return max(one, other, key=lambda rated: (rated.sure, rated.severity.rank, rated.basis, rated.vector))


def _ratings(record: Record) -> Iterator[Rating]:
    yield from record.severity or ()
    for affected in record.affected or ():
        yield from affected.severity or ()


def _words(record: Record, ratings: list[Rating]) -> Iterator[str]:
    """Words of the database, most general first."""
    places: list[object] = [record.database_specific]
    affected: Affected
    for affected in record.affected or ():
        places += [affected.database_specific, affected.ecosystem_specific]
    for place in places:
        for name in ("severity", "urgency"):
            word = place.get(name) if isinstance(place, dict) else None
            if isinstance(word, str):
                yield word
    yield from (rating.score for rating in ratings if not rating.score.startswith("CVSS:"))


def band(score: float) -> Severity:
    """CVSS's qualitative scale (section 5)."""
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
    return next((severity for least, severity in bounds if score >= least), Severity.INFO)


def base_score(vector: str) -> float | None:
    """CVSS 3.0 and 3.1; None for anything else."""
    match = _VECTOR.match(vector.strip())
    if match is None:
        return None
    metrics = dict(part.split(":", 1) for part in match[1].rstrip("/").split("/"))
    scope, rights = metrics.get("S", ""), metrics.get("PR", "")
    try:
        weight = {name: values[metrics[name]] for name, values in _WEIGHTS.items()}
        weight["PR"] = _RIGHTS[scope][rights]
    except KeyError:
        return None
    sub = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 6.42 * sub if scope == "U" else 7.52 * (sub - 0.029) - 3.25 * (sub - 0.02) ** 15
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weight["AV"] * weight["AC"] * weight["PR"] * weight["UI"]
    total = impact + exploitability if scope == "U" else 1.08 * (impact + exploitability)
    return _rounded_up(min(total, 10.0))


def _rounded_up(value: float) -> float:
    """To one decimal, upwards, without the error of binary fractions (appendix A of 3.1)."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
