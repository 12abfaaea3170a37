"""Forged signatures, and good signatures over something else. Each is named after what is tried."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.endorsement.approvals import (
    KEY,
    claims,
    endorsed,
    signed_raw,
    signer,
    statement_of,
    trusting,
)
from tests.endorsement.attacking import (
    ORDER,
    OTHER,
    Attack,
    attack,
    claiming,
    dumped,
    envelope,
    payload,
    refused,
    signature,
    with_envelope,
    with_signature,
)

from assaymark.endorsement import dsse
from assaymark.endorsement.approval import EXTENSION, PREDICATE
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.trust import Trust, opened
from assaymark.endorsement.verify import Refusal

# --- forged -----------------------------------------------------------------------------------------------------------


@attack
def signed_by_a_key_that_nobody_trusts() -> Attack:
    return refused(Refusal.UNTRUSTED, data=endorsed(None, OTHER))


@attack
def signed_by_another_key_under_the_trusted_keyid() -> Attack:
    made = envelope(endorsed(None, OTHER))
    made["dsseEnvelope"]["signatures"][0]["keyid"] = KEY.public.id
    return refused(Refusal.UNTRUSTED, data=dumped(made))


@attack
def payload_exchanged_under_a_good_signature() -> Attack:
    other = base64.b64encode(statement_of(subjects=(Named("web", {"sha256": "00" * 32}),))).decode()
    return refused(Refusal.UNTRUSTED, data=with_envelope(payload=other), digest="sha256:" + "00" * 32)


@attack
def signature_of_another_endorsement() -> Attack:
    other = envelope(endorsed(claims(time_verified="2026-11-28T10:00:00Z")))["dsseEnvelope"]["signatures"]
    return refused(Refusal.UNTRUSTED, data=with_envelope(signatures=other))


@attack
def signature_over_the_payload_without_its_type() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(KEY.sign(payload())))


@attack
def signature_over_the_payload_in_base64() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(KEY.sign(base64.b64encode(payload()))))


@attack
def signature_over_lengths_in_other_digits() -> Attack:
    said = payload()
    wrong = b"DSSEv1 0%d %b 0%d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(said), said)
    return refused(Refusal.UNTRUSTED, data=with_signature(KEY.sign(wrong)))


@attack
def signature_made_with_another_hash() -> Attack:
    private = ec.generate_private_key(ec.SECP256R1())
    from assaymark.endorsement.keys import KeySigner  # noqa: PLC0415

    sha512 = private.sign(dsse.pae(PAYLOAD_TYPE, payload()), ec.ECDSA(hashes.SHA512()))
    return refused(Refusal.UNTRUSTED, data=with_signature(sha512), trusted=trusting(KeySigner(private)))


@attack
def algorithm_confusion_an_ed25519_signature_under_a_p256_key() -> Attack:
    edwards = signer("ed25519")
    made = envelope(endorsed(None, edwards))
    made["dsseEnvelope"]["signatures"][0]["keyid"] = KEY.public.id
    return refused(Refusal.UNTRUSTED, data=dumped(made))


@attack
def algorithm_confusion_an_hmac_with_the_public_key_as_secret() -> Attack:
    import hmac  # noqa: PLC0415

    mac = hmac.digest(KEY.public.pem.encode(), dsse.pae(PAYLOAD_TYPE, payload()), "sha256")
    return refused(Refusal.UNTRUSTED, data=with_envelope(signatures=[{"sig": base64.b64encode(mac).decode(), "alg": "HS256"}]))


@attack
def algorithm_none() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_envelope(signatures=[{"sig": "", "alg": "none"}]))


@attack
def signed_by_an_rsa_key() -> Attack:
    key = rsa.generate_private_key(65537, 2048)
    made = key.sign(dsse.pae(PAYLOAD_TYPE, payload()), padding.PKCS1v15(), hashes.SHA256())
    return refused(Refusal.UNTRUSTED, data=with_signature(made))


@attack
def signed_by_a_p384_key() -> Attack:
    made = ec.generate_private_key(ec.SECP384R1()).sign(dsse.pae(PAYLOAD_TYPE, payload()), ec.ECDSA(hashes.SHA384()))
    return refused(Refusal.UNTRUSTED, data=with_signature(made))


@attack
def r_and_s_of_nought() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(bytes(64)))


@attack
def r_and_s_of_nought_as_der() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(encode_dss_signature(0, 0)))


@attack
def r_and_s_of_the_order_of_the_curve() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(encode_dss_signature(ORDER, ORDER)))


@attack
def signature_with_bytes_after_it() -> Attack:
    return refused(Refusal.UNTRUSTED, data=with_signature(signature() + b"\0"))


@attack
def nobody_is_trusted() -> Attack:
    return refused(Refusal.UNTRUSTED, data=endorsed(), trusted=opened(Trust(())))


# --- of another kind --------------------------------------------------------------------------------------------------


@attack
def another_payload_type_over_the_same_bytes() -> Attack:
    return refused(Refusal.PAYLOAD_TYPE, data=signed_raw(statement_of(), payload_type="application/json"))


@attack
def a_payload_type_of_other_capitals() -> Attack:
    return refused(Refusal.PAYLOAD_TYPE, data=signed_raw(statement_of(), payload_type=PAYLOAD_TYPE.upper()))


@attack
def a_payload_type_with_a_parameter() -> Attack:
    return refused(Refusal.PAYLOAD_TYPE, data=signed_raw(statement_of(), payload_type=PAYLOAD_TYPE + "; charset=utf-8"))


@attack
def a_good_signature_over_another_predicate_as_cve_2022_35930() -> Attack:
    said = {**json.loads(statement_of()), "predicateType": "https://slsa.dev/provenance/v1"}
    return refused(Refusal.PREDICATE_TYPE, data=signed_raw(dumped(said)))


@attack
def a_predicate_type_of_a_later_version() -> Attack:
    return refused(Refusal.PREDICATE_TYPE, data=signed_raw(dumped({**json.loads(statement_of()), "predicateType": PREDICATE + ".1"})))


@attack
def a_statement_of_version_0_1() -> Attack:
    said = {**json.loads(statement_of()), "_type": "https://in-toto.io/Statement/v0.1"}
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(dumped(said)))


@attack
def a_statement_that_does_not_say_what_it_is() -> Attack:
    said = json.loads(statement_of())
    del said["_type"]
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(dumped(said)))


@attack
def a_statement_about_nothing() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(dumped({**json.loads(statement_of()), "subject": []})))


@attack
def a_statement_that_is_a_list() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(dumped([json.loads(statement_of())])))


@attack
def a_predicate_that_is_nothing() -> Attack:
    return refused(Refusal.MALFORMED, data=signed_raw(dumped({**json.loads(statement_of()), "predicate": None})))


@attack
def without_an_end() -> Attack:
    said = json.loads(statement_of())
    del said["predicate"][EXTENSION]["expires"]
    return refused(Refusal.MALFORMED, data=signed_raw(dumped(said)))


@attack
def without_our_extension() -> Attack:
    return claiming(Refusal.MALFORMED, **{EXTENSION: None})
