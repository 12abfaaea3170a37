from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark import hookclient
from assaymark.daemon.protocol import Request, decode


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"assay/1", b"", b"1", b"000", b"22", b"-1", b"/x", b"a=b", b"9" * 30])).map(b"\0".join)
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_request_or_a_value_error(body: bytes) -> None:
    try:
        made = decode(body)
    except ValueError:
        return
    assert isinstance(made, Request)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), max_size=8))
@settings(max_examples=100, deadline=None)
def test_arguments_survive_the_journey(words: list[str]) -> None:
    assert decode(hookclient.request(words)[4:]).argv == tuple(words)
