"""A child that was forked before a request needs it, and has rehearsed: its memory is its own already when somebody waits.

Guarantees
* it does what a child forked for the request would do, with the client's own files and environment; it says nothing before the daemon has
  looked whether the code on the disk is still its own (`accept`), and is ended when it is not (`dismiss`);
* it ends when the daemon does, and holds none of the daemon's files.

Saves the fork of a large process and the copying of its pages, about a third of what the daemon's side of a small commit costs.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from assaymark.daemon.child import Handler, answer, leave
from assaymark.daemon.protocol import decode

LARGEST = 32 << 10
"""Bytes of a request that fit into the channel at once, so that the daemon never waits; larger ones take the usual way."""
_GO = b"g"


class Understudy:
    """The daemon's end.

    Raises:
        OSError: when the system starts no further process.
    """

    def __init__(self, handler: Handler, rehearse: Callable[[], None] | None, close: Sequence[int]) -> None:
        self._channel, theirs = socket.socketpair()
        try:
            self.pid = os.fork()
        except OSError:
            self._channel.close()
            theirs.close()
            raise
        if self.pid == 0:
            self._channel.close()
            _wait(handler, rehearse, theirs, close)
        theirs.close()
        self._channel.setblocking(False)

    def fileno(self) -> int:
        return self._channel.fileno()

    def play(self, body: bytes, link: socket.socket, stdin: int | None) -> bool:
        """Give it the request; False when it cannot take it and was dismissed."""
        files = [link.fileno()] if stdin is None else [link.fileno(), stdin]
        with suppress(OSError):
            if len(body) <= LARGEST:
                data = len(body).to_bytes(4, "big") + body
                if socket.send_fds(self._channel, [data], files) == len(data):
                    return True
        self.dismiss()
        return False

    def accept(self) -> None:
        """The client knows that its request is taken: it may speak."""
        with suppress(OSError):  # it has ended, which the client sees by itself
            self._channel.send(_GO)
        self._channel.close()

    def dismiss(self) -> None:
        """End it. It is reaped like every child."""
        self._channel.close()
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


def _wait(handler: Handler, rehearse: Callable[[], None] | None, channel: socket.socket, close: Sequence[int]) -> None:
    try:
        leave(close)
        if rehearse is not None:
            with suppress(Exception):  # what fails here fails again when somebody can be told
                rehearse()
        given = _receive(channel)
        if given is None:
            os._exit(0)
        body, files = given
        link = socket.socket(fileno=files[0])
        request = decode(body)
        answer(handler, request, link, stdin=files[1] if len(files) > 1 else None, may_speak=lambda: _await(channel))
    finally:
        os._exit(1)


def _receive(channel: socket.socket) -> tuple[bytes, list[int]] | None:
    data, files, _, _ = socket.recv_fds(channel, LARGEST + 4, 2)
    while data and len(data) < 4 + int.from_bytes(data[:4].ljust(4, b"\xff"), "big"):
        more = channel.recv(LARGEST)
        if not more:
            return None
        data += more
    return (data[4:], list(files)) if data and files else None


def _await(channel: socket.socket) -> None:
    if channel.recv(1) != _GO:
        os._exit(1)
