"""Issue 6, part 3: from a push to an endorsement that holds anywhere, by the whole server: nothing but a pass, jobs without a key, people,
evidence, the way from a component and from what runs back to it; and how long that takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.assess.conftest import Once, Origin
from tests.endorsing.conftest import WITH_LOCK, Endorsing
from tests.server.api.conftest import PEOPLE, identify

from assaymark.endorsement import bundle, dsse, revocation, statement, trust
from assaymark.endorsement.verify import Expected, verify
from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.server.app import make_app
from assaymark.server.service import open_service
from assaymark.server.settings import load
from assaymark.server.work.approval import approved
from assaymark.server.work.handlers import handler
from assaymark.server.work.trusting import trust_of
from assaymark.store import endorsements, tables
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate

API = "/api/v1"
JUNIT = b'<testsuite name="s"><testcase name="one"/></testsuite>'


@pytest.fixture
def shop(fleet_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endorsing]:
    from assaymark.jobs.open import prepare  # noqa: PLC0415

    monkeypatch.setenv("ASSAYMARK_CACHE", str(tmp_path / "cache"))
    database = Database(fleet_url)
    migrate(database)
    prepare(database)
    database.close()
    options = {"data": str(tmp_path / "data"), "database": fleet_url, "local_repositories": str(tmp_path / "git")}
    service = open_service(load({"HOME": str(tmp_path)}, **options))
    settings = msgspec.structs.replace(service.settings, rate=10_000_000, public_rate=10_000_000)
    made = Endorsing(msgspec.structs.replace(service, settings=settings), Origin(tmp_path / "git" / "shop"))
    yield made
    service.database.close()


@pytest.fixture
def client(shop: Endorsing) -> Iterator[TestClient]:
    for name, role in (("job", Role.DEVELOPER), ("approver", Role.SECURITY)):
        PEOPLE[name] = Principal(PersonId(4 if name == "job" else 5), name, (Grant(role),))
    with shop.service.database.write() as link:
        for number, login in ((1, "admin"), (2, "viewer"), (3, "developer"), (4, "job"), (5, "approver")):
            link.execute(tables.person.insert(), {"id": number, "login": login, "handle": login.encode(), "created_at": 1})
    with TestClient(make_app(shop.service, identify=identify), base_url="http://127.0.0.1:8750") as made:
        yield made


def call(client: TestClient, method: str, path: str, who: str, **more: Any) -> Any:
    return client.request(method, API + path, headers={"Authorization": f"Bearer {who}"}, **more)


def work(shop: Endorsing) -> None:
    for job in shop.jobs("endorse"):
        handler(job.kind)(shop.service, job.arguments, Once())
        with shop.service.database.write() as link:
            shop.service.queue.cancel(link, job.key)


def test_a_pass_is_endorsed_by_itself_and_is_verified_without_the_server(shop: Endorsing, client: TestClient) -> None:
    assert call(client, "PUT", "/endorsing-terms", "admin", json={"automatic": True, "days": 14}).status_code == 200
    digest = ""
    number = shop.push(shop.origin.commit("first", **WITH_LOCK))
    brought = call(client, "POST", "/evidence", "job", params={"digest": f"gitCommit:{shop.row(number).head}"}, content=JUNIT)
    assert brought.status_code == 201, brought.text
    assert shop.assess(number).state == "pass"
    begun = time.perf_counter()
    work(shop)
    took = time.perf_counter() - begun
    row = shop.endorsed(number)
    assert row is not None
    digest = f"gitCommit:{row.head}"
    found = call(client, "GET", f"/attestations/{digest}", "job").json()["attestations"]
    with shop.service.database.read() as link:
        trusted = trust.opened(trust_of(shop.service, link))
    data = msgspec.json.encode(found[0]["bundle"])
    now = shop.service.now()
    answer = verify(
        data, digest, Expected(levels=("ORG_SOURCE_QUALITY_APPROVED",)), trusted, revocation.opened(()), now=now, logged=lambda _: ""
    )
    assert answer.ok, answer.refused
    named = {each.digest["sha256"] for each in answer.approval.input_attestations} if answer.approval else set()
    assert brought.json()["digest"].partition(":")[2] in named
    with shop.service.database.read() as link:
        assert endorsements.holding_package(link, "npm/left-pad", "1.3.0", now) == [row.id]
        assert call(client, "GET", "/trace", "admin", params={"q": row.head}).json()["endorsements"][0]["digest"] == row.digest
        begun, asked = time.perf_counter(), 200
        for _ in range(asked):
            assert approved(shop.service, link, digest, Expected()).ok
        each = (time.perf_counter() - begun) / asked
    print(f"endorsing took {took * 1000:.0f} ms, asking whether it is approved {each * 1000:.2f} ms")
    assert took < 5
    assert each < 0.05


def test_nothing_but_a_pass_is_ever_signed(shop: Endorsing, client: TestClient) -> None:
    call(client, "PUT", "/endorsing-terms", "admin", json={"automatic": True})
    head = shop.row(shop.passes()).head
    work(shop)
    for state, content in (("fail", shop.bad), ("fail", shop.worse)):
        number = shop.push(shop.origin.commit(state, app=content), before=head)
        assert shop.assess(number).state == state
        work(shop)
        assert shop.endorse(number) is None
        assert call(client, "POST", "/endorsements", "job", json={"assessment": number}).status_code == 409
    request = shop.request(shop.origin.commit("change", app=shop.fine + b"\n"), base=head)
    shop.assess(request)
    work(shop)
    assert shop.endorse(request) is None
    unproven = shop.push("1" * 40)  # nobody has this commit
    assert shop.assess(unproven).state == "unproven"
    assert shop.endorse(unproven) is None
    with shop.service.database.read() as link:
        kept = link.execute(sa.select(tables.endorsement.c.bundle)).scalars().all()
    assert len(kept) == 1
    for blob in kept:
        said = statement.read(dsse.payload_of(bundle.read(shop.service.blobs.get(blob))))
        assert said.predicate["verificationResult"] == "PASSED"


def test_two_people_have_to_approve_where_that_is_said(shop: Endorsing, client: TestClient) -> None:
    call(client, "PUT", "/endorsing-terms", "admin", json={"people": 2})
    number = shop.passes()
    assert call(client, "POST", "/endorsements", "job", json={"assessment": number}).json()["state"] == "queued"
    work(shop)
    (request,) = call(client, "GET", "/endorsement-requests", "approver", params={"state": "waiting"}).json()["items"]
    assert call(client, "POST", f"/endorsement-requests/{request['id']}/approve", "job", json={}).status_code == 403
    assert call(client, "POST", f"/endorsement-requests/{request['id']}/approve", "approver", json={}).json()["state"] == "waiting"
    assert call(client, "POST", f"/endorsement-requests/{request['id']}/approve", "approver", json={}).status_code == 409
    work(shop)
    assert shop.endorsed(number) is None
    assert call(client, "POST", f"/endorsement-requests/{request['id']}/approve", "admin", json={}).json()["state"] == "approved"
    work(shop)
    row = shop.endorsed(number)
    assert row is not None
    assert row.approved_by == ("approver", "admin")


def test_what_runs_is_counted_by_whether_it_is_endorsed(shop: Endorsing, client: TestClient) -> None:
    first = shop.endorsed_one(shop.passes())
    for name, commit in (("production", first.head), ("staging", shop.origin.commit("other", app=shop.fine + b"\n"))):
        shop.accept(Trigger(TriggerKind.DEPLOYMENT, shop.remote, SubjectKind.ENVIRONMENT, ref=name, after=commit, actor="ada"))
    figures = call(client, "GET", "/figures", "admin").json()["figures"]
    assert figures["endorsed"] == {"running": 2, "endorsed": 1}
