"""What API servers ask, kind by kind, with the right answer beside each; and the endorsements that these answers rest on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.endorsement.approvals import KEY, claims, statement_of, trusting

from assaymark.deployment.admission.approved import ApprovedDigest
from assaymark.deployment.admission.judging import Judge, Terms
from assaymark.endorsement import approval, bundle, dsse, revocation
from assaymark.endorsement.approval import Extension
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.verify import Expected, Refusal, Refused, Verification, verify
from assaymark.model.assessment import Instant

FOLDER = Path(__file__).parent / "recorded"
FILES = ("pods", "templates", "others", "namespaces")
ENVIRONMENT = "production"
NAMESPACE = "assaymark"
WHEN = approval.instant("2026-06-01T12:00:00Z")
"""The objects were made then."""
APPROVED = ("sha256:" + "a" * 64, "sha256:" + "a1" * 32)
REVOKED, ENDED, UNKNOWN = (f"sha256:{digit * 64}" for digit in "bec")
ENFORCING = Terms(ENVIRONMENT, exempt=(NAMESPACE,), enforce=True, url="https://assay.example")


def cases() -> list[tuple[str, dict[str, Any]]]:
    """(name, case) of all AdmissionReviews."""
    return [(f"{file}: {each['name']}", each) for file in FILES for each in json.loads((FOLDER / f"{file}.json").read_text("utf-8"))]


def image_cases() -> list[tuple[str, dict[str, Any]]]:
    return [(each["name"], each) for each in json.loads((FOLDER / "image_reviews.json").read_text("utf-8"))]


def bundle_of(digest: str, until: str = "2026-12-01T00:00:00Z", verified: str = "2026-05-01T00:00:00Z") -> bytes:
    """A signed endorsement of an image."""
    claimed = claims(time_verified=verified, extension=Extension(until, environments=(ENVIRONMENT, "staging")))
    payload = statement_of(claimed, (Named("app", {"sha256": digest.removeprefix("sha256:")}),))
    return bundle.written(dsse.sign(PAYLOAD_TYPE, payload, KEY))


def judge(now: Instant = WHEN) -> Judge:
    """The verifier itself over real signatures: two approved, one withdrawn, one ended."""
    held = {each: bundle_of(each) for each in (*APPROVED, REVOKED)} | {ENDED: bundle_of(ENDED, "2026-05-30T00:00:00Z")}
    revoked = revocation.opened([Revocation(Target.SUBJECT, REVOKED, "a flaw became known", "2026-05-20T00:00:00Z")])
    trusted = trusting()

    def ask(digest: str, environment: str) -> Verification:
        if digest not in held:
            return Verification(ok=False, refused=(Refused(Refusal.ABSENT, f"there is no endorsement of {digest}"),))
        return verify(held[digest], digest, Expected(environment=environment), trusted, revoked, now=now)

    return ask


def listed() -> list[ApprovedDigest]:
    """As the maps of approved digests have them; the one that ended is still in, as in maps that nobody renewed."""
    return [*(ApprovedDigest(each, "2026-12-01T00:00:00Z") for each in APPROVED), ApprovedDigest(ENDED, "2026-05-30T00:00:00Z")]
