"""DSSE: what is signed, by which keys, in both alphabets; what is none, and what was tampered with, is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from assaymark.endorsement import dsse, keys, statement
from assaymark.errors import SignatureInvalid, UsageError

ED, P256 = keys.KeySigner(ed25519.Ed25519PrivateKey.generate()), keys.KeySigner(ec.generate_private_key(ec.SECP256R1()))
KIND = "application/vnd.in-toto+json"


def test_pre_authentication_encoding_is_the_example_of_the_standard() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize("key", [ED, P256], ids=["ed25519", "p256"])
def test_what_a_key_signed_is_verified_with_its_public_part_alone(key: Any) -> None:
    data = dsse.written(dsse.sign(KIND, b"payload", key))
    held = dsse.verify(data, [ED.public, P256.public], payload_type=KIND)
    assert (held.payload, held.payload_type, held.keyids) == (b"payload", KIND, (key.public.id,))


def test_the_example_of_the_standard_verifies_with_its_key() -> None:
    """Test vector of DSSE's protocol.md: ECDSA over P-256, its key given by numbers."""
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signature = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    raw = base64.b64decode(signature)
    # The vector holds r and s side by side; X.509's form, which everybody writes today, is the sequence of them.
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    for form in (raw, der):
        envelope = {
            "payload": base64.b64encode(b"hello world").decode(),
            "payloadType": "http://example.com/HelloWorld",
            "signatures": [{"keyid": "66301bbf", "sig": base64.b64encode(form).decode()}],
        }
        assert dsse.verify(json.dumps(envelope).encode(), [keys.of_key(key)]).payload == b"hello world"


@given(st.binary(max_size=60))
def test_both_alphabets_are_read(payload: bytes) -> None:
    envelope = json.loads(dsse.written(dsse.sign(KIND, payload, ED)))
    other = {
        "payload": base64.urlsafe_b64encode(payload).decode(),
        "payloadType": KIND,
        "signatures": [{"sig": envelope["signatures"][0]["sig"].replace("+", "-").replace("/", "_")}],
        "further": {"members": "are allowed"},
    }
    assert dsse.verify(json.dumps(other).encode(), [ED.public]).payload == payload


def test_a_name_that_stands_twice_makes_it_no_envelope() -> None:
    data = dsse.written(dsse.sign(KIND, b"payload", ED))
    with pytest.raises(SignatureInvalid) as refused:
        dsse.verify(data.replace(b'{"payload"', b'{"payload":"YQ==","payload"', 1), [ED.public])
    assert "twice" in refused.value.why


def test_a_keyid_is_a_hint_and_no_proof() -> None:
    envelope = json.loads(dsse.written(dsse.sign(KIND, b"x", ED)))
    envelope["signatures"][0]["keyid"] = P256.public.id
    with pytest.raises(SignatureInvalid, match="no given key"):
        dsse.verify(json.dumps(envelope).encode(), [P256.public])
    envelope["signatures"][0]["keyid"] = "another name"
    assert dsse.verify(json.dumps(envelope).encode(), [P256.public, ED.public]).payload == b"x"


def _changed(name: str, value: Any) -> bytes:
    envelope = json.loads(dsse.written(dsse.sign(KIND, b"payload", ED)))
    envelope[name] = value
    return json.dumps(envelope).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"\xff", b"{" * 5000, b'{"payload": 1}',
        _changed("payload", base64.b64encode(b"pay1oad").decode()),
        _changed("payloadType", "application/other"),
        _changed("payload", "not base64!"),
        _changed("payload", "YQ"),
        _changed("signatures", []),
        _changed("signatures", [{"sig": "YQ=="}]),
        _changed("signatures", [{"sig": "YQ=="}] * 17),
    ],
)  # fmt: skip
def test_what_was_not_signed_so_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        dsse.verify(data, [ED.public], payload_type=KIND)


def test_an_envelope_without_end_is_refused_unread() -> None:
    with pytest.raises(SignatureInvalid, match="too large"):
        dsse.verify(b" " * (dsse.MOST_BYTES + 1), [ED.public])


def test_no_key_verifies_nothing() -> None:
    with pytest.raises(SignatureInvalid):
        dsse.verify(dsse.written(dsse.sign(KIND, b"x", ED)), [])


def test_keys_of_other_kinds_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 2048)
    with pytest.raises(UsageError):
        keys.KeySigner(weak)
    with pytest.raises(SignatureInvalid):
        keys.public_key(weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(SignatureInvalid):
        keys.public_key(b"no key at all")


def test_a_statement_names_bytes_by_their_digest() -> None:
    data = statement.statement({"a": b"one", "b": b"two"}, "urn:x", {"n": 1})
    assert data == statement.statement({"a": b"one", "b": b"two"}, "urn:x", {"n": 1})
    said = statement.read(data)
    assert json.loads(data)["_type"] == "https://in-toto.io/Statement/v1"
    assert statement.names_of(said, b"one") == ["a"]
    assert statement.names_of(said, b"three") == []


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"_type": "x", "subject": [], "predicateType": "", "predicate": {}}', b"\xff"])
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        statement.read(payload)
