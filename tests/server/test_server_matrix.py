"""Every operation of the API is called as everybody: each role in the thing's team, in another and everywhere, nobody, somebody without a
role, and tokens with and without the scope. What each may is computed from `model.access` and the entries beside this file.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from sqlalchemy import event
from starlette.testclient import TestClient
from tests.server.matrix_entries import ENTRIES, MARK, Access, Asked, Entry, Stage

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server import stream
from assaymark.server.api.route import Operation
from assaymark.server.app import make_app, operations
from assaymark.server.people import credential
from assaymark.server.people.identify import _within
from assaymark.server.service import Service
from assaymark.store import people, sessions, teams, tokens
from assaymark.store.people import Draft
from assaymark.store.sessions import SessionRow
from assaymark.store.tokens import TokenRow

OPERATIONS = {each.id: each for each in operations()}
DAY = 86400 * SECOND
LONG = "ASSAYMARK_FUZZ" in os.environ
"""Everybody on both databases."""

ALIKE = {Access.PUBLIC, Access.KNOWN, Access.SESSION, Access.ACCOUNTS}
FEW = {
    "nobody",
    "without-a-role",
    "viewer@own",
    "security@all",
    "admin@own",
    "admin@all",
    "token",
    "token-without-the-scope",
    "token-of-own",
}
"""What is not asked of a role in a team is tried by these alone."""
NARROWED = FEW | {"admin@other", "developer@own", "token-of-other", "token-of-a-viewer"}
"""Who calls on PostgreSQL in the short run: who may what is decided above the database, which only narrows to teams."""


class Actor(Struct, frozen=True):
    """Somebody who calls."""

    name: str
    grants: tuple[Grant, ...] = ()
    way: str = "session"
    """Or ``token``, or ``nobody``."""
    lacks: bool = False
    """A token without the scope that the operation asks for."""
    team: TeamId | None = None
    """Of a token."""

    def scopes(self, operation: Operation) -> frozenset[Permission] | None:
        if self.way != "token":
            return None
        asked = operation.permission or Permission.PEOPLE_WRITE
        return frozenset(Permission) - ({asked} if self.lacks else set())

    def principal(self, operation: Operation) -> Principal:
        """Who he is once he is known."""
        return Principal(PersonId(0), self.name, _within(self.grants, self.team), self.scopes(operation))


def actors(own: TeamId, other: TeamId) -> list[Actor]:
    places = {"own": own, "other": other, "all": None}
    made = [Actor(f"{role}@{name}", (Grant(role, team),)) for role in Role for name, team in places.items()]
    admin = (Grant(Role.ADMIN),)
    return [
        *made,
        Actor("nobody", way="nobody"),
        Actor("without-a-role"),
        Actor("token", admin, "token"),
        Actor("token-without-the-scope", admin, "token", lacks=True),
        Actor("token-of-own", admin, "token", team=own),
        Actor("token-of-other", admin, "token", team=other),
        Actor("token-of-a-viewer", (Grant(Role.VIEWER, own),), "token"),
    ]


class Hall:
    """The server with its actors."""

    def __init__(self, service: Service) -> None:
        if service.database.is_sqlite:  # thousands of transactions, and nothing here is to outlive the machine
            service.database.engine.dispose()
            event.listen(service.database.engine, "connect", lambda link, _: link.execute("PRAGMA synchronous = OFF"))
        settings = msgspec.structs.replace(service.settings, rate=10_000_000, public_rate=10_000_000)
        self.service = msgspec.structs.replace(service, settings=settings, now=lambda: Instant(1_800_000_000 * SECOND))
        self.client = TestClient(make_app(self.service), base_url=settings.url, follow_redirects=False)
        with self.service.database.write() as connection:
            made = [teams.add(connection, slug, slug, at=self.service.now()) for slug in ("own", "other")]
            own, other = (TeamId(each or 0) for each in made)
            self.actors = actors(own, other)
            self.people = {actor.name: self.person(connection, actor) for actor in self.actors}
        self.stage = Stage(self.service, own, other)

    def person(self, connection: Any, actor: Actor) -> PersonId:
        made = people.add(connection, Draft(actor.name.replace("@", "-at-")), at=self.service.now())
        assert made is not None
        for grant in actor.grants:
            teams.give(connection, made, grant, source="local", at=self.service.now())
        return made

    def headers(self, actor: Actor, operation: Operation) -> dict[str, str]:
        """A credential that was made for this very call."""
        if actor.way == "nobody":
            return {}
        now, person = self.service.now(), self.people[actor.name]
        with self.service.database.write() as connection:
            if actor.way == "session":
                secret = credential.new_secret()
                row = SessionRow(0, person, "password", "", "", now, now, Instant(now + DAY), None)
                sessions.start(connection, credential.hashed(secret), row)
                return {"cookie": f"assay_session={secret}"}
            text = credential.new_token()
            scopes = actor.scopes(operation) or frozenset()
            tokens.add(
                connection, credential.hashed(text), TokenRow(0, person, "t", "", scopes, actor.team, now, Instant(now + DAY), None, None)
            )
        return {"authorization": f"Bearer {text}"}

    def call(self, actor: Actor, operation: Operation, asked: Asked) -> Any:
        self.client.cookies.clear()
        path = operation.template.format(**asked.path)
        headers = {"origin": self.service.settings.url, **self.headers(actor, operation)}
        return self.client.request(operation.method, f"/api/v1{path}", params=dict(asked.query), json=asked.body, headers=headers)


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client in this process waits for the end of an answer."""
    monkeypatch.setattr(stream, "LIFETIME", 0.01)


