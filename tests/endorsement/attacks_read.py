"""Bytes that readers differ about, and such as want to exhaust one. Each is named after what is tried."""

from __future__ import annotations

import json
from typing import Any

from tests.endorsement.approvals import (
    claims,
    endorsed,
    signed_raw,
    statement_of,
)
from tests.endorsement.attacking import (
    ATTACKS,
    OTHER,
    Attack,
    attack,
    dumped,
    envelope,
    predicate,
    refused,
    with_envelope,
    with_signature,
)

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.verify import Refusal

# --- read in one of several ways --------------------------------------------------------------------------------------


def twice(data: bytes, name: str, value: str) -> bytes:
    """The name once more, before where it stands first."""
    found = data.replace(f'"{name}":'.encode(), f'"{name}":{value},"{name}":'.encode(), 1)
    assert found != data, name
    return found


for _member, _value in {
    "mediaType": '"x"', "dsseEnvelope": "null", "payload": '"e30="', "payloadType": '"x"', "signatures": "[]", "sig": '""', "hint": '""',
}.items():  # fmt: skip
    ATTACKS[f"{_member} twice in the bundle"] = lambda m=_member, v=_value: refused(  # type: ignore[misc]
        Refusal.DUPLICATE_NAME, data=twice(endorsed(), m, v)
    )

for _member, _value in {
    "_type": '"x"', "subject": "[]", "digest": "{}", "sha256": '"' + "cd" * 32 + '"', "predicate": "{}", "verificationResult": '"FAILED"',
    "expires": '"x"', "id": '"x"', "rules": '"x"',
}.items():  # fmt: skip
    ATTACKS[f"{_member} twice in the statement"] = lambda m=_member, v=_value: refused(  # type: ignore[misc]
        Refusal.DUPLICATE_NAME, data=signed_raw(twice(statement_of(), m, v))
    )


@attack
def a_name_twice_once_with_an_escape() -> Attack:
    return refused(Refusal.DUPLICATE_NAME, data=endorsed().replace(b'"payload":', b'"pa\\u0079load":"e30=","payload":', 1))


@attack
def a_name_twice_once_in_capitals_which_some_readers_take() -> Attack:
    return refused(Refusal.DUPLICATE_NAME, data=with_envelope(PAYLOAD="e30="))


@attack
def a_name_twice_once_with_a_long_s_which_some_readers_take() -> Attack:
    said = {**json.loads(statement_of()), "\u017fubject": [{"name": "x", "digest": {"sha256": "cd" * 32}}]}
    return refused(Refusal.DUPLICATE_NAME, data=signed_raw(dumped(said)))


@attack
def a_bundle_and_an_envelope_at_once() -> Attack:
    made = envelope()
    other = envelope(endorsed(claims(verified_levels=()), OTHER))["dsseEnvelope"]
    return refused(Refusal.MALFORMED, data=dumped({**made, **other}))


@attack
def two_payloads_in_lines() -> Attack:
    data = endorsed() + b"\n" + endorsed(claims(time_verified="2026-11-28T10:00:00Z"))
    return refused(Refusal.MALFORMED, data=data)


@attack
def trailing_data() -> Attack:
    return refused(Refusal.MALFORMED, data=endorsed() + b"x")


@attack
def a_second_document_after_the_first() -> Attack:
    return refused(Refusal.MALFORMED, data=endorsed() + endorsed())


@attack
def a_byte_order_mark() -> Attack:
    return refused(Refusal.MALFORMED, data=b"\xef\xbb\xbf" + endorsed())


@attack
def utf_16() -> Attack:
    return refused(Refusal.MALFORMED, data=endorsed().decode().encode("utf-16"))


@attack
def bytes_that_are_no_utf_8() -> Attack:
    return refused(Refusal.MALFORMED, data=endorsed().replace(b'"hint":"', b'"hint":"\xff', 1))


@attack
def a_number_that_is_none() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(predicate(further="?").replace(b'"?"', b"NaN")))


@attack
def a_number_too_large_to_be_one() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(predicate(further="?").replace(b'"?"', b"1e999")))


@attack
def a_number_of_a_hundred_thousand_digits() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(predicate(further="?").replace(b'"?"', b"9" * 100_000)))


@attack
def half_a_character() -> Attack:
    said = json.loads(statement_of())
    said["subject"][0]["name"] = "\ud800"
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(dumped(said)))


