"""The edge's own process: it holds a folder, listens where its table says, and exchanges it when it is told.

Guarantees
* one edge per folder (a lock), private to its owner; after a kill at any point it rises with the last table that it said ok to, or with the
  one whose answer nobody got;
* an exchange is refused as a whole when one of its new addresses cannot be listened at; those that stay are never closed meanwhile;
* asked to end (SIGTERM, SIGINT) it takes nothing new, ends what has begun within its time, and leaves the table as it is.

Listening sockets that systemd hands over (``LISTEN_FDS``) are used for the routes of their addresses, so that nobody is refused while the
edge is replaced.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from assaymark.deployment.edge.behind import Behind
from assaymark.deployment.edge.control import Answer, Asked, line, listening
from assaymark.deployment.edge.relay import PIECE, Connection, Limits, Side
from assaymark.deployment.edge.table import MOST_BYTES, Table, checked, load, save, split
from assaymark.errors import AssayError, UsageError
from assaymark.formats.undecodable import UNDECODABLE

GRACE_SECONDS = 30.0
_AGAIN_SECONDS = 1.0
_UNBOUNDED = 1 << 20
"""As many as the kernel lets a process have by itself."""
_OTHERS = 64
"""Descriptors that are no connections."""
_FIRST_HANDED = 3
"""Of sd_listen_fds(3)."""


class Edge:
    """It, as long as it lives."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder, self._limits = folder, limits or Limits()
        # A connection has two ends; what is over is refused at once, not left waiting.
        self._most = min(self._limits.connections, (_descriptors() - _OTHERS) // 2)
        self._listeners: dict[str, asyncio.Server] = {}
        self._connections: set[Connection] = set()
        self._handed = _handed()
        self._exchanging = asyncio.Lock()
        self._ended, self._left = asyncio.Event(), asyncio.Event()
        self._behind = Behind(load(folder), asyncio.get_running_loop().time)

    async def run(self) -> None:
        """Until a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ended.set)
        control = await asyncio.start_unix_server(self._controlled, sock=listening(self._folder), limit=MOST_BYTES)
        rising = asyncio.create_task(self._rise())
        await self._ended.wait()
        rising.cancel()
        control.close()
        for server in self._listeners.values():
            server.close()
        for connection in tuple(self._connections):
            connection.stop()
        if not self._connections:
            self._left.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._left.wait()

    async def _rise(self) -> None:
        """Listen at every address of the table, again and again at those that others hold: one that is taken must not stop the others."""
        said: set[str] = set()
        while True:
            async with self._exchanging:
                for route in self._behind.table.routes:
                    if route.name in self._listeners:
                        continue
                    try:
                        self._listeners[route.name] = await self._listen(route.name, route.listen)
                    except OSError as error:
                        if route.name not in said:
                            said.add(route.name)
                            sys.stderr.write(f"edge: nobody is served on {route.listen} yet: {error}\n")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, name: str, address: str) -> asyncio.Server:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._connections) >= self._most:
                writer.transport.abort()
                return
            connection = Connection(name, self._behind, self._limits, Side(reader, writer))
            self._connections.add(connection)
            try:
                await connection.serve()
            finally:
                self._connections.discard(connection)
                if not self._connections and self._ended.is_set():
                    self._left.set()

        handed = self._handed.get(split(address))
        if handed is not None:
            return await asyncio.start_server(accepted, sock=handed.dup(), limit=PIECE, backlog=4096)
        host, port = split(address)
        return await asyncio.start_server(accepted, host, port, limit=PIECE, backlog=4096)

    # --- what it is told -------------------------------------------------------------------------------------------------

    async def _controlled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not _may(writer.get_extra_info("socket")):
                return
            while data := await reader.readline():
                writer.write(line(await self._told(data)))
                await writer.drain()
        except (OSError, ValueError):
            pass  # whoever asked has gone, or says more than a table has
        finally:
            writer.close()

    async def _told(self, data: bytes) -> Answer:
        try:
            asked = msgspec.json.decode(data, type=Asked)
            if asked.ask == "show":
                return self._shown()
            if asked.ask == "wait":
                return Answer(left=await self._behind.idle(asked.address, min(asked.seconds, 86_400)))
            if asked.ask == "put" and asked.table is not None:
                async with self._exchanging:
                    return await self._put(asked.table, asked.over)
        except UNDECODABLE as error:
            return Answer(ok=False, why=f"this is no question: {error}")
        except (AssayError, OSError) as error:
            return Answer(ok=False, why=error.diagnosis() if isinstance(error, AssayError) else str(error))
        return Answer(ok=False, why="this is asked of nobody here")

    def _shown(self) -> Answer:
        return Answer(table=self._behind.table, begun=dict(self._behind.begun), pid=os.getpid())

    async def _put(self, table: Table, over: int) -> Answer:
        if over != self._behind.table.version:
            return Answer(ok=False, conflict=True, why="somebody else exchanged the table first", table=self._behind.table)
        table = checked(replace(table, version=over + 1))
        new = await self._opened(table)
        try:
            save(self._folder, table)
        except BaseException:
            for server in new.values():
                server.close()
            raise
        # From here on nothing is waited for: no request sees half an exchange.
        before = {route.name: route.listen for route in self._behind.table.routes}
        self._behind.exchange(table)
        for name in [name for name in self._listeners if name in new or table.route(name) is None or name not in before]:
            self._listeners.pop(name).close()
        self._listeners |= new
        return Answer(table=table)

    async def _opened(self, table: Table) -> dict[str, asyncio.Server]:
        """Listeners at the addresses that are new in it."""
        before = {route.name: route.listen for route in self._behind.table.routes}
        new: dict[str, asyncio.Server] = {}
        try:
            for route in table.routes:
                if before.get(route.name) != route.listen or route.name not in self._listeners:
                    new[route.name] = await self._listen(route.name, route.listen)
        except OSError as error:
            for server in new.values():
                server.close()
            raise UsageError(f"nobody can listen at {route.listen}", why=str(error), advice="give the route another address") from error
        return new


def _descriptors() -> int:
    """How many may be open, once that is as many as may be asked for."""
    soft, hard = (_UNBOUNDED if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(resource.RLIMIT_NOFILE))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft


def _may(there: socket.socket) -> bool:
    """Whether whoever asks is root or the edge's owner; the folder keeps others out already."""
    _, uid, _ = struct.unpack("3i", there.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in {0, os.geteuid()}


def _handed() -> dict[tuple[str, int], socket.socket]:
    """Sockets that systemd listens at for us, by address."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return {}
    found = {}
    for number in range(_FIRST_HANDED, _FIRST_HANDED + int(os.environ.pop("LISTEN_FDS", "0"))):
        with suppress(OSError):
            there = socket.socket(fileno=number)
            there.setblocking(False)
            name = there.getsockname()
            found[name[0], name[1]] = there
    return found


def locked(folder: Path) -> int:
    """The folder is this process's until it ends; the descriptor is to be kept.

    Raises:
        UsageError: when another edge has it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise UsageError(f"an edge runs in {folder} already", advice="ask it: assay edge show") from error
    return handle


def run(folder: Path, limits: Limits | None = None) -> None:
    """Be the edge of a folder until a signal.

    Raises:
        AssayError: when another one is, or its table cannot be read.
    """

    async def living() -> None:
        await Edge(folder, limits).run()

    handle = locked(folder)
    try:
        asyncio.run(living())
    finally:
        os.close(handle)
