"""Two teams, people in them, and things to talk about."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.server.people.conftest import World

from assaymark.model.access import Grant, Role, TeamId
from assaymark.server.service import Service
from assaymark.store import tables as t
from assaymark.store import teams


class House(World):
    """Teams blue and red; ana is a developer of blue, sec its security, val a viewer, rob a developer of red."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._numbers = itertools.count(1)
        with self.service.database.write() as link:
            made = [teams.add(link, slug, slug.title(), at=self.service.now()) for slug in ("blue", "red")]
        self.blue, self.red = (TeamId(each or 0) for each in made)
        self.people = {
            "ana": self.person("ana", Grant(Role.DEVELOPER, self.blue)),
            "sec": self.person("sec", Grant(Role.SECURITY, self.blue)),
            "val": self.person("val", Grant(Role.VIEWER, self.blue)),
            "aud": self.person("aud", Grant(Role.AUDITOR, self.blue)),
            "rob": self.person("rob", Grant(Role.DEVELOPER, self.red)),
            "top": self.person("top", Grant(Role.ADMIN)),
        }

    def write(self, table: Any, **values: Any) -> int:
        with self.service.database.write() as link:
            return int(link.execute(table.insert().returning(table.c.id), values).scalar_one())

    def subject(self, team: TeamId | None) -> int:
        name = f"subject-{next(self._numbers)}"
        return self.write(t.subject, kind="branch", key=name, name=name, team=team, created_at=self.service.now())

    def finding(self, *places: TeamId | None) -> int:
        """A weakness that stands in a subject of each of these teams."""
        now, name = self.service.now(), f"finding-{next(self._numbers)}"
        shared: dict[str, Any] = {"kind": "code", "layer": "application", "rule_class": "sql-injection", "rule": "r"}
        number = self.write(t.finding, **shared, fingerprint=name, title=name, core="[]", first_seen_at=now)
        for team in places:
            place = {"severity": 3, "confidence": 2, "path": "app.py", "message": name, "opened_at": now, "since": now, "checks": "code"}
            self.write(t.occurrence, **shared, **place, finding=number, subject=self.subject(team), team=team)
        return number


@pytest.fixture
def house(service: Service) -> House:
    return House(service)


def said(client: TestClient, on: str, number: int) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/comments", params={"on": on, "number": number})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
