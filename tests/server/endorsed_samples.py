"""Endorsements in the store of a test: rows by the thousand, and one that is really signed by the server's key."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement import approval, bundle, dsse
from assaymark.endorsement.approval import APPROVED, PASSED, Approval, Extension, Source, Verifier, stamp
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentId, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.server.service import Service
from assaymark.server.work.signers import signer_of
from assaymark.server.work.trusting import verifier_of
from assaymark.store import endorsements
from assaymark.store import tables as t

KEY = "SHA256:" + "k" * 43
RULES = "sha256:" + "1" * 64
POLICY = "sha256:" + "2" * 64
BASE = "sha256:" + "3" * 64
DAY = 86_400 * SECOND


class Sample(Struct, frozen=True):
    """What is endorsed."""

    hex: str = "a" * 40
    algorithm: str = "gitCommit"
    subject: int = 1
    team: int | None = None
    keys: tuple[str, ...] = (KEY,)
    engine: str = "assaymark@0.1.0"
    rules: str = RULES
    policy: str = POLICY
    lineage: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    resource: str = "git+https://forge.test/shop"
    at: int = 0
    """When it was verified; 0: now."""


def team(link: sa.Connection, name: str) -> int:
    return int(link.execute(t.team.insert().returning(t.team.c.id), {"slug": name, "name": name, "created_at": 1}).scalar_one())


def subject(link: sa.Connection, name: str, **more: Any) -> int:
    following = (link.execute(sa.select(sa.func.max(t.subject.c.id))).scalar() or 0) + 1  # others were made with a number of their own
    row = {"id": following, "kind": "branch", "key": name, "name": name, "created_at": 1} | more
    return int(link.execute(t.subject.insert().returning(t.subject.c.id), row).scalar_one())


def environment(link: sa.Connection, name: str, digest: str, team: int | None = None, actor: str = "dora") -> int:
    """Where a digest runs, as a deployment told."""
    details = f'{{"digest": "{digest}"}}' if digest.startswith("sha256:") else f'{{"commit": "{digest.rpartition(":")[2]}"}}'
    number = subject(link, name, kind="environment", details=details, team=team)
    made = {"subject": number, "team": team, "trigger": "deployment", "queued_at": 5, "state": "pass", "actor": actor, "head": digest}
    link.execute(t.assessment.insert(), made)
    return number


def row(service: Service, link: sa.Connection, sample: Sample, name: str = "", blob: str = "") -> int:
    """Its rows; gives its number."""
    at = Instant(sample.at or service.now())
    passed = {"subject": sample.subject, "team": sample.team, "trigger": "push", "queued_at": at, "finished_at": at, "state": "pass"}
    made = link.execute(t.assessment.insert().returning(t.assessment.c.id), passed | {"head": sample.hex}).scalar_one()
    digest = name or "sha256:" + hashlib.sha256(f"{made}".encode()).hexdigest()
    new = endorsements.New(
        digest=Digest(digest), bundle=Digest(blob or digest), assessment=AssessmentId(made), subject=SubjectId(sample.subject),
        team=None if sample.team is None else TeamId(sample.team), kind="branch", head=sample.hex, resource=sample.resource,
        verifier=verifier_of(service), engine=sample.engine, rules=sample.rules, policy=sample.policy, advisories="", verdict="",
        levels=(APPROVED,), environments=(), approved_by=(), verified_at=at, expires_at=Instant(at + 30 * DAY), made_at=at,
    )  # fmt: skip
    index = endorsements.Index((f"{sample.algorithm}:{sample.hex}",), sample.keys, packages=sample.packages, lineage=sample.lineage)
    found = endorsements.add(link, new, index)
    assert found is not None
    return int(found)


def signed(service: Service, link: sa.Connection, sample: Sample) -> int:
    """The same, signed by the server, so that it verifies."""
    at = Instant((sample.at or service.now()) // SECOND * SECOND)
    signer = signer_of(service, link)
    said = Approval(
        verifier=Verifier(verifier_of(service), {"assaymark": sample.engine.partition("@")[2], "rules": sample.rules}),
        time_verified=stamp(at),
        resource_uri=sample.resource,
        policy=Source("https://assay.test/policies", {"sha256": sample.policy.partition(":")[2]}),
        verification_result=PASSED,
        verified_levels=(APPROVED,),
        extension=Extension(stamp(Instant(at + 30 * DAY)), lineage=sample.lineage, packages=sample.packages),
    )
    payload = approval.write((Named("head", {sample.algorithm: sample.hex}),), said)
    blob = service.blobs.put(bundle.written(dsse.sign(PAYLOAD_TYPE, payload, signer)))
    name = "sha256:" + hashlib.sha256(payload).hexdigest()
    kept = Sample(**{each: getattr(sample, each) for each in Sample.__struct_fields__} | {"keys": (signer.public.id,), "at": at})
    return row(service, link, kept, name, str(blob))
