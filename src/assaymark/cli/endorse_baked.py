"""What a bake adds to an endorsement: the image by manifest and configuration, its files by the root of their manifest, its lineage.

Guarantees: the verdict is of this very bake, by the digests of both; bill of materials and manifest of files lie beside the report and are
what it names. That image and files belong together is the word of whoever baked and now signs.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from assaymark.deployment.bake import report
from assaymark.deployment.bake.report import Report
from assaymark.endorsement.approval import Source
from assaymark.endorsement.statement import Named
from assaymark.endorsement.wording import Ground, digest_of
from assaymark.errors import UsageError
from assaymark.model.digest import sha256
from assaymark.model.verdict import Verdict


def grounded(ground: Ground, place: Path, data: bytes, verdict: Verdict) -> Ground:
    """The ground of an endorsement of what was baked.

    Raises:
        UsageError: when report, verdict and what lies beside them do not belong together.
    """
    found = report.read(place)
    if sha256(data) != found.verdict.digest or verdict.head.digest != found.config:
        raise UsageError(
            "the verdict is not of this bake",
            why=f"the report names {found.verdict.digest or 'no verdict'}",
            advice="bake again, with checks",
        )
    report.beside(place, report.MANIFEST, found.manifest)
    report.beside(place, report.SBOM, found.sbom)
    return replace(ground, subjects=_subjects(found, ground.resource), lineage=found.lineage, evidence=_evidence(found))


def _subjects(found: Report, resource: str) -> tuple[Named, ...]:
    rows = (("", found.image), ("#config", found.config), ("#files", found.manifest))
    return tuple(Named(resource + end, digest_of(digest)) for end, digest in rows)


def _evidence(found: Report) -> tuple[Source, ...]:
    rows = (("sbom", found.sbom), ("verdict", found.verdict.digest), ("recipe", found.recipe), ("source", found.source))
    return tuple(Source(f"bake:{name}", digest_of(digest)) for name, digest in rows if digest)
