"""One request, in a process forked for it.

Guarantees that the handler sees the client's folder, environment, arguments, standard input and umask, not the daemon's, and that whatever
it prints reaches the client before its exit code. A handler that fails sends no exit code, so that the client can run the program itself.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable

from assaymark.daemon.protocol import ERR, EXIT, OUT, Request, Write, frame

Handler = Callable[[Request, Write], int]


class _Stream(io.RawIOBase):
    """Standard output or error of the client."""

    def __init__(self, number: int, write: Write, *, terminal: bool) -> None:
        self._number = number
        self._write = write
        self._terminal = terminal

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._terminal

    def write(self, data: object) -> int:
        body = bytes(data)  # type: ignore[call-overload]
        self._write(self._number, body)
        return len(body)


def leave(close: Iterable[int]) -> None:
    """Become a process of its own right after the fork; `close` are the daemon's own files."""
    os.setsid()
    gc.freeze()
    for number in close:
        os.close(number)
    _reset_signals()


def answer(
    handler: Handler, request: Request, link: socket.socket, *, stdin: int | None, may_speak: Callable[[], None] = lambda: None
) -> None:
    """Handle the request and end this process, which has left the daemon. Never returns.

    `may_speak` is called before the first frame, and returns when the daemon has told the client that the request is taken.
    """
    status = 1
    try:
        link.setblocking(True)
        waiting = [may_speak]

        def send(kind: int, body: bytes) -> None:
            while waiting:
                waiting.pop()()
            link.sendall(frame(kind, body))

        def write(number: int, body: bytes) -> None:
            # Bounded frames: the client copies its buffer once per frame.
            for start in range(0, len(body), 1 << 16):
                send(OUT if number == 1 else ERR, body[start : start + (1 << 16)])

        _become(request, stdin, write)
        code = _call(handler, request, write)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client hangs up now, which must not look like Ctrl-C
        send(EXIT, bytes([code & 0xFF]))
        status = 0
    except BaseException as error:  # noqa: BLE001 - the top of this process; its text may quote content, so only the type is logged
        os.write(2, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} request failed: {type(error).__name__}\n".encode())
    finally:
        os._exit(status)


def _call(handler: Handler, request: Request, write: Write) -> int:
    try:
        return handler(request, write)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _become(request: Request, stdin: int | None, write: Write) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null if stdin is None else stdin, 0)
    os.dup2(null, 1)
    os.close(null)
    if stdin is not None:
        os.close(stdin)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    os.umask(request.umask)
    os.chdir(request.cwd)
    sys.argv = ["assay", *request.argv]
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8", errors="surrogateescape")
    for name, number in (("stdout", 1), ("stderr", 2)):
        raw = _Stream(number, write, terminal=request.terminals[number])
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True))
