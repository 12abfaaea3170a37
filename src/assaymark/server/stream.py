"""Server-sent events (WHATWG HTML, 9.2): an answer that goes on, bounded in time, in number and in what waits for a slow reader.

Guarantees: every event has an id from which a client that comes back goes on (``Last-Event-ID``); a stream ends by itself after `LIFETIME`
and is asked for again, and within `HEARTBEAT` after its caller lost his token, session or role. Some events may come twice; each says a
state and not a difference.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from assaymark.server.api.layer import error_of, problem
from assaymark.server.service import Service
from assaymark.server.watching import Listener, Told, Watcher
from assaymark.store.changes import Position

KIND = "text/event-stream"
HEARTBEAT = 20.0
LIFETIME = 600.0
RETRY_MS = 2000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Event(msgspec.Struct, frozen=True):
    """One event; its data is JSON."""

    name: str
    id: str
    data: object

    def encode(self) -> bytes:
        """As it goes over the line."""
        return f"event: {self.name}\nid: {self.id}\n".encode() + b"data: " + msgspec.json.encode(self.data) + b"\n\n"


class Script(msgspec.Struct, frozen=True):
    """What a stream says: made by an operation, played by `EventStream`."""

    listener: Listener
    begin: Callable[[Watcher, Position], AsyncIterator[Event]]
    """What is said first."""
    tell: Callable[[Told], Event | None]
    """What is said of a change; None for nothing new."""
    is_over: Callable[[], bool]
    """Whether the last event was said."""
    may_go_on: Callable[[], bool]
    """Asked in a thread, now and then."""


class EventStream(Response):
    """The answer."""

    def __init__(self, service: Service, watcher: Watcher, script: Script) -> None:
        super().__init__(None, 200, _HEADERS, KIND)
        self._service, self._watcher, self._script = service, watcher, script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = self._script.listener
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            position = await self._watcher.join(listener)
        except Exception as error:  # noqa: BLE001 - what is no answer is raised again there
            await problem(Request(scope), self._service, error_of(error))(scope, receive, send)
            return
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in self._said(position, gone):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._watcher.leave(listener)

    async def _said(self, position: Position, gone: asyncio.Future[None]) -> AsyncIterator[bytes]:
        script, ends = self._script, time.monotonic() + LIFETIME
        yield f"retry: {RETRY_MS}\n\n".encode()
        async for event in script.begin(self._watcher, position):
            yield event.encode()
        beats = time.monotonic() + HEARTBEAT
        while not script.is_over() and time.monotonic() < ends:
            found = await self._next(gone, min(beats, ends) - time.monotonic())
            if gone.done() or found is None:
                return
            if isinstance(found, Told):
                event_or_none = script.tell(found)
                if event_or_none is not None:
                    yield event_or_none.encode()
            if time.monotonic() >= beats:
                beats = time.monotonic() + HEARTBEAT
                if not await run_in_threadpool(script.may_go_on):
                    return
                yield b": here\n\n"

    async def _next(self, gone: asyncio.Future[None], seconds: float) -> Told | bool | None:
        """What he is told; False when nothing came in time, None when he reads too slowly."""
        waits: asyncio.Future[Told | None] = asyncio.ensure_future(self._script.listener.queue.get())
        either: set[asyncio.Future[Any]] = {waits, gone}
        try:
            await asyncio.wait(either, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            return waits.result() if waits.done() else False
        finally:
            waits.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
