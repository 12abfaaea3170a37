"""For tests of edges: instances that say who they are, and an edge in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.control import Edge
from assaymark.deployment.edge.starting import risen
from assaymark.deployment.edge.table import Backend, Mode, Route


class Named(ThreadingHTTPServer):
    """An instance: answers with its name, slowly where the path says so."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.seen: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Answers)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break off are what is tested."""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece
    server: Named

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.seen.append(dict(self.headers.items()))
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        if self.path == "/cut":
            self._begin(1000)
            self.wfile.write(b"only this")
            self.close_connection = True
            return
        if self.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one ", b"two ", b"three"):
                self.wfile.write(b"%x;note=1\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-Trailer: 1\r\n\r\n")
            return
        self._begin(len(self.server.name))
        if self.command != "HEAD":
            self.wfile.write(self.server.name.encode())

    do_HEAD = do_GET  # noqa: N815 - the name that the library calls

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/die":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self._chunked() if self.headers.get("Transfer-Encoding") else self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.bodies.append(body)
        self._begin(len(body))
        self.wfile.write(body)

    def _chunked(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def free_address() -> str:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{there.getsockname()[1]}"


@contextmanager
def edge_in(folder: Path) -> Iterator[Edge]:
    edge = risen(folder)
    try:
        yield edge
    finally:
        end(edge, signal.SIGKILL)


def end(edge: Edge, number: signal.Signals) -> None:
    """It has ended when this returns."""
    with suppress(DriverFailed, ProcessLookupError, ChildProcessError):
        pid = edge.show().pid
        os.kill(pid, number)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def route(listen: str, *backends: tuple[int, int, Named], name: str = "web", mode: Mode = Mode.HTTP) -> Route:
    found: dict[int, tuple[int, list[str]]] = {}
    for generation, percent, server in backends:
        found.setdefault(generation, (percent, []))[1].append(server.address)
    return Route(name, listen, mode, tuple(Backend(number, percent, tuple(at)) for number, (percent, at) in found.items()))


_clients: list[HTTPConnection] = []


def client(listen: str) -> HTTPConnection:
    host, _, port = listen.rpartition(":")
    _clients.append(HTTPConnection(host, int(port), timeout=20))
    return _clients[-1]


def close_clients() -> None:
    while _clients:
        _clients.pop().close()


def asked(connection: HTTPConnection, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def raw(listen: str, words: bytes) -> bytes:
    """What comes back to these bytes, until the edge closes."""
    host, _, port = listen.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as there:
        there.sendall(words)
        found = b""
        with suppress(ConnectionResetError):
            while piece := there.recv(1 << 16):
                found += piece
        return found
