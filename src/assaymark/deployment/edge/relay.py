"""Connections of clients, carried to whoever the table names.

Guarantees
* HTTP: each request goes by the table of the instant at which its head was read, whatever connection it came on; so connections that are
  kept alive are moved between two requests, and what has begun ends where it began;
* nothing that may have acted is asked twice: a request is sent again only when nobody was reached, or when it is safe (RFC 9110 9.2.1),
  has no body, and not one byte of an answer came; what is not safe never goes on a connection that was used before;
* an answer that breaks off breaks off for whoever asked as well: it is never made to look whole;
* every wait has an end (`Limits`).

Not here: TLS (TCP mode carries it through), HTTP/2, compression, caching.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct

from assaymark.deployment.edge import http1
from assaymark.deployment.edge.behind import Behind
from assaymark.deployment.edge.http1 import Ends, MessageError, Request, Response
from assaymark.deployment.edge.table import Mode, split

PIECE = 64 << 10
_BROKEN = (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)  # gone, too much in a line, nothing in time


class Limits(Struct, frozen=True):
    """Seconds and numbers; the same for every route."""

    connect: float = 3.0
    head: float = 30.0
    """Until a head is whole, once it has begun."""
    idle: float = 75.0
    """Between two requests of a connection."""
    answer: float = 300.0
    """Until an instance says the next thing."""
    stall: float = 60.0
    """Until a client takes or gives the next thing."""
    tunnel: float = 3600.0
    """Without a byte in either direction; TCP mode and upgraded connections."""
    connections: int = 8192


class Side(NamedTuple):
    """A connection, both ways."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def drop(self) -> None:
        self.writer.transport.abort()

    async def shut(self) -> None:
        self.writer.close()
        with suppress(*_BROKEN):
            async with asyncio.timeout(5):
                await self.writer.wait_closed()


class Upstream(NamedTuple):
    """A connection to an instance."""

    address: str
    ends: Side


class _UnansweredError(Exception):
    """Not one byte came."""


class _UnreachedError(Exception):
    """Nobody answered at an address; nothing was sent."""


class _ClientError(Exception):
    """Whoever asked is not there any more, or did not say what they announced."""


