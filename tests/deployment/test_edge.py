"""The built-in edge, as a process: who gets which request, what happens to those that have begun, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.deployment.edges import Named, asked, client, close_clients, edge_in, end, free_address, raw, route

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.control import Edge
from assaymark.deployment.edge.starting import risen
from assaymark.deployment.edge.table import Backend, Mode, Route, Table, load, save

pytestmark = pytest.mark.enable_socket


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_clients()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One for the module: each test has a route of its own."""
    with edge_in(tmp_path_factory.mktemp("edge")) as made:
        yield made


@pytest.fixture
def old() -> Iterator[Named]:
    with Named("old") as made:
        yield made
        made.shutdown()


@pytest.fixture
def new() -> Iterator[Named]:
    with Named("new") as made:
        yield made
        made.shutdown()


@pytest.fixture
def listen(edge: Edge) -> Iterator[str]:
    yield free_address()
    edge.take_away("web")


def test_a_kept_connection_is_moved_between_two_requests(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    kept = client(listen)
    assert asked(kept) == (200, b"old")
    here = kept.sock
    edge.put(route(listen, (2, 100, new)))
    assert asked(kept) == (200, b"new")
    assert kept.sock is here  # the client never noticed


def test_shares_are_exact_over_a_hundred_requests(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 93, old), (2, 7, new)))
    kept = client(listen)
    assert Counter(asked(kept)[1] for _ in range(100)) == {b"old": 93, b"new": 7}


def test_what_has_begun_ends_where_it_began_and_is_waited_for(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    answers: list[tuple[int, bytes]] = []
    slow = threading.Thread(target=lambda: answers.append(asked(client(listen), "/slow/0.6")))
    slow.start()
    while not old.asked:
        time.sleep(0.01)
    edge.put(route(listen, (2, 100, new)))
    assert asked(client(listen)) == (200, b"new")
    assert edge.begun("web", old.address) == 1
    assert not edge.wait("web", old.address, 0.05)
    assert edge.wait("web", old.address, 10)
    slow.join()
    assert answers == [(200, b"old")]


def test_an_instance_that_cannot_be_reached_costs_nobody_an_answer(edge: Edge, listen: str, old: Named, new: Named) -> None:
    old.shutdown()
    old.server_close()
    edge.put(route(listen, (1, 50, old), (2, 50, new)))
    assert {asked(client(listen), "/", "POST", b"x") for _ in range(6)} == {(200, b"x")}


def test_a_request_that_may_have_acted_is_never_asked_twice(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 100, old), (1, 100, new)))
    kept = client(listen)
    asked(kept)
    assert asked(kept, "/die", "POST", b"pay")[0] == 502
    assert (old.asked + new.asked).count("/die") == 1


