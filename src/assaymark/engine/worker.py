"""A forked worker process, seen from both ends.

Guarantees of the child: it holds no file of the parent but its own socket, writes to nobody's terminal, leaves no core file, stays within
its memory, ends by itself soon after its time is up, and dies with its parent (a pipe that only the parent holds open tells of its end).
Guarantees of the parent's end: it never blocks on a child.

Frames are a four-byte length and msgpack. Forking, and not starting afresh, is what makes a worker cheap: checks, plan and reader recipes
are there already. The parent must have no other threads.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from assaymark.engine.bench import Bench
from assaymark.engine.executor import Work
from assaymark.engine.limits import usable_processors
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.finding import CheckId


class Order(Struct, frozen=True, array_like=True):
    """Parent to child."""

    indices: tuple[int, ...]
    seconds: float


class Started(Struct, frozen=True, array_like=True, tag="s"):
    check: CheckId


class Outcomes(Struct, frozen=True, array_like=True, tag="o"):
    rows: list[tuple[int, bytes]]


class Failed(Struct, frozen=True, array_like=True, tag="f"):
    indices: list[int]
    kind: str
    detail: str


class Spent(Struct, frozen=True, array_like=True, tag="t"):
    check: CheckId
    seconds: float


class Finished(Struct, frozen=True, array_like=True, tag="e"):
    """The batch is done; an input without an outcome has none."""


Message = Started | Outcomes | Failed | Spent | Finished

GRACE = 2
"""Seconds after its deadline until a child ends itself, in case nobody is left to end it."""
_MOST_BYTES = 256 << 20
_encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(Order).decode
_decode_message = msgspec.msgpack.Decoder(Message).decode


class Broken(Exception):  # noqa: N818 - says what became of the other end
    """The other end is gone or talks nonsense."""


class Worker:
    """The parent's end.

    Raises:
        OSError: when the system starts no further process.
    """

    def __init__(self, work: Work, lifeline: tuple[int, int]) -> None:
        self._socket, theirs = socket.socketpair()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _child(work, theirs, lifeline[0])
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._socket.setblocking(False)
        self._out = bytearray()
        self._in = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_more_to_send(self) -> bool:
        return bool(self._out)

    def order(self, order: Order) -> None:
        """Hand over a batch; what does not fit into the socket goes out with `push`."""
        self._out += _framed(order)
        self.push()

    def push(self) -> None:
        """Send what the child takes now.

        Raises:
            Broken: when the child is gone.
        """
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            return
        except OSError as error:
            raise Broken from error

    def messages(self) -> list[Message]:
        """What has come from the child.

        Raises:
            Broken: when it is gone or talks nonsense; what came before is lost and will be done again.
        """
        try:
            data = self._socket.recv(1 << 20)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Broken from error
        if not data:
            raise Broken
        self._in += data
        try:
            return [_decode_message(frame) for frame in _frames(self._in)]
        except UNDECODABLE as error:
            raise Broken from error

    def end(self) -> int:
        """Kill the child with all that it started, and reap it; its wait status, 0 when somebody else reaped it."""
        self._socket.close()
        status = self._reap_if_dead()
        if status is not None:
            return status
        self.kill()
        return self.reap()

    def kill(self) -> None:
        """End the child with all that it started, whatever it does: what it said is taken in."""
        self._socket.close()
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Wait for the end of a child that was killed."""
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return 0

    def _reap_if_dead(self) -> int | None:
        """A child whose socket ended is dead or dying: its own status tells more than that of our kill."""
        for pause in (0.0, 0.001, 0.004, 0.02):
            time.sleep(pause)
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid:
                return status
        return None


def _framed(message: Struct) -> bytes:
    data = _encode(message)
    return len(data).to_bytes(4, "big") + data


def _frames(buffer: bytearray) -> list[bytes]:
    """Cut the whole frames off the front."""
    found: list[bytes] = []
    start = 0
    while len(buffer) - start >= 4:
        length = int.from_bytes(buffer[start : start + 4], "big")
        if length > _MOST_BYTES:
            raise Broken
        if len(buffer) - start - 4 < length:
            break
        found.append(bytes(buffer[start + 4 : start + 4 + length]))
        start += 4 + length
    del buffer[:start]
    return found


# --- the child's end -------------------------------------------------------------------------------------------------


def _child(work: Work, link: socket.socket, lifeline: int) -> None:
    """Never returns."""
    status = 1
    try:
        os.setsid()
        gc.freeze()
        _reset_signals()
        lifeline = _close_everything_but(link, lifeline)
        _die_with_parent(lifeline)
        _limit(resource.RLIMIT_AS, work.limits.memory_bytes)
        _limit(resource.RLIMIT_CORE, 0)  # a core file would hold the secrets of what was read
        _serve(work, link)
        status = 0
    except BaseException:  # noqa: BLE001 - the top of this process; the parent sees the status and knows what was not done
        status = 1
    finally:
        os._exit(status)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGIO, signal.SIGCHLD, signal.SIGXCPU, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _close_everything_but(link: socket.socket, lifeline: int) -> int:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number, inheritable=True)
    keep = sorted({link.fileno(), lifeline})
    start = 3
    for number in keep:
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20))
    return lifeline


def _die_with_parent(lifeline: int) -> None:
    """The kernel sends SIGIO, whose default is to end the process, when the pipe's only writer, the parent, is gone."""
    if not hasattr(os, "O_ASYNC"):
        return
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    watch = select.poll()
    watch.register(lifeline, 0)
    if watch.poll(0):  # it was gone before we asked
        os._exit(1)


def _limit(which: int, amount: int) -> None:
    _, hard = resource.getrlimit(which)
    soft = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(which, (soft, hard))


def _grant(seconds: float) -> None:
    """End this process some time after its deadline, by the kernel's hand: the interpreter may be stuck in a library."""
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE)
    spent = time.process_time()
    _limit(resource.RLIMIT_CPU, int(spent + (seconds + GRACE) * usable_processors()) + 1)


def _serve(work: Work, link: socket.socket) -> None:
    bench = Bench(work)
    buffer = bytearray()
    while data := link.recv(1 << 16):
        buffer += data
        for frame in _frames(buffer):
            order = _decode_order(frame)
            _grant(order.seconds)
            report = _Postman(link)
            bench.perform(order.indices, report)
            report.finish()
            signal.setitimer(signal.ITIMER_REAL, 0)


class _Postman:
    """Sends what the bench reports; outcomes in bundles, what matters for blame at once."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._rows: list[tuple[int, bytes]] = []
        self._bytes = 0
        self._sent = time.monotonic()

    def started(self, check: CheckId) -> None:
        self._send(Started(check))

    def outcome(self, index: int, encoded: bytes) -> None:
        self._rows.append((index, encoded))
        self._bytes += len(encoded)
        if self._bytes > 1 << 20 or time.monotonic() - self._sent > 0.1:
            self._flush()

    def failed(self, indices: Sequence[int], kind: str, detail: str) -> None:
        self._send(Failed(list(indices), kind, detail))

    def spent(self, check: CheckId, seconds: float) -> None:
        self._send(Spent(check, seconds))

    def finish(self) -> None:
        self._send(Finished())

    def _flush(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        self._sent = time.monotonic()
        if rows:
            self._link.sendall(_framed(Outcomes(rows)))

    def _send(self, message: Message) -> None:
        self._flush()
        self._link.sendall(_framed(message))
