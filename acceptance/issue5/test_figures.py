"""Figures over five years: every page and list under 300 ms of server time at p95 on SQLite and on PostgreSQL, and "as of" pages that give
the same bytes when they are asked again after much has happened.

A twentieth of 1,000,000 findings and 10,000 subjects with the same budgets, unless ``SCALE_FULL=1``: `benchmarks/bench_server_figures.py`.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import sqlalchemy as sa
from benchmarks import bench_server_figures as bench
from benchmarks.bench_server_lists import service_over
from benchmarks.generate_fleet import NOW, Plan, generate
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.store import figure_days, promises, repositories
from assaymark.store.promises import DAY, Said, Terms
from assaymark.store.tables import occurrence

FULL = os.environ.get("SCALE_FULL", "") not in ("", "0")
PLAN = Plan() if FULL else Plan(findings=50_000, subjects=500)
ROUNDS = 20 if FULL else 10


def test_every_figure_page_and_list_keeps_its_budget(fleet_url: str, tmp_path: Path) -> None:
    found = bench.figures(fleet_url, tmp_path / "server", PLAN, ROUNDS)
    bench.show(found)
    assert bench.misses(found) == []


def test_as_of_pages_are_the_same_to_the_byte_after_much_has_happened(fleet_url: str, tmp_path: Path) -> None:
    service = service_over(fleet_url, tmp_path / "server")
    try:
        generate(service.database, Plan(findings=5_000, subjects=200, assessments=5))
        addresses = _addresses(random.Random(3))
        before = _ask(service, addresses)
        _happen(service)
        assert _ask(service, addresses) == before
        bench.summed_up(service)
        assert _ask(service, addresses) == before
    finally:
        service.database.close()


def _addresses(chance: random.Random) -> list[str]:
    days = [bench.some_day(chance) for _ in range(6)]
    pages = [f"/posture?{day}&against=2021-07-01{more}" for day in days for more in ("", "&team=3", "&layer=platform", "&repository=7")]
    return [
        *pages,
        *(f"/api/v1/figures?{bench.some_instant(chance)}" for _ in range(6)),
        *(f"/posture/list?figure=open&{day}" for day in days),
    ]


def _ask(service: Service, addresses: list[str]) -> list[bytes]:
    def identify(_service: Service, _request: Request) -> Principal | None:
        return Principal(PersonId(1), "admin", (Grant(Role.ADMIN),))

    with TestClient(make_app(service, identify=identify), base_url=service.settings.url) as client:
        answers = [client.get(each) for each in addresses]
    assert {answer.status_code for answer in answers} == {200}
    # What trends show are days that were summed up: they appear with them, and are compared from then on.
    return [answer.content.partition(b"<h2>How it went")[0] for answer in answers]


def _happen(service: Service) -> None:
    """What may happen to a fleet: findings end, repositories change hands, other promises are made."""
    at = Instant(NOW + 5 * DAY)
    with service.database.write() as link:
        ending = (occurrence.c.closed_at.is_(None), occurrence.c.id % 3 == 0)
        link.execute(sa.update(occurrence).where(*ending).values(closed_at=at, closed_by=1))
        for number in range(1, 20):
            repositories.give_to(link, RepositoryId(number), None, at)
        promises.add(link, Said(at, None, Terms(critical=0, high=1, medium=2, low=3)))
        assert figure_days.last_day(link) is None
