"""The daemon: one small process that forks a warm child per request.

Guarantees
* only processes of the same user are heard (a 0700 folder, a 0600 socket, and the kernel's word on who connected);
* a client that talks nonsense, half a sentence, too much or nothing at all cannot hold it up; one that leaves takes its child with it;
* a request of other code than this process runs is declined, and the process ends, so that the next one is of the new code;
* of two starters one wins; a socket left by a killed one is no obstacle; without requests it ends by itself.

Keeps nothing between two requests but what `warm` has loaded. Listens on no network.
"""

# pathlib would be one more import in a process that forks at every request.
# ruff: noqa: PTH104, PTH108

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from assaymark import hookclient
from assaymark.daemon import code, log
from assaymark.daemon.child import Handler, answer, leave
from assaymark.daemon.protocol import ACCEPTED, DECLINED, OtherVersion, Request, decode, frame
from assaymark.daemon.understudy import Understudy
from assaymark.engine.trust import private_folder


class Spares(Protocol):
    """Processes that are started before a request needs them; the next child has them all."""

    def refill(self) -> None:
        """Start what is missing; nobody waits for it."""
        ...

    def part_with(self) -> None:
        """Forget them: a child was forked and has them now."""
        ...

    def rehearse(self) -> None:
        """In a child that waits for its request: do everything once over nothing."""
        ...


class Terms(Struct, frozen=True):
    """How the daemon behaves."""

    folder: str
    """Of the socket."""
    idle_seconds: float = 1800.0
    most_children: int = 8
    most_clients: int = 32
    most_bytes: int = 1 << 20
    """Of a request: arguments and environment."""
    request_seconds: float = 5.0
    """In which a client must have said what it wants."""
    rest_seconds: float = 0.03
    """After an answer, before the next one is prepared: git is still writing its commit and wants the processor."""
    farewell_seconds: float = 2.0
    """Given to a child whose client has left, or when the daemon ends."""