def test_a_request_without_effect_is_asked_again_when_a_kept_connection_was_closed(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    kept = client(listen)
    assert asked(kept) == (200, b"old")
    old.shutdown()
    old.server_close()
    edge.put(route(listen, (1, 100, new)))
    assert asked(kept) == (200, b"new")


def test_bodies_of_every_kind_go_through_both_ways(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    kept = client(listen)
    large = os.urandom(3 << 20)
    assert asked(kept, "/", "POST", large) == (200, large)
    kept.request("POST", "/", iter([b"a" * 70_000, b"b"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert kept.getresponse().read() == b"a" * 70_000 + b"b"
    assert asked(kept, "/chunks") == (200, b"one two three")
    assert asked(kept, "/", "HEAD") == (200, b"")
    assert asked(kept) == (200, b"old")


def test_an_answer_that_breaks_off_never_looks_whole(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    answer = raw(listen, b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"only this")
    assert b"Content-Length: 1000" in answer


def test_an_instance_learns_who_asked_and_nothing_of_the_other_connection(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    raw(
        listen,
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n\r\n",
    )
    fields = old.seen[-1]
    assert fields["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
    assert not {"X-Mine", "Keep-Alive", "Connection"} & fields.keys()


@pytest.mark.parametrize(
    "words",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
    ],
)
def test_what_two_readers_could_understand_differently_reaches_nobody(edge: Edge, listen: str, old: Named, words: bytes) -> None:
    edge.put(route(listen, (1, 100, old)))
    answer = raw(listen, words)
    assert answer[9:10] in {b"4", b"5"}, answer
    assert not old.asked


def test_a_chunk_that_lies_reaches_nobody_as_a_whole_body(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    raw(listen, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n")
    raw(listen, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n")
    assert not old.bodies


def test_an_upgraded_connection_stays_with_whom_it_was_opened_to(edge: Edge, listen: str, new: Named) -> None:
    with _Echo() as echo:
        edge.put(route(listen, (1, 100, echo)))  # type: ignore[arg-type]
        host, _, port = listen.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as there:
            there.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            assert there.recv(4096).startswith(b"HTTP/1.1 101 ")
            edge.put(route(listen, (2, 100, new)))
            there.sendall(b"still you?")
            assert there.recv(4096) == b"still you?"
            assert not edge.wait("web", echo.address, 0.05)
        assert edge.wait("web", echo.address, 10)


def test_tcp_mode_understands_nothing_and_divides_connections(edge: Edge, listen: str, old: Named) -> None:
    with _Echo() as echo:
        edge.put(route(listen, (1, 100, echo), mode=Mode.TCP))  # type: ignore[arg-type]
        host, _, port = listen.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as there:
            there.sendall(b"\x16\x03\x01 no HTTP")
            there.recv(4096)
            edge.put(route(listen, (2, 100, old), mode=Mode.TCP))
            assert edge.begun("web", echo.address) == 1
            there.sendall(b"\x00\xff")
            assert there.recv(4096) == b"\x00\xff"
        assert edge.wait("web", echo.address, 10)
        assert asked(client(listen)) == (200, b"old")


def test_a_route_with_nobody_says_so_and_one_that_is_gone_is_closed(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen))
    assert asked(client(listen))[0] == 503
    edge.put(route(listen, (1, 100, old)))
    edge.take_away("web")
    with pytest.raises(ConnectionRefusedError):
        asked(client(listen))


def test_an_exchange_that_cannot_be_held_changes_nothing(edge: Edge, listen: str, old: Named, new: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    before = edge.show().table
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for wrong, why in (
            (route(f"127.0.0.1:{taken.getsockname()[1]}", (2, 100, new)), "listen"),
            (route(listen, (2, 90, new)), "90 percent together"),
            (route(listen, (2, 100, new), name="other"), "two routes"),
            (route("localhost:1", (2, 100, new)), "no address"),
        ):
            with pytest.raises(DriverFailed) as refused:
                edge.put(wrong)
            assert why in refused.value.why
    assert edge.show().table == before
    assert asked(client(listen)) == (200, b"old")


def test_deployers_of_many_routes_overtake_each_other_and_lose_nothing(edge: Edge, old: Named) -> None:
    names = [f"r{number}" for number in range(8)]
    listens = {name: free_address() for name in names}
    threads = [threading.Thread(target=edge.put, args=(route(listens[name], (1, 100, old), name=name),)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    table = edge.show().table
    assert table is not None
    assert set(names) <= {each.name for each in table.routes}
    for name in names:
        edge.take_away(name)


def test_a_killed_edge_rises_with_the_table_it_had(tmp_path: Path, old: Named) -> None:
    listen = free_address()
    with edge_in(tmp_path) as made:
        made.put(route(listen, (3, 100, old)))
        end(made, signal.SIGKILL)
        assert not made.alive()
        again = risen(tmp_path)
        assert again.route("web") == route(listen, (3, 100, old))
        while True:  # it listens within moments
            try:
                assert asked(client(listen)) == (200, b"old")
                break
            except ConnectionRefusedError:
                time.sleep(0.01)


def test_after_the_machine_started_anew_nobody_is_believed_to_serve(tmp_path: Path) -> None:
    listen = free_address()
    save(tmp_path, Table(3, (Route("web", listen, Mode.HTTP, (Backend(1, 100, ("127.0.0.1:9",)),)),)))
    assert load(tmp_path).routes[0].addresses == {"127.0.0.1:9"}
    kept = json.loads((tmp_path / "table.json").read_text())
    (tmp_path / "table.json").write_text(json.dumps({**kept, "boot": "another"}))
    assert load(tmp_path) == Table(3, (Route("web", listen),))


def test_an_edge_that_is_asked_to_end_ends_what_has_begun(tmp_path: Path, old: Named) -> None:
    listen = free_address()
    with edge_in(tmp_path) as made:
        made.put(route(listen, (1, 100, old)))
        answers: list[tuple[int, bytes]] = []
        slow = threading.Thread(target=lambda: answers.append(asked(client(listen), "/slow/0.4")))
        idle = client(listen)
        asked(idle)
        slow.start()
        while "/slow/0.4" not in old.asked:
            time.sleep(0.01)
        end(made, signal.SIGTERM)
        slow.join()
        assert answers == [(200, b"old")]
        assert load(tmp_path).route("web") is not None


def test_many_connections_at_once_are_carried(edge: Edge, listen: str, old: Named) -> None:
    edge.put(route(listen, (1, 100, old)))
    host, _, port = listen.rpartition(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(400)]
    for each in held:
        each.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answers = []
    for each in held:
        with each:
            answers.append(b"".join(iter(lambda there=each: there.recv(4096), b"")))  # type: ignore[misc]
    assert all(answer.endswith(b"old") for answer in answers)


def test_a_folder_has_one_edge_and_nobody_else_enters_it(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    with edge_in(folder) as made:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "control.sock").stat().st_mode & 0o777 == 0o600
        assert risen(folder).show().pid == made.show().pid


def test_a_table_that_cannot_be_read_is_said_and_nobody_is_served_by_a_guess(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text('{"version": 1, "routes": [{"name": "web", "listen": "127.0.0.1:1", "backe')
    with pytest.raises(DriverFailed, match="does not rise") as refused:
        risen(tmp_path)
    assert "cannot be read" in refused.value.why


class _Echo:
    """Answers an upgrade, then says what it hears."""

    def __init__(self) -> None:
        self._there = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._there.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                there, _ = self._there.accept()
                threading.Thread(target=self._echo, args=(there,), daemon=True).start()
        except OSError:
            return

    @staticmethod
    def _echo(there: socket.socket) -> None:
        with there:
            first = there.recv(4096)
            there.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n" if b"pgrade" in first else first)
            while heard := there.recv(4096):
                there.sendall(heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._there.close()
