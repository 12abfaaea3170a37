"""A service in which teams hold packages and endorsements vouch for some of them, made without judging anything."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[2]))

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.endorsement.components import DAY
from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import sha256
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.server.work import advisories
from assaymark.server.work.approved_index import index_approved
from assaymark.server.work.signers import signer_of
from assaymark.store import components, endorsements, setting_rows
from assaymark.store import tables as t
from assaymark.store.components import set_digest
from assaymark.store.endorsements import EndorsementId, Index, New

BLUE, RED = TeamId(1), TeamId(2)
PEOPLE = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),)),
    "ana": Principal(PersonId(2), "ana", (Grant(Role.DEVELOPER, BLUE),)),
    "bo": Principal(PersonId(3), "bo", (Grant(Role.DEVELOPER, BLUE),)),
    "red": Principal(PersonId(4), "red", (Grant(Role.VIEWER, RED),)),
}


class Once:
    number, is_last = 1, True

    def should_stop(self) -> bool:
        return False


def packages(*names: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> PackageSet:
    """Of ``name==version``."""
    pairs = sorted(each.split("==") for each in names)
    return PackageSet(tuple(Package(name, version, ecosystem) for name, version in pairs))


class Place:
    """The service, and what happens in it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._number = itertools.count(1)
        with service.database.write() as link:
            for number, slug in ((BLUE, "blue"), (RED, "red")):
                link.execute(t.team.insert(), {"id": number, "slug": slug, "name": slug, "created_at": 1})
            for who in PEOPLE.values():
                row = {"id": who.person, "login": who.login, "handle": who.login.encode(), "created_at": 1}
                link.execute(t.person.insert(), row)
            self.key = signer_of(service, link).public.id

    @property
    def now(self) -> Instant:
        return self.service.now()

    def subject(self, team: TeamId | None = BLUE, kind: str = "branch", name: str = "") -> SubjectId:
        name = name or f"shop{next(self._number)}"
        with self.service.database.write() as link:
            row = {"kind": kind, "key": name, "name": name, "team": team, "created_at": 1}
            return SubjectId(int(link.execute(t.subject.insert().returning(t.subject.c.id), row).scalar_one()))

    def hold(self, subject: SubjectId, sets: PackageSet, team: TeamId | None = BLUE, at: Instant | None = None) -> None:
        with self.service.database.write() as link:
            components.hold(link, subject, team, {"requirements.txt": (sha256(b"x"), sets)}, at or self.now)
            components.keep(self.service.blobs, sets)

    def endorse(self, subject: SubjectId, sets: PackageSet | None, days: tuple[float, float] = (-1, 30), **more: Any) -> EndorsementId:
        """From one day to another, seen from today."""
        number, now = next(self._number), self.now
        begins, ends = (Instant(int(now + each * DAY)) for each in days)
        with self.service.database.write() as link:
            if sets is not None:
                components.add(link, [sets], now)
            made = {"subject": subject, "trigger": "push", "queued_at": now, "state": "pass", "head": f"{number:040x}"}
            assessment = link.execute(t.assessment.insert().returning(t.assessment.c.id), made).scalar_one()
            new = New(
                digest=sha256(str(number).encode()), bundle=sha256(b"none"), assessment=assessment, subject=subject,
                team=more.get("team", BLUE), kind=more.get("kind", "branch"), head=more.get("head", f"{number:040x}"), resource="git+https://git.example/shop",
                verifier="https://assay.example/verifier/1", engine="assaymark@0", rules="sha256:r", policy="sha256:p", advisories="",
                verdict="", levels=(), environments=(), approved_by=(), verified_at=begins, expires_at=ends, made_at=now,
            )  # fmt: skip
            held = () if sets is None else (set_digest(sets),)
            found = endorsements.add(link, new, Index((f"gitCommit:{number:040x}",), (more.get("key", self.key),), held))
        assert found is not None
        index_approved(self.service, {}, Once())
        return found

    def withdraw(self, endorsement: int, at: Instant | None = None) -> None:
        with self.service.database.write() as link:
            row = {"target": "endorsement", "name": f"e{endorsement}", "reason": "bad", "at": at or self.now, "actor": "test"}
            number = link.execute(t.revocation.insert().returning(t.revocation.c.id), row).scalar_one()
            link.execute(t.endorsement_withdrawal.insert(), {"endorsement": endorsement, "revocation": number, "at": at or self.now})

    def advise(self, name: str, fixed: str, score: str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H") -> None:
        """An advisory about a package of PyPI below a version."""
        folder = self.service.settings.data / "offline"
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2026-7"], "modified": "2026-05-01T00:00:00Z", "summary": "bad",
            "severity": [{"type": "CVSS_V3", "score": score}],
            "affected": [{"package": {"ecosystem": "PyPI", "name": name},
                          "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}],
        }  # fmt: skip
        (folder / "one.json").write_text(json.dumps(record))
        with self.service.database.write() as link:
            setting_rows.put(link, advisories.SOURCES, advisories.Sources(origin=advisories.FOLDER), Instant(1))
        advisories.update_advisories(self.service, {}, Once())


@pytest.fixture
def place(service: Service) -> Place:
    return Place(service)


Client = Callable[..., Any]


@pytest.fixture
def ask(place: Place) -> Iterator[Client]:
    """``ask("ana", "GET", "/approved")``: the answer's body, when its status is as expected."""
    settings = msgspec.structs.replace(place.service.settings, rate=10_000_000, public_rate=10_000_000)

    def identify(_service: Service, request: Request) -> Principal | None:
        return PEOPLE.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    app = make_app(msgspec.structs.replace(place.service, settings=settings), identify=identify)
    with TestClient(app, base_url="http://127.0.0.1:8750", follow_redirects=False) as client:

        def asked(who: str, method: str, path: str, status: int = 200, **more: Any) -> Any:
            prefix = "" if more.pop("page", False) else "/api/v1"
            answer = client.request(method, prefix + path, headers={"Authorization": f"Bearer {who}"}, **more)
            assert answer.status_code == status, answer.text
            return answer.text if not prefix else answer.json() if answer.content else None

        yield asked