@pytest.fixture
def hall(service: Service) -> Hall:
    return Hall(service)


def may(entry: Entry, operation: Operation, actor: Actor, own: TeamId) -> bool:
    """Whether the operation does what it does for this actor."""
    who = actor.principal(operation)
    permission = operation.permission
    match entry.access:
        case Access.PUBLIC:
            return True
        case Access.KNOWN:
            return actor.way != "nobody"
        case Access.SESSION:
            return actor.way == "session"
        case Access.ACCOUNTS:
            return actor.way != "nobody" and who.may(Permission.PEOPLE_WRITE, None)
    assert permission is not None, f"{operation.id} has no permission, so its entry cannot be {entry.access}"
    if entry.access in {Access.SOMEWHERE, Access.LISTED}:
        return who.may_somewhere(permission)
    return who.may(permission, own if entry.access is Access.TEAM else None)


def wrong_with(hall: Hall, operation: Operation, entry: Entry, actor: Actor) -> str:
    """What is not as it should be when this actor calls; empty when all is."""
    allowed = may(entry, operation, actor, hall.stage.own)
    answer = hall.call(actor, operation, entry.how(hall.stage))
    kind = answer.json().get("type", "").rpartition("/")[2] if answer.status_code >= 400 else ""
    if allowed:
        if kind in {"unauthenticated", "forbidden"} or answer.status_code not in (entry.ok or (operation.status,)):
            return f"{actor.name} may, and is answered {answer.status_code} {answer.text[:200]}"
        if entry.access is Access.LISTED and operation.permission is not None:
            sees = actor.principal(operation).may(operation.permission, hall.stage.own)
            if (MARK in answer.text) != sees:
                return f"{actor.name} {'does not see' if sees else 'sees'} what is of the team"
        return ""
    if actor.way == "nobody":
        return "" if (answer.status_code, kind) == (401, "unauthenticated") else f"nobody is answered {answer.status_code}"
    return "" if answer.status_code in {403, 404} else f"{actor.name} may not, and is answered {answer.status_code} {answer.text[:200]}"


def test_every_operation_does_what_it_does_for_those_who_may_and_for_nobody_else(hall: Hall) -> None:
    wrong: list[str] = []
    everybody = {each.name for each in hall.actors} if LONG or hall.service.database.is_sqlite else NARROWED
    for name, operation in OPERATIONS.items():
        if name in ENTRIES:
            entry = ENTRIES[name]
            meant = FEW if entry.access in ALIKE else everybody
            asked = [each for each in hall.actors if each.name in meant]
            wrong += [f"{name}: {said}" for actor in asked if (said := wrong_with(hall, operation, entry, actor))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_classified(name: str) -> None:
    assert name in ENTRIES, (
        f"the operation {name} has no entry: say in tests/server/matrix_entries.py, ENTRIES[{name!r}], who may call it (Access), "
        "and how it is called on something of team `own` so that it works for whoever may"
    )


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name in ENTRIES])
def test_what_an_operation_says_of_itself_fits_its_entry(name: str) -> None:
    operation, access = OPERATIONS[name], ENTRIES[name].access
    assert operation.public == (access is Access.PUBLIC)
    without_permission = {Access.PUBLIC, Access.KNOWN, Access.SESSION, Access.ACCOUNTS}
    assert (operation.permission is None) == (access in without_permission)


def test_nobody_does_anything_but_what_is_public(hall: Hall) -> None:
    """Without entries: whatever is added, a stranger is refused before anything is read."""
    for operation in OPERATIONS.values():
        if not operation.public:
            path = operation.template.format(**dict.fromkeys(operation.in_path, "1"))
            answer = hall.client.request(operation.method, f"/api/v1{path}", headers={"origin": hall.service.settings.url})
            assert answer.status_code == 401, operation.id


@pytest.mark.parametrize("role", Role)
def test_a_role_holds_what_it_is_documented_to(role: Role) -> None:
    """Roles grow: whoever may more in a team may all that the one below may."""
    ladder = [Role.VIEWER, Role.DEVELOPER, Role.MAINTAINER, Role.SECURITY, Role.ADMIN]
    if role in ladder:
        below = ladder[: ladder.index(role)]
        assert all(GRANTS[each] < GRANTS[role] for each in below)
    else:
        changing = {each for each in GRANTS[role] if not each.endswith(":read")}
        assert changing == set()
