"""`assay edge`: the same edge as a service, and what it tells."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.deployment.edges import Named, asked, client, close_clients, end, route

from assaymark.cli.edge import command
from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.control import Edge

pytestmark = pytest.mark.enable_socket
_RUN = "import sys; from assaymark.cli.main import main; sys.argv[0] = 'assay'; main()"


@pytest.fixture
def served() -> Iterator[Named]:
    with Named("served") as made:
        yield made
        made.shutdown()
    close_clients()


def test_sockets_that_a_service_manager_holds_lose_nobody_while_the_edge_is_replaced(tmp_path: Path, served: Named) -> None:
    edge = Edge(tmp_path)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(64)
        listen = f"127.0.0.1:{held.getsockname()[1]}"
        try:
            _service(tmp_path, held)
            edge.put(route(listen, (4, 100, served)))
            assert asked(client(listen)) == (200, b"served")
            shown = CliRunner().invoke(command, ["show", "--folder", str(tmp_path)])
            assert "generation 4  100 %" in shown.output
            told = json.loads(CliRunner().invoke(command, ["show", "--folder", str(tmp_path), "-f", "json"]).output)
            assert told["table"]["routes"][0]["listen"] == listen
            end(edge, signal.SIGTERM)
            waiting = client(listen)
            waiting.request("GET", "/")  # nobody is there yet
            _service(tmp_path, held)
            assert waiting.getresponse().read() == b"served"
        finally:
            end(edge, signal.SIGKILL)


def _service(folder: Path, held: socket.socket) -> None:
    """As systemd starts it: the socket is descriptor 3, and the environment says so."""
    child = os.fork()
    if not child:
        try:
            os.dup2(held.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), PYTHONPATH=os.pathsep.join(sys.path))
            os.execv(sys.executable, [sys.executable, "-c", _RUN, "edge", "run", "--folder", str(folder)])
        finally:
            os._exit(1)
    until = time.monotonic() + 20
    while not Edge(folder).alive():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_an_edge_that_is_not_there_is_said(tmp_path: Path) -> None:
    said = CliRunner().invoke(command, ["show", "--folder", str(tmp_path)])
    assert isinstance(said.exception, DriverFailed)
    assert "assay edge run" in said.exception.advice


def test_a_second_edge_of_a_folder_is_refused(tmp_path: Path) -> None:
    from assaymark.deployment.edge.starting import risen  # noqa: PLC0415 - only here

    edge = risen(tmp_path)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", _RUN, "edge", "run", "--folder", str(tmp_path)], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=30,
        )  # fmt: skip
        assert ran.returncode == 2
        assert "runs in" in ran.stderr
    finally:
        end(edge, signal.SIGKILL)
