"""Endorsements to try things on."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from assaymark.endorsement import approval, bundle, dsse, keys, trust
from assaymark.endorsement.approval import APPROVED, PASSED, Approval, Extension, Source, Verifier
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.trust import OpenTrust, Trust, TrustRoot
from assaymark.model.assessment import Instant

NOW = approval.instant("2026-11-28T12:00:00Z")
HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"
RESOURCE = "oci://registry.example/shop/web"
VERIFIER = "https://assay.example/verifier/1"
RULES = "sha256:" + "1" * 64


def signer(kind: str = "ecdsa-p256") -> KeySigner:
    return keys.private_key(keys.new_key(kind)[0])


KEY = signer()


def claims(**other: Any) -> Approval:
    made = Approval(
        verifier=Verifier(VERIFIER, {"assaymark": "0.1.0", "rules": RULES}),
        time_verified="2026-11-28T11:00:00Z",
        resource_uri=RESOURCE,
        policy=Source("https://assay.example/policies/default", {"sha256": "2" * 64}),
        verification_result=PASSED,
        verified_levels=(APPROVED, "SLSA_BUILD_LEVEL_2"),
        extension=Extension("2026-12-28T11:00:00Z", environments=("production", "staging"), lineage=("sha256:" + "3" * 64,)),
    )
    return replace(made, **other)


def statement_of(claimed: Approval | None = None, subjects: tuple[Named, ...] = (Named("web", {"sha256": HEX}),)) -> bytes:
    return approval.write(subjects, claimed or claims())


def endorsed(claimed: Approval | None = None, *signers: KeySigner) -> bytes:
    return bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(claimed), *(signers or (KEY,))))


def signed_raw(payload: bytes, *signers: KeySigner, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Whatever these bytes are, signed by a trusted key."""
    return bundle.written(dsse.sign(payload_type, payload, *(signers or (KEY,))))


def trusting(*signers: KeySigner, **other: Any) -> OpenTrust:
    root = TrustRoot("server", VERIFIER, tuple(each.public.pem for each in (signers or (KEY,))))
    of_root = {name: value for name, value in other.items() if name in TrustRoot.__struct_fields__}
    of_trust = {name: value for name, value in other.items() if name in Trust.__struct_fields__}
    return trust.opened(replace(Trust((replace(root, **of_root),)), **of_trust))


def later(seconds: float) -> Instant:
    return Instant(int(NOW + seconds * 1_000_000))


def edited(payload: bytes, **changes: Any) -> bytes:
    """A statement with other members at its top."""
    return msgspec.json.encode({**msgspec.json.decode(payload), **changes})


def endorsed_as(claimed: Approval, digests: tuple[dict[str, str], ...], *signers: KeySigner) -> bytes:
    """Of several subjects."""
    named = tuple(Named(f"subject {number}", digest) for number, digest in enumerate(digests))
    return bundle.written(dsse.sign(PAYLOAD_TYPE, approval.write(named, claimed), *(signers or (KEY,))))
