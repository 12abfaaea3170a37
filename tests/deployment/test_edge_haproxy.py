"""HAProxy as the edge: the same acts, told by its runtime API, and what a kill leaves."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.deployment.edges import Named, asked, client, close_clients, free_address, route
from tests.deployment.load import Load

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.haproxy import HaproxyEdge, risen
from assaymark.deployment.edge.haproxy_sides import NOBODY, Held, Side, planned
from assaymark.deployment.edge.table import Backend, Mode, Route

pytestmark = pytest.mark.enable_socket


def end(folder: Path) -> None:
    with suppress(OSError, ValueError, IndexError):
        pid = int((folder / "haproxy.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    until = time.monotonic() + 10
    while HaproxyEdge(folder).alive() and time.monotonic() < until:
        time.sleep(0.02)  # its worker notices


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HaproxyEdge]:
    if shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        pytest.skip("NOT PROVED: haproxy is not installed; do this: sudo apt-get install haproxy")
    folder = tmp_path_factory.mktemp("haproxy")
    yield risen(folder, start=True)
    end(folder)


@pytest.fixture
def three() -> Iterator[tuple[Named, Named, Named]]:
    made = Named("one"), Named("two"), Named("three")
    yield made
    for each in made:
        each.shutdown()
        each.server_close()
    close_clients()


def test_generations_change_sides_by_one_number_while_requests_go_on(edge: HaproxyEdge, three: tuple[Named, Named, Named]) -> None:
    one, two, three_ = three
    listen = free_address()
    edge.put(route(listen, (1, 100, one)))
    assert asked(client(listen)) == (200, b"one")
    with Load(listen) as load:
        load.wait_for("one")
        edge.put(route(listen, (1, 70, one), (2, 30, two)))
        assert edge.route("web") == route(listen, (1, 70, one), (2, 30, two))
        load.wait_for("two")
        with pytest.raises(DriverFailed, match="no side"):
            edge.put(route(listen, (3, 100, three_)))
        edge.put(route(listen, (2, 100, two)))
        ones = load.answers["one"] + 4  # that many may have begun before
        load.wait_for("two", 50)
        assert load.answers["one"] <= ones
        edge.put(route(listen, (3, 100, three_)))
        load.wait_for("three")
        assert edge.wait("web", two.address, 10)
    assert load.failed == []
    edge.put(route(listen))
    assert asked(client(listen))[0] == 503
    edge.take_away("web")
    assert edge.routes() == ()


def test_shares_are_by_chance_and_what_has_begun_is_counted(edge: HaproxyEdge, three: tuple[Named, Named, Named]) -> None:
    one, two, _ = three
    listen = free_address()
    edge.put(route(listen, (1, 80, one), (2, 20, two)))
    kept = client(listen)
    said = Counter(asked(kept)[1] for _ in range(300))
    assert 20 < said[b"two"] < 110
    edge.put(route(listen, (1, 100, one)))
    slow = threading.Thread(target=lambda: asked(client(listen), "/slow/0.5"))
    slow.start()
    while "/slow/0.5" not in one.asked:
        time.sleep(0.01)
    assert edge.begun("web", one.address) == 1
    assert not edge.wait("web", one.address, 0.05)
    slow.join()
    assert edge.wait("web", one.address, 10)
    edge.take_away("web")


def test_a_killed_haproxy_rises_with_what_it_was_told_and_routes_do_not_know_each_other(
    edge: HaproxyEdge, three: tuple[Named, Named, Named], tmp_path: Path
) -> None:
    one, two, _ = three
    listen, other = free_address(), free_address()
    made = risen(tmp_path, start=True)
    try:
        made.put(route(listen, (7, 100, one)))
        made.put(route(other, (1, 100, two), name="other", mode=Mode.TCP))
        with pytest.raises(DriverFailed, match="refuses"):
            made.put(route(other, (1, 100, two), name="third"))
        made.put(route(listen, (7, 50, one), (8, 50, two)))
        end(tmp_path)
        assert not made.alive()
        again = risen(tmp_path, start=True)
        assert again.route("web") == route(listen, (7, 50, one), (8, 50, two))
        assert again.route("other") == route(other, (1, 100, two), name="other", mode=Mode.TCP)
        assert asked(client(other)) == (200, b"two")
        again.put(route(listen, (8, 100, two)))
        assert asked(client(listen)) == (200, b"two")
    finally:
        end(tmp_path)


def _backends(*said: tuple[int, int]) -> Route:
    return Route("web", "127.0.0.1:1", Mode.HTTP, tuple(Backend(n, percent, (f"10.0.0.{n}:80",)) for n, percent in said))


def test_who_serves_stays_on_its_side_and_who_is_new_comes_to_the_idle_one() -> None:
    first = planned(_backends((1, 100)), Held(NOBODY))
    assert first == Held(100, Side(1, ("10.0.0.1:80",)))
    second = planned(_backends((1, 90), (2, 10)), first)
    assert (second.share, second.a.generation, second.b.generation) == (90, 1, 2)
    third = planned(_backends((2, 100)), second)
    assert (third.share, third.b.generation) == (0, 2)
    fourth = planned(_backends((3, 100)), third)
    assert (fourth.share, fourth.a.generation, fourth.b.generation) == (100, 3, 2)
    assert planned(_backends(), fourth).share == NOBODY
    with pytest.raises(DriverFailed, match="no side"):
        planned(_backends((4, 100)), second)
    with pytest.raises(DriverFailed, match="two generations"):
        planned(_backends((1, 40), (2, 30), (3, 30)), first)
