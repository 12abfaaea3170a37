"""A repository in memory, and an attacker who may exchange its files."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.endorsement.approvals import KEY, VERIFIER

from assaymark.endorsement import keys
from assaymark.endorsement.distribution import archive, client, repository, roots, updating
from assaymark.endorsement.distribution.client import Approved, ApprovedDigest, Held, Keeping
from assaymark.endorsement.distribution.repository import Before
from assaymark.endorsement.distribution.roots import ONLINE, ROOT, RoleKeys
from assaymark.endorsement.keys import KeySigner, PublicKey
from assaymark.endorsement.revocation import Revocation, Revocations, Target
from assaymark.endorsement.trust import Trust, TrustRoot
from assaymark.model.assessment import SECOND, Instant

NOW = Instant(1_795_867_200 * SECOND)
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def key(kind: str = "ed25519") -> KeySigner:
    return keys.private_key(keys.new_key(kind)[0])


def after(hours: float) -> Instant:
    return Instant(int(NOW + hours * HOUR))


class Site:
    """Publishes; `files` is what its server would serve."""

    def __init__(self, *, owners: int = 1, threshold: int = 1) -> None:
        self.owners = [key("ecdsa-p256") for _ in range(owners)]
        self.signers = {role: key() for role in ONLINE}
        self.files: dict[str, bytes] = {}
        self.before = Before()
        draft = roots.first(self.roles([each.public for each in self.owners], threshold), NOW)
        self.roots = [self.sign(draft, self.owners)]
        self.revoked: tuple[Revocation, ...] = ()
        self.number = 1

    def roles(self, owners: list[PublicKey], threshold: int = 1) -> dict[str, RoleKeys]:
        return {ROOT: RoleKeys(tuple(owners), threshold)} | {role: RoleKeys((self.signers[role].public,)) for role in ONLINE}

    def sign(self, draft: bytes, owners: list[KeySigner]) -> bytes:
        for each in owners:
            draft = roots.with_signature(draft, each)
        return draft

    def documents(self) -> dict[str, bytes]:
        trust = Trust((TrustRoot("ours", VERIFIER, (KEY.public.pem,)),), number=self.number)
        shown = Approved("production", (ApprovedDigest("sha256:" + "ab" * 32, "sha256:" + "1" * 64, "2026-12-28T11:00:00Z"),))
        return {
            "trust.json": msgspec.json.encode(trust),
            "revocations.json": msgspec.json.encode(Revocations(len(self.revoked), self.revoked)),
            client.target_of("production"): client.written(shown),
            client.target_of("test/eu"): client.written(Approved("test/eu", ())),
        }

    def publish(self, at: Instant = NOW, documents: dict[str, bytes] | None = None) -> dict[str, bytes]:
        made = repository.publish(self.roots[-1], self.before, self.documents() if documents is None else documents, self.signers, at)
        self.before = repository.before_of(made.files)
        numbered = {f"{number}.root.json": data for number, data in enumerate(self.roots, 1)}
        self.files = self.files | made.files | numbered | {"root.json": self.roots[-1]}
        return dict(self.files)

    def revoke(self, name: str) -> None:
        self.revoked += (Revocation(Target.SUBJECT, name, "broken", "2026-11-28T12:30:00Z"),)

    def packed(self) -> bytes:
        return archive.packed(self.files)


def begun(folder: Path, site: Site, *, grace: int = 72, environments: tuple[str, ...] = ()) -> Path:
    updating.begin(folder, site.roots[0], Keeping("", grace, environments))
    return folder


def take(folder: Path, files: dict[str, bytes], now: Instant = NOW) -> Held:
    return updating.take(folder, updating.archive(files), now)
