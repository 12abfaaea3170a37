"""Tells those who watch what became of assessments: one reader of the database per process, however many watch.

Guarantees: the database is asked once a second while anybody watches, and not at all otherwise; it is the only thing that server processes
and workers share, so that it does not matter which of them does the work or has the connection. Whoever reads too slowly is let go and
comes back with what he saw last. Does not keep anything: after a restart everybody comes back likewise.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
import structlog
from msgspec import Struct
from starlette.concurrency import run_in_threadpool

from assaymark.model.access import PersonId
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.server.problem import ApiError
from assaymark.store import changes
from assaymark.store.changes import Change, Position
from assaymark.store.database import Database
from assaymark.store.narrowing import Teams

EVERY_SECONDS = 1.0
MOST_LISTENERS = 300
MOST_OF_ONE = 12
_MOST_WAITING = 1000
_MOST_REMEMBERED = 4096
Answer = TypeVar("Answer")
_log = structlog.get_logger("assaymark.watching")


class Told(Struct, frozen=True):
    """A change, and the position that whoever got it has reached."""

    change: Change
    position: Position


class Listener:
    """One who watches: one assessment, or everything of some teams."""

    def __init__(self, person: PersonId, *, assessment: int | None = None, teams: Teams = None) -> None:
        self.person, self.assessment, self.teams = person, assessment, teams
        self.queue: asyncio.Queue[Told | None] = asyncio.Queue(_MOST_WAITING)

    def tell(self, told: Told) -> None:
        """Put it where he reads, or let him go when he does not."""
        if self.assessment is None and self.teams is not None and told.change.team not in self.teams:
            return
        try:
            self.queue.put_nowait(told)
        except asyncio.QueueFull:
            self.queue.get_nowait()
            self.queue.put_nowait(None)


class Watcher:
    """The one reader of a process; used from its event loop only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._position: Position | None = None
        """Up to where everything was told; None while nobody follows everything."""
        self._known: OrderedDict[tuple[int, str], None] = OrderedDict()

    async def join(self, listener: Listener) -> Position:
        """Begin to tell him; what happens from now on he is told.

        Raises:
            ApiError: 429 when too many watch already, he or all.
        """
        own = sum(each.person == listener.person for each in self._listeners)
        if len(self._listeners) >= MOST_LISTENERS or own >= MOST_OF_ONE:
            raise ApiError(
                429, "too-many-streams", "too many streams of events are open", detail=f"{MOST_OF_ONE} for one person are let",
                advice="close one, or ask for the state now and then", headers={"Retry-After": "30"},
            )  # fmt: skip
        self._listeners.add(listener)
        try:
            position = await self._begin() if self._position is None and listener.assessment is None else self._position
        except BaseException:
            self.leave(listener)
            raise
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return position or Position(0, Instant(0))

    def leave(self, listener: Listener) -> None:
        """No longer tell him; the reader ends after the last one, by itself: what is cut off in a thread leaves a connection behind."""
        self._listeners.discard(listener)
        if not any(each.assessment is None for each in self._listeners):
            self._position = None

    async def read(self, question: Callable[[sa.Connection], Answer]) -> Answer:
        """One question, in a thread."""

        def ask() -> Answer:
            with self._database.read() as connection:
                return question(connection)

        return await run_in_threadpool(ask)

    async def _run(self) -> None:
        while self._listeners:
            try:
                await self._look()
            except sa.exc.SQLAlchemyError as error:  # the database is away: so are the news
                _log.warning("unread", outcome="failed", error=type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    async def _begin(self) -> Position:
        """What is there already is no news."""
        position = await self.read(changes.now)
        for change in await self.read(lambda connection: _fresh(connection, position)):
            self._is_news(change)
        self._position = position
        return position

    async def _look(self) -> None:
        watched = {each.assessment for each in self._listeners if each.assessment is not None}
        position = self._position
        if watched:
            found = {change.assessment: change for change in await self.read(lambda connection: changes.of(connection, watched))}
            for listener in [each for each in self._listeners if each.assessment in found]:
                listener.tell(Told(found[AssessmentId(listener.assessment or 0)], position or Position(0, Instant(0))))
        if position is not None:
            for change in await self.read(lambda connection: _fresh(connection, position)):
                self._spread(change)

    def _spread(self, change: Change) -> None:
        if self._position is None or not self._is_news(change):
            return
        self._position = self._position.after(change)
        for listener in [each for each in self._listeners if each.assessment is None]:
            listener.tell(Told(change, self._position))

    def _is_news(self, change: Change) -> bool:
        key = (change.assessment, change.state)
        if key in self._known:
            return False
        self._known[key] = None
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return True


def _fresh(connection: sa.Connection, position: Position) -> list[Change]:
    """What may be news since, as it happened."""
    found = [*changes.begun(connection, position), *changes.running(connection), *changes.ended(connection, position)]
    return sorted(found, key=lambda change: (change.at, change.assessment))
