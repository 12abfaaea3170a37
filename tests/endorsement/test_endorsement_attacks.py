"""Every attack is refused, for the right reason; and no change of a bundle makes it approve anything else."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endorsement.approvals import DIGEST, KEY, NOW, claims, endorsed, signer, statement_of, trusting
from tests.endorsement.attacks import ASKED, ATTACKS, ORDER, with_signature

from assaymark.endorsement import dsse, keys
from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.endorsement.verify import Refusal, Verification, verify

SAID_ELSEWHERE = {Refusal.STALE_TRUST, Refusal.ABSENT}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_for_the_right_reason(name: str) -> None:
    tried = ATTACKS[name]()
    held = tried.tried()
    assert not held.ok
    assert {each.reason for each in held.refused} == tried.refusals
    assert all(len(each.text) < 2_000 and each.text.encode() for each in held.refused)


def test_there_are_attacks_for_every_reason_and_enough_of_them() -> None:
    assert len(ATTACKS) >= 40
    covered = {reason for make in ATTACKS.values() for reason in make().refusals}
    assert covered == set(Refusal) - SAID_ELSEWHERE


def test_the_one_that_is_attacked_is_approved() -> None:
    """Otherwise all of the above would prove nothing."""
    assert asked(endorsed()).ok


def asked(data: bytes) -> Verification:
    return verify(data, DIGEST, ASKED, trusting(), {}, now=NOW)


# --- laws ------------------------------------------------------------------------------------------------------------

ONE = endorsed()
ID = asked(ONE).id


def _still_the_same(data: bytes) -> bool:
    """Refused, or approved as the very same statement."""
    held = asked(data)
    return not held.ok or (held.id == ID and held.approval == claims() and held.keyids == (KEY.public.id,))


@pytest.mark.soak
def test_no_byte_of_a_bundle_can_be_changed_into_an_approval_of_something_else() -> None:
    for at in range(len(ONE)):
        for value in range(256):
            assert _still_the_same(ONE[:at] + bytes([value]) + ONE[at + 1 :]), (at, value)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(ONE) - 1), st.integers(0, 255))
def test_no_byte_can_be_exchanged(at: int, value: int) -> None:
    assert _still_the_same(ONE[:at] + bytes([value]) + ONE[at + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(ONE)), st.binary(min_size=1, max_size=6), st.integers(0, 6))
def test_nothing_can_be_put_in_or_taken_out(at: int, more: bytes, fewer: int) -> None:
    assert _still_the_same(ONE[:at] + more + ONE[at + fewer :])


def test_no_byte_of_what_was_signed_can_be_changed_at_all() -> None:
    made = json.loads(ONE)
    payload = base64.b64decode(made["dsseEnvelope"]["payload"])
    for at in range(len(payload)):
        for flip in (1, 0x20, 0x80):
            changed = payload[:at] + bytes([payload[at] ^ flip]) + payload[at + 1 :]
            made["dsseEnvelope"]["payload"] = base64.b64encode(changed).decode()
            assert [each.reason for each in asked(json.dumps(made).encode()).refused] == [Refusal.UNTRUSTED]


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_no_bit_of_a_signature_can_be_turned(kind: str) -> None:
    key = signer(kind)
    envelope = dsse.sign(PAYLOAD_TYPE, statement_of(), key)
    raw = base64.b64decode(envelope.signatures[0].sig)
    for at in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[at // 8] ^= 1 << at % 8
        changed = {"payload": envelope.payload, "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": base64.b64encode(turned).decode()}]}
        assert not verify(json.dumps(changed).encode(), DIGEST, ASKED, trusting(key), {}, now=NOW).ok


def test_a_signature_side_by_side_that_begins_like_der_is_read() -> None:
    """One in 65,536 does. This one is made by hand, with the smallest nonce whose point begins so."""
    nonce = 82_845
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x
    private = ec.generate_private_key(ec.SECP256R1())
    digest = int.from_bytes(hashlib.sha256(b"data").digest(), "big")
    s = pow(nonce, -1, ORDER) * (digest + r * private.private_numbers().private_value) % ORDER
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert raw[:2] == b"\x30\x3e"
    assert keys.of_key(private.public_key()).holds(raw, b"data")
    assert not keys.of_key(private.public_key()).holds(raw, b"date")


def test_both_forms_and_both_roots_of_a_signature_are_one_endorsement() -> None:
    r, s = decode_dss_signature(base64.b64decode(json.loads(ONE)["dsseEnvelope"]["signatures"][0]["sig"]))
    for each in (s, ORDER - s):
        held = asked(with_signature(r.to_bytes(32, "big") + each.to_bytes(32, "big")))
        assert (held.ok, held.id) == (True, ID)


def test_the_order_of_signatures_and_of_keys_does_not_matter() -> None:
    signers = [signer(), signer("ed25519"), signer()]
    data = endorsed(None, *signers)
    held = {verify(data, DIGEST, ASKED, trusting(*order, threshold=3), {}, now=NOW).ok for order in (signers, signers[::-1])}
    assert held == {True}
