"""What is approved, and each reason why something is not."""

from __future__ import annotations

import msgspec
import pytest
from tests.endorsement.approvals import DIGEST, KEY, NOW, RESOURCE, claims, endorsed, later, signer, trusting

from assaymark.endorsement import revocation, trust
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.verify import Expected, Refusal, Verification, verify
from assaymark.errors import UsageError

ASKED = Expected(RESOURCE, "production", ("ORG_QUALITY_APPROVED", "SLSA_BUILD_LEVEL_1"))


def asked(data: bytes, *revoked: Revocation, **trusted: object) -> Verification:
    return verify(data, DIGEST, ASKED, trusting(**trusted), revocation.opened(revoked), now=NOW)


def test_what_a_trusted_key_approved_is_approved() -> None:
    held = asked(endorsed())
    assert held.ok, held.refused
    assert (held.keyids, held.root) == ((KEY.public.id,), "server")


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_of_two_keys_that_are_asked_for_both_have_to_sign(kind: str) -> None:
    one, other = signer(kind), signer()
    ground = trusting(one, other, threshold=2)
    assert verify(endorsed(None, one, other), DIGEST, ASKED, ground, {}, now=NOW).ok
    for signers in ((one,), (one, one)):
        held = verify(endorsed(None, *signers), DIGEST, ASKED, ground, {}, now=NOW)
        assert [each.reason for each in held.refused] == [Refusal.THRESHOLD]


def test_a_key_that_was_revoked_does_not_count_and_the_other_does() -> None:
    one, other = signer(), signer()
    gone = revocation.opened([Revocation(Target.KEY, one.public.id, "stolen", "2026-11-28T11:30:00Z")])
    assert verify(endorsed(None, one, other), DIGEST, ASKED, trusting(one, other), gone, now=NOW).ok
    held = verify(endorsed(None, one), DIGEST, ASKED, trusting(one, other), gone, now=NOW)
    assert [each.reason for each in held.refused] == [Refusal.REVOKED]
    held = verify(endorsed(None, one, other), DIGEST, ASKED, trusting(one, other, threshold=2), gone, now=NOW)
    assert [each.reason for each in held.refused] == [Refusal.THRESHOLD]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target.SUBJECT, DIGEST),
        (Target.ENGINE, "assaymark@0.1.0"),
        (Target.COMPONENT, "sha256:" + "3" * 64),
        (Target.POLICY, "sha256:" + "2" * 64),
        (Target.KEY, KEY.public.id),
        (Target.ENDORSEMENT, asked(endorsed(claims())).id),
    ],
    ids=lambda each: each.value if isinstance(each, Target) else "",
)
def test_what_was_revoked_is_refused_within_its_window_only(target: Target, name: str) -> None:
    def refused(since: str, until: str) -> list[Refusal]:
        found = asked(endorsed(), Revocation(target, name, "bad", "2026-11-28T11:30:00Z", since, until))
        return [each.reason for each in found.refused]

    assert refused("", "") == [Refusal.REVOKED]
    assert refused("2026-11-28T10:00:00Z", "2026-11-28T11:00:00Z") == [Refusal.REVOKED]
    assert refused("2026-11-28T11:00:01Z", "") == []
    assert refused("", "2026-11-28T10:59:59Z") == []


def test_all_reasons_of_a_signed_statement_are_said() -> None:
    held = verify(endorsed(claims(verified_levels=())), "sha256:" + "00" * 32, ASKED, trusting(), {}, now=later(90 * 86_400))
    assert {each.reason for each in held.refused} == {Refusal.SUBJECT, Refusal.LEVEL, Refusal.EXPIRED}


@pytest.mark.parametrize("name", ["treshold", "Threshold", "until_"])
def test_a_condition_that_is_misspelt_is_no_trust_instead_of_more_of_it(name: str) -> None:
    document = msgspec.to_builtins(trusting().trust)
    assert trust.read(msgspec.json.encode(document)).keys
    document["roots"][0][name] = 2
    with pytest.raises(UsageError):
        trust.read(msgspec.json.encode(document))


def test_a_revocation_with_a_bound_that_is_not_known_here_is_refused_instead_of_applied_without_it() -> None:
    entry = {"target": "subject", "name": DIGEST, "reason": "bad", "at": "2026-11-28T11:30:00Z"}
    assert revocation.read(msgspec.json.encode({"entries": [entry]}))
    with pytest.raises(UsageError):
        revocation.read(msgspec.json.encode({"entries": [{**entry, "region": "eu"}]}))
