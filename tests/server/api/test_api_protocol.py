"""Connections that say little, much, or nothing, against a server on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from assaymark.server import protocol
from assaymark.server.protocol import BoundedProtocol

pytestmark = pytest.mark.enable_socket


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(str(size))).encode())]})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.6)
    config = uvicorn.Config(
        _app, host="127.0.0.1", port=0, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, loop="asyncio"
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(20)


def _say(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What is answered until the connection is closed, or nothing comes for two seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
        answer = b""
        try:
            for part in parts:
                link.sendall(part)
                time.sleep(pause)
            while piece := link.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionError):
            pass
        return answer


_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


def test_a_request_is_answered_and_another_on_the_same_connection(port: int) -> None:
    one = _HEAD + b"Content-Length: 3\r\n\r\nabc"
    answer = _say(port, one, one, pause=0.1)
    assert answer.count(b"HTTP/1.1 200") == 2


def test_a_large_body_with_a_small_head_is_no_large_head(port: int) -> None:
    body = b"a" * 300_000
    assert _say(port, _HEAD + b"Connection: close\r\nContent-Length: 300000\r\n\r\n" + body).endswith(b"300000")


@pytest.mark.parametrize("parts", [(), (b"GET / HT",), (_HEAD,), (_HEAD, b"X: a\r\n", b"Y: b\r\n")], ids=["silent", "line", "head", "drip"])
def test_slowloris_a_head_that_does_not_come_is_not_waited_for(port: int, parts: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    assert b" 408 " in _say(port, *parts, pause=0.1)
    assert time.monotonic() - began < 5


def test_slowloris_the_second_request_has_a_deadline_as_well(port: int) -> None:
    answer = _say(port, _HEAD + b"Content-Length: 0\r\n\r\n", b"GET /", pause=0.2)
    assert b" 200 " in answer
    assert b" 408 " in answer


@pytest.mark.parametrize("part", [b"X: " + b"a" * 200_000, b"X-%d: b\r\n" * 20_000], ids=["one", "many"])
def test_a_head_without_end_is_cut_off(port: int, part: bytes) -> None:
    assert b" 200 " not in _say(port, _HEAD + part[:100_000], part[100_000:], pause=0.05)


def test_what_is_no_request_is_refused(port: int) -> None:
    assert b" 400 " in _say(port, b"\x16\x03\x01\x02\x00\x01\x00")
    assert b" 400 " in _say(port, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
