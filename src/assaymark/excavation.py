"""Secrets in the whole history: what was ever committed, with the commit that brought it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from assaymark.flow import Context, Request, assay
from assaymark.model.finding import CheckId, Fingerprint, Kind
from assaymark.model.verdict import Judged, Verdict
from assaymark.subjects.compare import ListingComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.history import BlobPlace, blob_places
from assaymark.subjects.past import PastSubject
from assaymark.subjects.repository import Repository

SECRETS = frozenset({CheckId("secrets")})


def excavate(repository: Repository, context: Context) -> Verdict:
    """Judge every secret that the history holds; those whose rotation is recorded are waived, deletion alone closes none."""
    comparison = ListingComparison(EmptySubject(), PastSubject(repository))
    verdict = assay(Request(comparison, whole=True, only=SECRETS), context)
    once, versions = _once(verdict.findings)
    found = {judged.finding.input for judged in once if judged.finding.core.kind is Kind.SECRET}
    places = blob_places(repository, found) if found else {}
    return msgspec.structs.replace(
        verdict, findings=tuple(_dug(judged, places.get(judged.finding.input), versions[judged.finding.fingerprint]) for judged in once)
    )


def _once(judged: Sequence[Judged]) -> tuple[list[Judged], Counter[Fingerprint]]:
    """One row per secret, however many versions of however many files held it; gaps stay as they are."""
    versions = Counter(one.finding.fingerprint for one in judged)
    rows: dict[object, Judged] = {}
    for number, one in enumerate(judged):
        rows.setdefault(number if one.finding.core.kind is Kind.UNCHECKED else one.finding.fingerprint, one)
    return list(rows.values()), versions


def _dug(judged: Judged, place: BlobPlace | None, versions: int) -> Judged:
    if place is None:
        return judged
    finding = judged.finding
    return msgspec.structs.replace(
        judged,
        finding=msgspec.structs.replace(
            finding,
            place=msgspec.structs.replace(finding.place, path=place.path),
            notes=(*finding.notes, ("commit", place.commit[:12]), ("places in history", str(versions))),
        ),
    )
