"""Runs a program once: what it is given, how long it may take, how much it may say.

Guarantees: no shell; it gets its document on standard input and nothing of a deployer's secrets in its environment; after its time, and
when it says more than `MOST_BYTES`, it is killed with everything that it started in its group; it never waits for what nobody writes.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed

MOST_BYTES = 4 << 20
"""Of an answer: an instance is about 300 bytes, a changed path 100."""
MOST_WORDS = 64 << 10
"""Of what it writes to its error stream; more is read and thrown away."""
_PIECE = 1 << 16
_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR")


class Ran(Struct, frozen=True):
    """What came of it."""

    code: int
    said: bytes
    words: bytes
    """The end of its error stream."""


def run(program: Sequence[str], document: bytes, seconds: float, *, passed: Mapping[str, str], folder: str = "/") -> Ran:
    """Run it once.

    Raises:
        DriverFailed: when it cannot be started, takes too long or says too much.
    """
    try:
        made = subprocess.Popen(
            list(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env=_environment(passed), start_new_session=True, bufsize=0,
        )  # fmt: skip
    except OSError as error:
        raise DriverFailed(f"{program[0]} cannot be started", why=error.strerror or str(error), advice="see the option program") from error
    try:
        return _talked(made, document, time.monotonic() + seconds, program[0])
    except _OverError as error:
        raise DriverFailed(f"{program[0]} {error}", why="it was killed", advice="see the option seconds") from error
    finally:
        _end(made)


class _OverError(Exception):
    """It went beyond what it may."""


def _talked(made: subprocess.Popen[bytes], document: bytes, ends: float, name: str) -> Ran:
    assert made.stdin is not None  # noqa: S101 - all three were asked for
    assert made.stdout is not None  # noqa: S101
    assert made.stderr is not None  # noqa: S101
    del name
    said, words, left = bytearray(), bytearray(), memoryview(document)
    with selectors.DefaultSelector() as waiting:
        for stream, events in (
            (made.stdin, selectors.EVENT_WRITE),
            (made.stdout, selectors.EVENT_READ),
            (made.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(stream.fileno(), False)
            waiting.register(stream, events)
        while waiting.get_map():
            ready = waiting.select(max(0.0, ends - time.monotonic()))
            if not ready and time.monotonic() >= ends:
                raise _OverError("did not end within its time")
            for key, _ in ready:
                stream = key.fileobj  # type: ignore[assignment]
                if stream is made.stdin:
                    left = _wrote(stream, left)
                    done = not left
                else:
                    done = _read(stream, said if stream is made.stdout else words)
                if done:
                    waiting.unregister(stream)
                    stream.close()
            if len(said) > MOST_BYTES:
                raise _OverError(f"says more than {MOST_BYTES} bytes")
            del words[:-MOST_WORDS]
    try:
        code = made.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _OverError("did not end within its time") from error
    return Ran(code, bytes(said), bytes(words))


def _wrote(stream: IO[bytes], left: memoryview) -> memoryview:
    """What is still to be written; a program that does not read it all has all that it wanted."""
    try:
        return left[os.write(stream.fileno(), left[:_PIECE]) :]
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[:0]


def _read(stream: IO[bytes], into: bytearray) -> bool:
    """Whether it ended."""
    try:
        piece = os.read(stream.fileno(), _PIECE)
    except BlockingIOError:
        return False
    into += piece
    return not piece


def _end(made: subprocess.Popen[bytes]) -> None:
    """It and what it left in its group: a driver's program has no business after its answer. What it wants to live on leaves the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(made.pid, signal.SIGKILL)
    made.wait()
    for stream in (made.stdin, made.stdout, made.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _environment(passed: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(passed)
