"""Streams of events: over sockets of this process's own event loop, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request

from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import Instant
from assaymark.server import stream, watching
from assaymark.server.api import events
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.store import changes, progress, tables
from assaymark.store.changes import Position
from assaymark.store.progress import Progress

from .conftest import on_both, seeded

BLUE, RED = TeamId(1), TeamId(2)
WHO: dict[str, Principal | None] = {}


def identify(_service: Service, request: Request) -> Principal | None:
    return WHO.get(request.headers.get("x-caller", ""))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.02)
    WHO.clear()
    WHO["admin"] = Principal(PersonId(1), "admin", (Grant(Role.ADMIN),))
    WHO["blue"] = Principal(PersonId(2), "blue", (Grant(Role.VIEWER, BLUE),))


class World(Struct, frozen=True):
    service: Service
    app: Starlette

    def assessment(self, team: TeamId | None = BLUE, state: str = "queued", at: int = 1000) -> int:
        with self.service.database.write() as connection:
            row = {"kind": "branch", "key": f"k{at}{team}{state}", "name": "harbour", "team": team, "created_at": 1}
            subject = connection.execute(tables.subject.insert().returning(tables.subject.c.id), row).scalar_one()
            made = {"subject": subject, "team": team, "state": "queued", "trigger": "push", "queued_at": at}
            number = connection.execute(tables.assessment.insert().returning(tables.assessment.c.id), made).scalar_one()
        if state != "queued":
            self.becomes(number, state, at)
        return int(number)

    def becomes(self, number: int, state: str, at: int) -> None:
        column = "started_at" if state == "running" else "finished_at"
        with self.service.database.write() as connection:
            table = tables.assessment
            connection.execute(table.update().where(table.c.id == number).values(state=state, **{column: at}))

    def advances(self, number: int, done: int, at: int) -> None:
        with self.service.database.write() as connection:
            progress.write(connection, number, Progress("checking", done, 10, Instant(at)))  # type: ignore[arg-type]


@pytest.fixture
def world(service: Service) -> World:
    made = seeded(service)
    return World(made, make_app(made, identify=identify))


class Stream:
    """One client: what it was sent, as events."""

    def __init__(self) -> None:
        self.status, self.text, self.is_over = 0, "", False
        self.headers: dict[str, str] = {}
        self.goes = asyncio.Event()
        self._news = asyncio.Event()

    async def receive(self) -> Any:
        if not self.goes.is_set() and not getattr(self, "_asked", False):
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.goes.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.is_over = not message.get("more_body", False)
        self._news.set()

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
            if "event" in lines:
                found.append((lines["event"], lines["id"], json.loads(lines["data"])))
        return found

    async def until(self, is_so: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not is_so():
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(wait(), 20)

    def states(self) -> list[tuple[int, str]]:
        return [(data["assessment"], data["state"]) for name, _, data in self.events if name == "state"]


@asynccontextmanager
async def opened(app: Starlette, path: str, caller: str = "admin", **headers: str) -> AsyncIterator[Stream]:
    """A connection that is closed by the client when the block ends."""
    made = Stream()
    given = {"host": "127.0.0.1", "x-caller": caller} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http", "method": "GET", "path": f"/api/v1{path}", "raw_path": f"/api/v1{path}".encode(), "query_string": b"",
        "scheme": "http", "headers": [(name.encode(), value.encode()) for name, value in given.items()], "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 80), "http_version": "1.1", "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    task = asyncio.create_task(app(scope, made.receive, made.send))
    try:
        await made.until(lambda: made.status != 0)
        yield made
    finally:
        made.goes.set()
        await asyncio.wait_for(task, 20)
        watcher = app.state.watcher
        if not watcher._listeners and watcher._task is not None:
            await asyncio.wait_for(watcher._task, 20)  # it ends with the last one who watches


@on_both
def test_one_assessment_is_told_until_it_has_ended(world: World) -> None:
    number = world.assessment()

    async def watch() -> None:
        async with opened(world.app, f"/assessments/{number}/events") as client:
            await client.until(lambda: len(client.events) == 1)
            world.becomes(number, "running", 2000)
            await client.until(lambda: len(client.events) == 2)
            world.advances(number, 3, 2500)
            await client.until(lambda: len(client.events) == 3)
            world.becomes(number, "fail", 3000)
            await client.until(lambda: client.is_over)
            assert [(name, data["state"], data["done"]) for name, _, data in client.events] == [
                ("state", "queued", 0),
                ("state", "running", 0),
                ("progress", "running", 3),
                ("state", "fail", 3),
            ]
            assert client.headers["content-type"].startswith("text/event-stream")
            assert client.headers["cache-control"] == "no-store"
            assert "content-length" not in client.headers
            last = client.events[-1][1]
        async with opened(world.app, f"/assessments/{number}/events") as again:
            await again.until(lambda: again.is_over)
            assert again.states() == [(number, "fail")]
        async with opened(world.app, f"/assessments/{number}/events", last_event_id=last) as done:
            assert done.status == 204
        assert not world.app.state.watcher._listeners
        assert world.app.state.watcher._task.done()

    asyncio.run(watch())


@pytest.mark.parametrize(("caller", "team", "status"), [("", BLUE, 401), ("blue", RED, 404), ("blue", None, 404), ("blue", BLUE, 200)])
def test_who_may_not_see_an_assessment_cannot_watch_it(world: World, caller: str, team: TeamId | None, status: int) -> None:
    number = world.assessment(team)

    async def watch() -> None:
        async with opened(world.app, f"/assessments/{number}/events", caller) as client:
            assert client.status == status

    asyncio.run(watch())


@on_both
def test_everything_is_told_to_whoever_may_see_it_and_over_processes(world: World) -> None:
    old = world.assessment(state="fail", at=500)

    async def watch() -> None:
        other = make_app(world.service, identify=identify)  # another server process on the same database
        async with opened(world.app, "/events") as all_, opened(other, "/events", "blue") as blue:
            await all_.until(lambda: len(all_.events) == 1)
            await blue.until(lambda: len(blue.events) == 1)
            first, second = world.assessment(BLUE, at=1000), world.assessment(RED, at=1001)
            await all_.until(lambda: len(all_.states()) == 2)
            await blue.until(lambda: len(blue.states()) == 1)
            world.becomes(first, "running", 2000)
            await all_.until(lambda: len(all_.states()) == 3)
            await blue.until(lambda: len(blue.states()) == 2)
            world.becomes(second, "pass", 3000)
            world.becomes(first, "fail", 3001)
            await all_.until(lambda: len(all_.states()) == 5)
            await blue.until(lambda: len(blue.states()) == 3)
            assert sorted(all_.states()[:2]) == [(first, "queued"), (second, "queued")]
            assert all_.states()[2:] == [(first, "running"), (second, "pass"), (first, "fail")]
            assert blue.states() == [(first, "queued"), (first, "running"), (first, "fail")]
            assert all_.events[0][0] == "ready"
            assert old not in {number for number, _ in all_.states()}

    asyncio.run(watch())


def test_whoever_comes_back_is_told_what_he_missed(world: World) -> None:
    before = world.assessment(at=1000)

    async def watch() -> None:
        async with opened(world.app, "/events") as client:
            await client.until(lambda: len(client.events) == 1)
            seen = client.events[0][1]
        world.becomes(before, "pass", 2000)
        missed, hidden = world.assessment(BLUE, at=2500), world.assessment(RED, at=2600)
        async with opened(world.app, "/events", "blue", last_event_id=seen) as back:
            await back.until(lambda: "ready" in [name for name, _, _ in back.events])
            assert back.states() == [(before, "pass"), (missed, "queued")]
            assert hidden not in {number for number, _ in back.states()}
        async with opened(world.app, "/events", last_event_id="'; drop table") as stranger:
            await stranger.until(lambda: len(stranger.events) == 1)
            assert stranger.events[0][0] == "ready"

    asyncio.run(watch())


def test_too_much_missed_is_a_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 2)
    for at in range(1000, 1004):
        world.assessment(at=at)

    async def watch() -> None:
        async with opened(world.app, "/events", last_event_id="0.0") as client:
            await client.until(lambda: "ready" in [name for name, _, _ in client.events])
            assert [name for name, _, _ in client.events] == ["state", "state", "gap", "ready"]

    asyncio.run(watch())


def test_a_stream_ends_by_itself_and_when_the_caller_may_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)

    async def watch() -> None:
        async with opened(world.app, "/events", "blue") as client:
            await client.until(lambda: ": here" in client.text)
            WHO["blue"] = None
            await client.until(lambda: client.is_over)
        WHO["blue"] = Principal(PersonId(2), "blue", (Grant(Role.VIEWER, BLUE),))
        async with opened(world.app, "/events", "blue") as moved:
            await moved.until(lambda: bool(moved.events))
            WHO["blue"] = Principal(PersonId(2), "blue", (Grant(Role.VIEWER, RED),))
            await moved.until(lambda: moved.is_over)
        monkeypatch.setattr(stream, "LIFETIME", 0.05)
        async with opened(world.app, "/events") as short:
            await short.until(lambda: short.is_over)

    asyncio.run(watch())


def test_streams_are_bounded_for_one_and_for_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_OF_ONE", 1)

    async def watch() -> None:
        async with opened(world.app, "/events") as first:
            async with opened(world.app, "/events") as second:
                assert (second.status, second.headers["retry-after"]) == (429, "30")
                assert json.loads(second.text)["type"].endswith("/too-many-streams")
            async with opened(world.app, "/events", "blue") as other:
                assert other.status == 200
            assert first.status == 200
        async with opened(world.app, "/events") as again:
            assert again.status == 200

    asyncio.run(watch())


def test_a_slow_reader_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_MOST_WAITING", 3)
    listener = watching.Listener(PersonId(1))
    change = changes.Change(1, 1, None, "queued", Instant(1), "", 0, 0)  # type: ignore[arg-type]
    for _ in range(4):
        listener.tell(watching.Told(change, Position(1, Instant(1))))
    assert [listener.queue.get_nowait() for _ in range(3)][-1] is None


def test_the_database_is_asked_only_while_somebody_watches(world: World) -> None:
    asked = []
    read = world.app.state.watcher.read

    async def counted(question: Any) -> Any:
        asked.append(1)
        return await read(question)

    world.app.state.watcher.read = counted

    async def watch() -> None:
        async with opened(world.app, "/events") as one, opened(world.app, "/events", "blue") as two:
            await one.until(lambda: bool(one.events))
            await two.until(lambda: bool(two.events))
            asked.clear()
            await asyncio.sleep(0.3)
            assert 0 < len(asked) <= 16  # one look a turn, not one per listener
        asked.clear()
        await asyncio.sleep(0.2)
        assert asked == []

    asyncio.run(watch())


def test_head_tells_the_kind_and_opens_nothing(world: World) -> None:
    from starlette.testclient import TestClient  # noqa: PLC0415

    with TestClient(world.app, base_url="http://127.0.0.1") as client:
        answer = client.head("/api/v1/events", headers={"x-caller": "admin"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events._position("1.2") == Position(1, Instant(2))