@attack
def half_a_character_in_the_type() -> Attack:
    return refused(Refusal.MALFORMED, data=with_envelope(payloadType="\udcff"))


@attack
def nested_without_end() -> Attack:
    return refused(Refusal.MALFORMED, data=b'{"a":' * 100_000)


@attack
def nested_deeply_and_closed() -> Attack:
    return refused(Refusal.MALFORMED, data=with_envelope(further="?").replace(b'"?"', b"[" * 200 + b"]" * 200))


@attack
def nested_deeply_in_what_is_signed() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(predicate(further="?").replace(b'"?"', b"[" * 200 + b"]" * 200)))


# --- base64 -----------------------------------------------------------------------------------------------------------


def _base64(**claimed: Any) -> str:
    """A signature in base64 that ends in padding, so that its last letter has bits to spare, and has letters of one alphabet."""
    while True:
        text: str = envelope(endorsed(claims(**claimed)))["dsseEnvelope"]["signatures"][0]["sig"]
        if text.endswith("=") and ("+" in text or "/" in text):
            return text


@attack
def base64_without_its_padding() -> Attack:
    return refused(Refusal.MALFORMED, data=with_signature(_base64().rstrip("=")))


@attack
def base64_with_padding_in_the_middle() -> Attack:
    return refused(Refusal.MALFORMED, data=with_signature("YQ==" + _base64()))


@attack
def base64_with_a_line_break() -> Attack:
    return refused(Refusal.MALFORMED, data=with_signature(_base64() + "\n"))


@attack
def base64_with_white_space() -> Attack:
    return refused(Refusal.MALFORMED, data=with_signature(" " + _base64()))


@attack
def base64_in_two_alphabets_at_once() -> Attack:
    return refused(Refusal.MALFORMED, data=with_envelope(payload="-+" + envelope()["dsseEnvelope"]["payload"][2:]))


@attack
def base64_whose_last_letter_holds_bits_that_stand_for_nothing() -> Attack:
    text = _base64()
    body, pad = text.rstrip("="), text.count("=") * "="
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return refused(Refusal.MALFORMED, data=with_signature(body[:-1] + letters[letters.index(body[-1]) | 1] + pad))


@attack
def base64_of_letters_that_look_alike() -> Attack:
    return refused(Refusal.MALFORMED, data=with_signature("\uff21" + _base64()[1:]))


# --- sizes ------------------------------------------------------------------------------------------------------------


@attack
def oversized() -> Attack:
    return refused(Refusal.TOO_LARGE, data=endorsed() + b" " * bundle.MOST_BYTES)


@attack
def a_bomb_of_signatures() -> Attack:
    one = envelope()["dsseEnvelope"]["signatures"]
    return refused(Refusal.MALFORMED, data=with_envelope(signatures=one * (dsse.MOST_SIGNATURES + 1)))


@attack
def a_bomb_of_lines() -> Attack:
    return refused(Refusal.MALFORMED, data=b"\n".join([endorsed()] * (bundle.MOST_LINES + 1)))


@attack
def lines_that_hold_too_many_signatures_together() -> Attack:
    line = with_envelope(signatures=envelope()["dsseEnvelope"]["signatures"] * 9)
    return refused(Refusal.MALFORMED, data=b"\n".join([line.replace(b"\n", b"")] * 2))


@attack
def no_signature() -> Attack:
    return refused(Refusal.MALFORMED, data=with_envelope(signatures=[]))


@attack
def empty() -> Attack:
    return refused(Refusal.MALFORMED, data=b"")


@attack
def a_bundle_of_another_media_type() -> Attack:
    return refused(Refusal.MALFORMED, data=dumped({**envelope(), "mediaType": "application/vnd.dev.sigstore.bundle.evil"}))


@attack
def a_signed_file_instead_of_a_signed_statement() -> Attack:
    made = envelope()
    del made["dsseEnvelope"]
    return refused(Refusal.MALFORMED, data=dumped({**made, "messageSignature": {"signature": "AAAA"}}))


@attack
def truncated() -> Attack:
    return refused(Refusal.MALFORMED, data=endorsed()[:-20])


@attack
def truncated_in_what_was_signed() -> Attack:
    return refused(Refusal.NOT_A_STATEMENT, data=signed_raw(statement_of()[:-20]))
