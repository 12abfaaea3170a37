"""What we sign is accepted by others, and what others sign by us: `@sigstore/verify` of npm and securesystemslib, P-256 and Ed25519."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey
from tests.endorsement.approvals import DIGEST, NOW, RESOURCE, endorsed, statement_of, trusting
from tests.endorsement.judges import asked_of_js

from assaymark.endorsement import bundle, dsse, keys
from assaymark.endorsement.keys import KeySigner, PublicKey
from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.endorsement.verify import Expected, Verification, verify

KINDS = ("ecdsa-p256", "ed25519")


def private_of(kind: str) -> Any:
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def held(data: bytes, key: PublicKey) -> Verification:
    class _Public:
        public = key

    return verify(data, DIGEST, Expected(RESOURCE), trusting(_Public()), {}, now=NOW)  # type: ignore[arg-type]


# --- @sigstore/verify ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_sigstore_js_accepts_what_we_sign_and_refuses_what_was_changed() -> None:
    signers = [KeySigner(private_of(kind)) for kind in KINDS]
    good = [endorsed(None, each).decode() for each in signers]
    several = [each.decode() for each in bundle.one_each(dsse.sign(PAYLOAD_TYPE, statement_of(), *signers))]
    changed = json.loads(good[0])
    changed["dsseEnvelope"]["payload"] = base64.b64encode(statement_of() + b" ").decode()
    another = json.loads(endorsed(None, KeySigner(private_of("ed25519"))))
    another["verificationMaterial"]["publicKey"]["hint"] = signers[0].public.id
    bundles = [*good, *several, json.dumps(changed), json.dumps(another)]
    answer = asked_of_js(bundles=bundles, keys={each.public.id: each.public.pem for each in signers})
    said = answer["verified"]
    assert [base64.b64decode(each) for each in said[:4]] == [statement_of()] * 4
    assert all(each.startswith("refused: ") for each in said[4:])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_we_accept_what_sigstore_js_packs(kind: str) -> None:
    private = private_of(kind)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    payload = base64.b64encode(statement_of()).decode()
    answer = asked_of_js(sign=[{"pem": pem, "payload": payload, "payloadType": PAYLOAD_TYPE, "hint": "any"}], keys={})
    signed = answer["signed"]
    assert held(signed[0].encode(), keys.of_key(private.public_key())).ok


# --- securesystemslib ------------------------------------------------------------------------------------------------


def theirs(key: PublicKey) -> SSlibKey:
    """Their key under our name: theirs wants the name of the signature to be that of the key."""
    found = SSlibKey.from_crypto(key.key)
    return SSlibKey(key.id, found.keytype, found.scheme, found.keyval)


@pytest.mark.parametrize("kind", KINDS)
def test_securesystemslib_accepts_what_we_sign_and_refuses_what_was_changed(kind: str) -> None:
    signer = KeySigner(private_of(kind))
    envelope = json.loads(endorsed(None, signer))["dsseEnvelope"]
    other = json.loads(json.dumps({**envelope, "payload": base64.b64encode(statement_of() + b" ").decode()}))
    read = Envelope.from_dict(envelope)
    assert list(read.verify([theirs(signer.public)], 1)) == [signer.public.id]
    assert read.payload == statement_of()
    with pytest.raises(VerificationError):
        Envelope.from_dict(other).verify([theirs(signer.public)], 1)


def test_securesystemslib_counts_two_of_our_keys() -> None:
    signers = [KeySigner(private_of(kind)) for kind in KINDS]
    read = Envelope.from_dict(json.loads(endorsed(None, *signers))["dsseEnvelope"])
    assert len(read.verify([theirs(each.public) for each in signers], 2)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_we_accept_what_securesystemslib_signs(kind: str) -> None:
    private = private_of(kind)
    made = Envelope(statement_of(), PAYLOAD_TYPE, {})
    made.sign(CryptoSigner(private))
    assert held(json.dumps(made.to_dict()).encode(), keys.of_key(private.public_key())).ok
    made.payload += b" "
    assert not held(json.dumps(made.to_dict()).encode(), keys.of_key(private.public_key())).ok