class _Client:
    """A connection, from its first byte to the end of its child."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self.link = link
        self.buffer = bytearray()
        self.stdin: int | None = None
        self.deadline = deadline
        self.child = 0
        self.was_told_to_end = False


def serve(handler: Handler, terms: Terms, *, warm: Callable[[], None] | None = None, spares: Spares | None = None) -> int:
    """Serve until idle, replaced or told to end; the exit code. 0 also when another daemon is serving already."""
    reason = private_folder(terms.folder)
    if not reason and not hookclient.is_private(terms.folder):
        reason = "can be read by other users"
    if reason:
        sys.stderr.write(f"assay daemon: {terms.folder} {reason}\n")
        return 1
    path = f"{terms.folder}/{hookclient.socket_name()}"
    lock = os.open(path + ".lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return 0
    try:
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        stamp = code.take()
        if warm is not None:
            warm()
        return _Daemon(handler, terms, path, (lock, stamp), spares).run()
    finally:
        os.close(lock)


class _Daemon:
    def __init__(self, handler: Handler, terms: Terms, path: str, held: tuple[int, code.Stamp], spares: Spares | None) -> None:
        self._handler = handler
        self._terms = terms
        self._path = path
        self._lock, self._stamp = held
        self._spares = spares
        self._understudy: Understudy | None = None
        self._clients: dict[int, _Client] = {}
        self._poll = select.poll()
        self._is_ending = False
        self._last = time.monotonic()
        self._prepare_at = float("inf")

    def run(self) -> int:
        self._bell, self._ringer = os.pipe()
        for end in (self._bell, self._ringer):
            os.set_blocking(end, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        self._listen()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._listener.fileno(), select.POLLIN)
        self._prepare()
        try:
            while not self._is_ending:
                self._turn()
        finally:
            self._end()
        return 0

    def _on_signal(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._is_ending = True

    def _listen(self) -> None:
        draft = f"{self._path}.new"
        with suppress(FileNotFoundError):
            os.unlink(draft)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(draft)
        finally:
            os.umask(before)
        self._listener.listen(64)
        self._listener.setblocking(False)
        # Nobody finds a socket that does not listen yet. We hold the lock, so whoever made the one that lies there is dead.
        os.rename(draft, self._path)
        self._identity = os.lstat(self._path).st_ino

    # --- one turn ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        now = time.monotonic()
        idle_end = self._last + self._terms.idle_seconds
        ends = [client.deadline for client in self._clients.values()] + [idle_end, self._prepare_at, now + 60.0]
        events = self._poll.poll(max(0.0, min(ends) - now) * 1000 + 1)
        for number, _ in events:
            if number == self._bell:
                with suppress(BlockingIOError):
                    os.read(self._bell, 4096)
            elif number == self._listener.fileno():
                self._accept()
            elif number in self._clients:
                self._hear(self._clients[number])
        self._reap()
        self._mind_deadlines()
        if time.monotonic() >= self._prepare_at:
            self._prepare()
        if not events and (not self._is_at_home() or not code.is_unchanged(self._stamp)):
            self._is_ending = True

    def _is_at_home(self) -> bool:
        """Whether clients can still find us: nobody removed the socket or put another one there."""
        try:
            return os.lstat(self._path).st_ino == self._identity
        except OSError:
            return False

    def _mind_deadlines(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients.values() if now >= client.deadline]:
            if client.child:
                _kill(client.child, signal.SIGKILL)
                client.deadline = float("inf")
            else:
                self._drop(client)
        if self._clients:
            self._last = now
        elif now - self._last >= self._terms.idle_seconds:
            self._is_ending = True

    # --- clients -----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:
            return
        link.setblocking(False)
        if _peer(link) != os.geteuid() or len(self._clients) >= self._terms.most_clients:
            link.close()
            return
        self._last = time.monotonic()
        self._clients[link.fileno()] = _Client(link, self._last + self._terms.request_seconds)
        self._poll.register(link.fileno(), select.POLLIN)

    def _hear(self, client: _Client) -> None:
        try:
            data, given, _, _ = socket.recv_fds(client.link, 1 << 16, 1)
        except BlockingIOError:
            return
        except OSError:
            data, given = b"", []
        for number in given:
            if client.stdin is None and not client.child:
                client.stdin = number
            else:
                os.close(number)
        if client.child:
            self._dismiss_child(client)  # it left, or says more than there is to say
            return
        client.buffer += data
        needed = 4 + int.from_bytes(client.buffer[:4], "big") if len(client.buffer) >= 4 else 4
        if not data or needed > self._terms.most_bytes or len(client.buffer) > needed > 4:
            self._drop(client)
        elif len(client.buffer) == needed > 4:
            self._consider(client)

    def _consider(self, client: _Client) -> None:
        try:
            request = decode(bytes(client.buffer[4:]))
        except OtherVersion:
            self._decline(client, ending=True)
            return
        except ValueError:
            self._decline(client)
            return
        if request.stamp != hookclient.stamp() or request.executable != sys.executable:
            self._decline(client, ending=True)
        elif sum(1 for other in self._clients.values() if other.child) >= self._terms.most_children:
            self._decline(client)
        else:
            self._begin(client, request)

    def _begin(self, client: _Client, request: Request) -> None:
        understudy, self._understudy = self._understudy, None
        # It begins while we look whether its code is still the code on the disk: a look at every file takes as long as a fork.
        if understudy is not None and not understudy.play(bytes(client.buffer[4:]), client.link, client.stdin):
            understudy = None
        if not code.is_unchanged(self._stamp):
            if understudy is not None:
                understudy.dismiss()
            self._decline(client, ending=True)
            return
        try:
            client.link.send(frame(ACCEPTED))
            child = understudy.pid if understudy is not None else self._fork(client, request)
        except OSError:
            self._drop(client)
            return
        if understudy is not None:
            understudy.accept()
        client.child = child
        client.deadline = float("inf")
        if client.stdin is not None:
            os.close(client.stdin)
            client.stdin = None

    def _fork(self, client: _Client, request: Request) -> int:
        child = os.fork()
        if child == 0:
            others = [other for other in self._clients.values() if other is not client]
            leave([*self._own(), *(o.link.fileno() for o in others), *(o.stdin for o in others if o.stdin is not None)])
            answer(self._handler, request, client.link, stdin=client.stdin)
        if self._spares is not None:
            self._spares.part_with()
        return child

    def _own(self) -> list[int]:
        return [self._listener.fileno(), self._bell, self._ringer, self._lock]

    def _prepare(self) -> None:
        """Nobody waits: make ready what the next request needs."""
        self._prepare_at = float("inf")
        if self._understudy is not None or self._clients or self._is_ending:
            return
        rehearse = None
        if self._spares is not None:
            self._spares.refill()
            rehearse = self._spares.rehearse
        with suppress(OSError):
            self._understudy = Understudy(self._handler, rehearse, self._own())
            if self._spares is not None:
                self._spares.part_with()

    def _decline(self, client: _Client, *, ending: bool = False) -> None:
        with suppress(OSError):
            client.link.send(frame(DECLINED))
        self._drop(client)
        self._is_ending = self._is_ending or ending

    def _drop(self, client: _Client) -> None:
        self._poll.unregister(client.link.fileno())
        del self._clients[client.link.fileno()]
        if client.stdin is not None:
            os.close(client.stdin)
        client.link.close()

    # --- children ----------------------------------------------------------------------------------------------------

    def _dismiss_child(self, client: _Client) -> None:
        """First by SIGINT, as Ctrl-C would: what is finished is remembered. Then by force."""
        if not client.was_told_to_end:
            client.was_told_to_end = True
            self._poll.modify(client.link.fileno(), 0)
            _kill(client.child, signal.SIGINT)
            client.deadline = time.monotonic() + self._terms.farewell_seconds

    def _reap(self) -> None:
        children = {client.child: client for client in self._clients.values() if client.child}
        pid = 1
        while pid:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid in children:
                self._drop(children.pop(pid))
                log.trim(2)
                self._prepare_at = time.monotonic() + self._terms.rest_seconds
            elif self._understudy is not None and pid == self._understudy.pid:
                self._understudy.dismiss()
                self._understudy = None

    def _end(self) -> None:
        self._is_ending = True
        if self._understudy is not None:
            self._understudy.dismiss()
            with suppress(ChildProcessError):
                os.waitpid(self._understudy.pid, 0)  # just born, it may still hold the lock
        if self._spares is not None:
            self._spares.part_with()
        if self._is_at_home():
            os.unlink(self._path)
        self._listener.close()
        for client in [client for client in self._clients.values() if not client.child]:
            self._drop(client)
        for client in self._clients.values():
            self._dismiss_child(client)
        while self._clients:
            self._poll_end()
        signal.set_wakeup_fd(-1)
        for end in (self._bell, self._ringer):
            os.close(end)

    def _poll_end(self) -> None:
        time.sleep(0.01)
        self._reap()
        for client in self._clients.values():
            if time.monotonic() >= client.deadline:
                _kill(client.child, signal.SIGKILL)
                client.deadline = float("inf")


def _peer(link: socket.socket) -> int:
    """The user at the other end, by the kernel's word; -1 where the kernel does not say, so that nobody is heard."""
    if not hasattr(socket, "SO_PEERCRED"):
        return -1
    _, user, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _kill(child: int, number: int) -> None:
    """The child's whole session, or the child alone when it has not made one yet."""
    try:
        os.killpg(child, number)
    except OSError:
        with suppress(OSError):
            os.kill(child, number)
