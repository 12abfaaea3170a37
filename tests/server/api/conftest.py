"""An application in this process, with callers that a test names: ``Authorization: Bearer <login>``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.model.access import Grant, Permission, PersonId, Principal, Role, TeamId
from assaymark.server.api.route import Operation
from assaymark.server.app import make_app
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.store import tables

BLUE, RED = TeamId(1), TeamId(2)
PEOPLE = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),)),
    "viewer": Principal(PersonId(2), "viewer", (Grant(Role.VIEWER, BLUE),)),
    "developer": Principal(PersonId(3), "developer", (Grant(Role.DEVELOPER, RED),)),
    "robot": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),), frozenset({Permission.SUBJECTS_READ}), token=7),
}


def identify(_service: Service, request: Request) -> Principal | None:
    given = request.headers.get("authorization", "")
    if not given:
        return None
    try:
        return PEOPLE[given.removeprefix("Bearer ")]
    except KeyError:
        raise ApiError(401, "unauthenticated", "this token is not valid", headers={"WWW-Authenticate": "Bearer"}) from None


on_both = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
"""Tests whose outcome hangs on the database; the others run on SQLite only."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """SQLite, where nothing else was asked for."""
    return make_database(getattr(request, "param", "sqlite"))


class Made(Struct, frozen=True):
    app: Starlette
    client: TestClient
    service: Service


Make = Callable[..., Made]


@pytest.fixture
def make(service: Service) -> Iterator[Make]:
    """Make an application over the service; its settings can be changed by name."""
    clients: list[TestClient] = []

    def made(offered: list[Operation] | None = None, **changed: object) -> Made:
        settings = msgspec.structs.replace(service.settings, **({"rate": 10_000_000, "public_rate": 10_000_000} | changed))
        changed_service = msgspec.structs.replace(service, settings=settings)
        app = make_app(changed_service, identify=identify, offered=offered)
        client = TestClient(app, base_url="http://127.0.0.1:8750")
        client.__enter__()
        clients.append(client)
        return Made(app, client, changed_service)

    yield made
    for client in clients:
        client.__exit__(None, None, None)


def seeded(service: Service) -> Service:
    """With two teams and two people, and no limit that a machine meets."""
    with service.database.write() as connection:
        for number, slug in ((1, "blue"), (2, "red")):
            connection.execute(tables.team.insert(), {"id": number, "slug": slug, "name": slug, "created_at": 1})
        for number, login in ((1, "admin"), (2, "ana")):
            row = {"id": number, "login": login, "handle": login.encode(), "created_at": 1}
            connection.execute(tables.person.insert(), row)
            connection.execute(tables.membership.insert(), {"person": number, "role": "admin", "source": "local", "created_at": 1})
    settings = msgspec.structs.replace(service.settings, rate=10_000_000, public_rate=10_000_000)
    return msgspec.structs.replace(service, settings=settings)