class Connection:
    """One client's, on one route."""

    def __init__(self, route: str, behind: Behind, limits: Limits, ends: Side) -> None:
        self._route, self._behind, self._limits, self._client = route, behind, limits, ends
        self._upstream: Upstream | None = None
        self._stopping = False
        self.idle = False
        """Between two requests: may be closed without anybody losing something."""
        peer = ends.writer.get_extra_info("peername")
        self._from = str(peer[0]) if isinstance(peer, tuple) else "unknown"

    def stop(self) -> None:
        """End after the request that has begun; at once between two."""
        self._stopping = True
        if self.idle:
            self._client.writer.close()

    async def serve(self) -> None:
        route = self._behind.route(self._route)
        try:
            if route is not None and route.mode is Mode.TCP:
                await self._tcp()
            else:
                while await self._next():
                    pass
        except MessageError as error:
            with suppress(*_BROKEN):
                await self._say(http1.refusal(error.status, str(error)))
        except _BROKEN:
            pass  # whoever asked has gone, or says nothing: nobody is left to tell
        except _ClientError:
            self._client.drop()
        finally:
            self._leave()
            await self._client.shut()

    # --- HTTP ----------------------------------------------------------------------------------------------------------

    async def _next(self) -> bool:
        """Whether another request may come."""
        head = await self._head()
        if not head:
            return False
        said = http1.request(head)
        tried: set[str] = set()
        while (address := self._behind.take(self._route, tried)) is not None:
            answered = False
            try:
                keeps = await self._ask(said, address)
                answered = True
            except _UnansweredError:
                self._behind.failed(address)
                tried.add(address)
                if not said.safe:
                    await self._say(http1.refusal(502, "whoever serves this broke off"))
                    return False
            except _UnreachedError:
                self._behind.failed(address)
                tried.add(address)
            else:
                return keeps
            finally:
                self._behind.free(address, answered=answered)
        await self._say(http1.refusal(502 if tried else 503, "nobody who serves this can be reached", retry=1))
        return False

    async def _head(self) -> bytes:
        """Of the next request; nothing when there is none."""
        reader = self._client.reader
        self.idle = True
        try:
            if self._stopping:
                return b""
            async with asyncio.timeout(self._limits.idle):
                first = await reader.readexactly(1)
        except _BROKEN:
            return b""
        finally:
            self.idle = False
        try:
            async with asyncio.timeout(self._limits.head):
                while first in {b"\r", b"\n"}:  # RFC 9112 2.2: empty lines before a request are passed over
                    first = await reader.readexactly(1)
                return first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise MessageError("the head is too long", 431) from None
        except TimeoutError:
            raise MessageError("the head did not come to its end", 408) from None

    async def _ask(self, said: Request, address: str) -> bool:
        """Whether another request may come; everything of this one has ended."""
        upstream, used = await self._reach(address, fresh=not said.safe)
        try:
            return await self._exchange(said, upstream)
        except _UnansweredError:
            self._leave()
            if not used:
                raise
        except BaseException:
            self._leave()
            raise
        # It was kept alive from the last request, and its end crossed with this one: said once more on a new one.
        upstream, _ = await self._reach(address, fresh=True)
        try:
            return await self._exchange(said, upstream)
        except BaseException:
            self._leave()
            raise

    async def _reach(self, address: str, *, fresh: bool) -> tuple[Upstream, bool]:
        held = self._upstream
        if held is not None and held.address == address and not fresh and not held.ends.reader.at_eof():
            return held, True
        self._leave()
        self._upstream = Upstream(address, await reached(address, self._limits))
        return self._upstream, False

    def _leave(self) -> None:
        if self._upstream is not None:
            self._upstream.ends.drop()
            self._upstream = None

    async def _exchange(self, said: Request, upstream: Upstream) -> bool:
        there = upstream.ends
        there.writer.write(http1.written_request(said, self._from))
        body = asyncio.create_task(self._send_body(said, there)) if said.ends is not Ends.NONE else None
        try:
            answer = await self._answer(said, there)
            if answer.ends is Ends.TUNNEL:
                await piped(self._client, there, self._limits.tunnel)
                return False
            # An answer may come before the request has ended: then nobody knows where the next one would begin.
            whole = body is None or body.done()
            keeps = said.keeps and answer.ends is not Ends.CLOSE and whole and not self._stopping
            self._client.writer.write(http1.written_response(answer, keeps=keeps))
            await self._carry_body(answer, there)
        except _UnansweredError:
            if body is not None and body.done() and not body.cancelled() and isinstance(body.exception(), _ClientError):
                raise _ClientError from None
            raise
        finally:
            if body is not None:
                body.cancel()
                with suppress(asyncio.CancelledError, MessageError, _ClientError, *_BROKEN):
                    await body
        if not answer.keeps or not whole or not self._behind.serves(self._route, upstream.address):
            self._leave()
        return keeps

    async def _answer(self, said: Request, there: Side) -> Response:
        """The head of the final one; those that only announce it are passed on."""
        while True:
            try:
                answer = http1.response(await self._answer_head(there), said.method)
            except MessageError as error:
                status = error.status if error.status > 500 else 502
                raise MessageError(f"whoever serves this cannot be understood: {error}", status) from error
            if answer.ends is Ends.TUNNEL:
                if not said.upgrade:
                    raise MessageError("whoever serves this changed the protocol unasked", 502)
                await self._say(http1.written_response(answer, keeps=False))
            elif answer.status < 200:
                if said.minor:
                    await self._say(http1.written_response(answer, keeps=True))
                continue
            return answer

    async def _answer_head(self, there: Side) -> bytes:
        try:
            async with asyncio.timeout(self._limits.answer):
                return await there.reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            raise MessageError("it did not answer in time", 504) from None
        except asyncio.LimitOverrunError:
            raise MessageError("its head is too long", 502) from None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise MessageError("it broke off", 502) from None
            raise _UnansweredError from None
        except OSError:
            raise _UnansweredError from None

    async def _send_body(self, said: Request, there: Side) -> None:
        try:
            await self._carry(said.ends, said.length, self._client, there, self._limits.stall)
        except (MessageError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            there.drop()  # half a request must not look like a whole one
            raise _ClientError from None
        except OSError:
            if self._client.reader.exception() is not None:
                there.drop()
                raise _ClientError from None
            raise  # the instance wants no more of it: what it answers is still to be read

    async def _carry_body(self, answer: Response, there: Side) -> None:
        try:
            await self._carry(answer.ends, answer.length, there, self._client, self._limits.answer)
            async with asyncio.timeout(self._limits.stall):
                await self._client.writer.drain()
        except (MessageError, *_BROKEN):
            raise _ClientError from None  # the head is out: breaking off is all that can still be said

    async def _carry(self, ends: Ends, length: int, source: Side, target: Side, patience: float) -> None:
        if ends is Ends.LENGTH:
            await self._pieces(length, source, target, patience)
        elif ends is Ends.CHUNKED:
            await self._chunks(source, target, patience)
        elif ends is Ends.CLOSE:
            while piece := await _read(source, PIECE, patience):
                await self._give(target, piece)

    async def _pieces(self, length: int, source: Side, target: Side, patience: float) -> None:
        while length:
            piece = await _read(source, min(length, PIECE), patience)
            if not piece:
                raise EOFError
            length -= len(piece)
            await self._give(target, piece)

    async def _chunks(self, source: Side, target: Side, patience: float) -> None:
        while True:
            async with asyncio.timeout(patience):
                size = http1.chunk_size(await source.reader.readuntil(b"\r\n"))
            if not size:
                break
            target.writer.write(b"%x\r\n" % size)
            await self._pieces(size, source, target, patience)
            async with asyncio.timeout(patience):
                if await source.reader.readexactly(2) != b"\r\n":
                    raise MessageError("a chunk does not end where it said")
            target.writer.write(b"\r\n")
        left = http1.MOST_HEAD
        while True:
            async with asyncio.timeout(patience):
                line = await source.reader.readuntil(b"\r\n")
            left -= len(line)
            if line == b"\r\n":
                break
            if left < 0:
                raise MessageError("the trailers are too long")
        await self._give(target, b"0\r\n\r\n")

    async def _give(self, target: Side, piece: bytes) -> None:
        target.writer.write(piece)
        async with asyncio.timeout(self._limits.stall):
            await target.writer.drain()

    async def _say(self, words: bytes) -> None:
        await self._give(self._client, words)

    # --- TCP -----------------------------------------------------------------------------------------------------------

    async def _tcp(self) -> None:
        tried: set[str] = set()
        while (address := self._behind.take(self._route, tried)) is not None:
            try:
                there = await reached(address, self._limits)
            except _UnreachedError:
                self._behind.failed(address)
                self._behind.free(address, answered=False)
                tried.add(address)
                continue
            try:
                await piped(self._client, there, self._limits.tunnel)
            finally:
                there.drop()
                self._behind.free(address)
            return


async def reached(address: str, limits: Limits) -> Side:
    """A new connection.

    Raises:
        _UnreachedError: when there is nobody.
    """
    host, port = split(address)
    try:
        async with asyncio.timeout(limits.connect):
            return Side(*await asyncio.open_connection(host, port, limit=PIECE))
    except (OSError, TimeoutError) as error:
        raise _UnreachedError from error


async def piped(one: Side, other: Side, patience: float) -> None:
    """Both directions, until both have ended, or nothing came for a time."""
    loop = asyncio.get_running_loop()
    last = loop.time()

    async def flow(source: Side, target: Side) -> None:
        nonlocal last
        while True:
            try:
                piece = await _read(source, PIECE, patience)
            except TimeoutError:
                if loop.time() - last < patience:
                    continue
                raise
            if not piece:
                break
            last = loop.time()
            target.writer.write(piece)
            async with asyncio.timeout(patience):
                await target.writer.drain()
        if target.writer.can_write_eof():
            target.writer.write_eof()

    flows = [asyncio.create_task(flow(one, other)), asyncio.create_task(flow(other, one))]
    done, left = await asyncio.wait(flows, return_when=asyncio.FIRST_EXCEPTION)
    for task in left:
        task.cancel()
    await asyncio.gather(*done, *left, return_exceptions=True)


async def _read(source: Side, most: int, patience: float) -> bytes:
    async with asyncio.timeout(patience):
        return await source.reader.read(most)
