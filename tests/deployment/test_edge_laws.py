"""Laws of the edge without sockets: heads that mean one thing, shares that are exact, tables that are whole, exchanges that lose nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.deployment.edge import http1
from assaymark.deployment.edge.behind import Behind
from assaymark.deployment.edge.http1 import Ends, MessageError
from assaymark.deployment.edge.table import Backend, Mode, Route, Table, checked, load, save
from assaymark.errors import UsageError

PIECES = st.sampled_from([
    b"GET ", b"POST ", b"/", b"* ", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"Host: a", b"Host:", b":",
    b"X: y", b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: 5, 5", b"content-length:0", b"Transfer-Encoding: chunked",
    b"transfer-encoding: Chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding\t: chunked", b"Connection: content-length",
    b"Connection: transfer-encoding, close", b"Connection: keep-alive", b"Upgrade: h2c", b"Connection: Upgrade", b" folded", b"\xff",
    b"HTTP/1.1 200 OK", b"HTTP/1.1 101 ", b"HTTP/1.1 204 x", b"HTTP/1.1 99 x",
])  # fmt: skip


@given(st.lists(PIECES, max_size=14).map(b"".join))
def test_a_head_is_refused_or_means_the_same_when_it_is_read_again(data: bytes) -> None:
    head = data + b"\r\n\r\n"
    with suppress(MessageError):
        said = http1.request(head)
        again = http1.request(http1.written_request(said, "192.0.2.1"))
        assert (again.method, again.target, again.minor, again.ends, again.length) == (
            said.method, said.target, said.minor, said.ends, said.length,
        )  # fmt: skip
    with suppress(MessageError):
        answer = http1.response(head, b"GET")
        once = http1.response(http1.written_response(answer, keeps=True), b"GET")
        assert (once.status, once.ends, once.length) == (answer.status, answer.ends, answer.length)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_that_they_are_no_message(data: bytes) -> None:
    for read in (http1.request, lambda head: http1.response(head, b"GET"), http1.chunk_size):
        with suppress(MessageError):
            read(data)


@pytest.mark.parametrize(
    "line", [b"\r\n", b"0x5\r\n", b"-1\r\n", b"+1\r\n", b" 5\r\n", b"5", b"5\n", b"f" * 16 + b"\r\n", b"5\r\r\n", b"5;\0\r\n", b"_1\r\n"]
)
def test_a_size_of_a_chunk_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(MessageError):
        http1.chunk_size(line)


def test_an_answer_without_a_body_has_none_whatever_it_announces() -> None:
    for status, method in ((b"204", b"GET"), (b"304", b"GET"), (b"200", b"HEAD"), (b"103", b"GET")):
        assert http1.response(b"HTTP/1.1 %b x\r\nContent-Length: 10\r\n\r\n" % status, method).ends is Ends.NONE
    assert http1.response(b"HTTP/1.1 200 OK\r\n\r\n", b"GET").ends is Ends.CLOSE


@given(st.lists(st.integers(1, 98), min_size=1, max_size=4).filter(lambda parts: sum(parts) < 100))
def test_shares_are_exact_over_any_hundred_choices(parts: list[int]) -> None:
    shares = [*parts, 100 - sum(parts)]
    backends = tuple(Backend(number, share, (f"10.0.0.{number + 1}:80",)) for number, share in enumerate(shares))
    behind = Behind(checked(Table(1, (Route("web", "127.0.0.1:1", Mode.HTTP, backends),))), lambda: 0.0)
    for _ in range(2):
        taken = Counter(behind.take("web") for _ in range(100))
        assert [taken[each.addresses[0]] for each in backends] == shares


@given(st.lists(st.tuples(st.sampled_from(["take", "free", "exchange"]), st.integers(0, 3)), max_size=60))
def test_whoever_is_chosen_is_counted_until_it_ends_whatever_is_exchanged_meanwhile(acts: list[tuple[str, int]]) -> None:
    behind = Behind(_table(0), lambda: 0.0)
    begun: list[str] = []
    serving = 0
    for act, number in acts:
        if act == "take":
            address = behind.take("web")
            assert address == f"10.0.0.{serving + 1}:80"
            begun.append(address)
        elif act == "free" and begun:
            behind.free(begun.pop(number % len(begun)))
        elif act == "exchange":
            serving = number
            behind.exchange(_table(number))
        assert behind.begun == Counter(begun)


def _table(generation: int) -> Table:
    backend = Backend(generation, 100, (f"10.0.0.{generation + 1}:80",))
    return Table(1, (Route("web", "127.0.0.1:1", Mode.HTTP, (backend,)),))


def test_waiting_for_nobody_to_have_begun_ends_with_the_last_or_with_the_time() -> None:
    async def story() -> None:
        behind = Behind(_table(0), asyncio.get_running_loop().time)
        address = behind.take("web")
        assert address is not None
        assert await behind.idle(address, 0.01) == 1
        waiting = asyncio.create_task(behind.idle(address, 10))
        await asyncio.sleep(0)
        behind.free(address)
        assert await waiting == 0

    asyncio.run(story())


def test_who_cannot_be_reached_is_asked_last_for_a_second_and_then_again() -> None:
    now = [0.0]
    backend = Backend(1, 100, ("10.0.0.1:80", "10.0.0.2:80"))
    behind = Behind(Table(1, (Route("web", "127.0.0.1:1", Mode.HTTP, (backend,)),)), lambda: now[0])
    behind.failed("10.0.0.1:80")
    for _ in range(3):
        assert behind.take("web") == "10.0.0.2:80"
    assert behind.take("web", {"10.0.0.2:80"}) == "10.0.0.1:80"
    now[0] = 1.5
    assert behind.take("web") == "10.0.0.1:80"


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (Route("web", "127.0.0.1:1", Mode.HTTP, (Backend(1, 90, ("10.0.0.1:80",)),)), "90 percent"),
        (Route("web", "127.0.0.1:1", Mode.HTTP, (Backend(1, 100, ()),)), "nobody who does"),
        (Route("web", "127.0.0.1:1", Mode.HTTP, (Backend(1, 150, ("10.0.0.1:80",)), Backend(2, -50, ("10.0.0.2:80",)))), "150 percent"),
        (Route("web", "127.0.0.1:1", Mode.HTTP, (Backend(1, 50, ("10.0.0.1:80",)), Backend(1, 50, ("10.0.0.2:80",)))), "twice"),
        (Route("../web", "127.0.0.1:1"), "no name"),
        (Route("web", "127.0.0.1:0"), "no address"),
        (Route("web", "127.0.0.1:1", Mode.HTTP, (Backend(1, 100, ("db\n    server x:80",)),)), "no address"),
    ],
)
def test_a_table_that_leaves_somebody_without_an_answer_is_none(route: Route, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked(Table(1, (route,)))
    assert why in refused.value.diagnosis()


def test_on_disk_there_is_one_whole_table_whatever_is_written(tmp_path: Path) -> None:
    for number in range(20):
        save(tmp_path, _table(number % 4))
        assert load(tmp_path) == _table(number % 4)
    assert [each.name for each in tmp_path.iterdir()] == ["table.json"]
