from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from assaymark.jobs.frames import MOST_BYTES, Broken, Done, Failed, HungUp, Message, Order, Reader, Stop, framed, packed, unpacked
from assaymark.jobs.patience import LONGEST, pause

VALUES = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.text(max_size=20), st.booleans(), st.none())
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Order, st.text(max_size=9), st.dictionaries(st.text(max_size=9), VALUES, max_size=4), st.integers(1, 9), st.booleans(), st.just(1)
    ),
    st.just(Stop()),
    st.just(Done()),
    st.builds(Failed, st.text(max_size=50)),
)


@contextmanager
def link() -> Iterator[tuple[socket.socket, Reader]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        yield ours, Reader(theirs)
    finally:
        ours.close()
        theirs.close()


@given(messages=st.lists(MESSAGES, max_size=6), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_messages_arrive_whole_however_they_are_cut(messages: list[Message], cuts: list[int]) -> None:
    data = b"".join(map(framed, messages))
    with link() as (ours, reader):
        found: list[Message] = []
        turn = 0
        while data:
            piece, data = data[: cuts[turn % len(cuts)]], data[cuts[turn % len(cuts)] :]
            turn += 1
            ours.sendall(piece)
            found += reader.take()
        assert found == messages
        assert reader.take() == []


@given(data=st.binary(min_size=1, max_size=200))
@example(data=b"\x00\x00\x00\x04\xa3\x00\x00\x80")
def test_nonsense_breaks_the_conversation_and_nothing_else(data: bytes) -> None:
    with link() as (ours, reader):
        ours.sendall(data)
        try:
            reader.take()
        except Broken as error:
            assert not isinstance(error, HungUp)  # noqa: PT017 - it may also wait for more


@given(data=st.binary(max_size=100))
@example(data=b"\xa3\x00\x00\x80")
def test_a_packet_of_nonsense_is_broken(data: bytes) -> None:
    try:
        message = unpacked(data)
    except Broken:
        return
    assert unpacked(packed(message)) == message


def test_a_frame_that_is_too_large_is_refused_before_it_is_read() -> None:
    with link() as (ours, reader):
        ours.sendall((MOST_BYTES + 1).to_bytes(4, "big"))
        with pytest.raises(Broken, match="too large"):
            reader.take()


def test_the_end_is_told_apart_from_nonsense() -> None:
    with link() as (ours, reader):
        ours.close()
        with pytest.raises(HungUp):
            reader.take()


@given(attempt=st.integers(1, 10_000), seed=st.integers())
def test_a_pause_grows_to_ten_minutes_and_is_never_nothing(attempt: int, seed: int) -> None:
    chance = random.Random(seed)
    whole = min(LONGEST, 2.0 ** min(attempt, 32))
    assert whole / 2 <= pause(attempt, chance) <= whole <= LONGEST
