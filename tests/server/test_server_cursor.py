from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.server.api.cursor import MOST, decode, encode
from assaymark.server.problem import ApiError

_INTS = st.integers(-(1 << 63), (1 << 63) - 1)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


def _refuses(text: str, types: tuple[Any, ...] = (int, str)) -> bool:
    with pytest.raises(ApiError) as caught:
        decode(text, types)
    return caught.value.status == 400


@given(_INTS, _TEXTS, st.none() | _INTS)
def test_what_was_encoded_comes_back(number: int, text: str, maybe: int | None) -> None:
    cursor = encode((number, text, maybe))
    assert cursor.isascii()
    assert decode(cursor, (int, str, int | None)) == (number, text, maybe)


@given(_INTS, _TEXTS, st.data())
def test_every_change_of_a_letter_is_refused(number: int, text: str, data: st.DataObject) -> None:
    cursor = encode((number, text))
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_=+/ \0é").filter(lambda one: one != cursor[at]))
    changed = cursor[:at] + letter + cursor[at + 1 :]
    assert _refuses(changed)


@given(st.text(max_size=80))
def test_text_of_others_is_refused(text: str) -> None:
    assert _refuses(text)


def test_a_cursor_of_a_list_with_another_key_is_refused() -> None:
    assert _refuses(encode((1,)))
    assert _refuses(encode(("a", 1)))
    assert _refuses(encode((1, "a", 2)))
    assert _refuses(encode((None, "a")))


@pytest.mark.parametrize("values", [(1 << 63, "a"), (1, "a\0b")], ids=["beyond-64-bits", "nul"])
def test_what_no_database_takes_is_refused(values: tuple[Any, ...]) -> None:
    assert _refuses(encode(values))


def test_another_version_and_a_long_text_are_refused() -> None:
    packed = msgspec.msgpack.encode((1, "a"))
    digest = hashlib.blake2b(packed, digest_size=6, person=b"assay-cursor").digest()
    assert _refuses(base64.urlsafe_b64encode(b"\x02" + digest + packed).decode().rstrip("="))
    with pytest.raises(ApiError):
        decode(encode((1, "a")) + "A" * MOST, (int, str))
