"""A server's application in this process, a clock that stands, and visitors with a browser each."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from assaymark.model.access import Grant, PersonId, Role
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.app import make_app
from assaymark.server.people import accounts, password
from assaymark.server.people.accounts import By
from assaymark.server.people.links import setup_link
from assaymark.server.service import Service
from assaymark.store.people import Draft

PASSWORD = "four words nobody says"


class World:
    """A server with people, at a moment that the test moves."""

    def __init__(self, service: Service) -> None:
        self.at = 1_800_000_000 * SECOND
        self.service = msgspec.structs.replace(service, now=lambda: Instant(self.at))
        self.app = make_app(self.service)

    def later(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)

    def person(self, login: str, *grants: Grant, secret: str = PASSWORD) -> PersonId:
        """An account with a password."""
        with self.service.database.write() as connection:
            draft = Draft(login, password=password.hash_of(secret))
            return accounts.make(connection, draft, grants, By("test"), at=self.service.now())

    def visitor(self, address: str = "192.0.2.1", **headers: str) -> TestClient:
        """A browser of its own."""
        base = self.service.settings.url
        return TestClient(self.app, base_url=base, headers=headers, client=(address, 1), follow_redirects=False)

    def signed_in(self, login: str, secret: str = PASSWORD) -> TestClient:
        visitor = self.visitor()
        answer = visitor.post("/api/v1/sessions", json={"login": login, "password": secret})
        assert answer.status_code == 201, answer.text
        return visitor

    def admin(self) -> TestClient:
        self.person("root", Grant(Role.ADMIN))
        return self.signed_in("root")

    def setup_secret(self) -> str:
        link = setup_link(self.service)
        assert link is not None
        return link.rpartition("/")[2]

    def trail(self, *columns: str) -> list[tuple[Any, ...]]:
        names = ", ".join(columns or ("action", "outcome"))
        with self.service.database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {names} FROM audit_event ORDER BY id")]


@pytest.fixture
def world(service: Service) -> World:
    return World(service)


def beside(name: str) -> Any:
    """A module that lies beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _device() -> Any:
    pytest.importorskip("webauthn", reason="NOT PROVED: the extra `passkeys` is not installed")
    return beside("authenticator").Authenticator("https://assay.example.org")


@pytest.fixture
def device() -> Any:
    return _device()


@pytest.fixture
def other_device() -> Any:
    return _device()


@pytest.fixture
def reaching(world: World) -> World:
    """The server, which may go to loopback."""
    settings = msgspec.structs.replace(world.service.settings, private_networks=("127.0.0.0/8",))
    return World(msgspec.structs.replace(world.service, settings=settings))


@pytest.fixture
def provider(reaching: World) -> Iterator[Any]:
    """An identity provider on loopback, at the server's own time."""
    made = beside("identity_provider").IdentityProvider(lambda: reaching.at)
    yield made
    made.close()


@pytest.fixture
def other_provider(reaching: World) -> Iterator[Any]:
    made = beside("identity_provider").IdentityProvider(lambda: reaching.at)
    yield made
    made.close()
