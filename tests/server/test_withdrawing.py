"""What was approved ends by itself: with new knowledge, with the end of what let it through, and what a stricter policy puts in doubt."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.server.endorsed_samples import Sample, row, subject
from tests.server.test_revoking import withdrawn
from tests.server.test_server_advisories import Attempt, inventory, published, record_of, updated, work
from tests.server.test_server_advisories import service as service  # noqa: PLC0414 - with a clock that moves and a folder of advisories

from assaymark.endorsement.revocation import Target
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.decision import DecisionKind, Scope
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import deciding, revoking
from assaymark.server.work.revoking import Package
from assaymark.store import decisions, revocations
from assaymark.store import tables as t
from assaymark.store.decisions import Draft
from assaymark.store.revocations import Asked, Filter

HIGH = {"database_specific": {"severity": "HIGH"}}


def endorsed(service: Service, folder: Path) -> tuple[int, int]:
    """A subject that holds lantern 1.0; an endorsement of its head, and one of an earlier head with the same packages."""
    published(service, record_of(1, "torch-of-old", "2"))
    updated(service)
    inventory(service, folder, files={"requirements.txt": "lantern==1.0\n"})
    with service.database.write() as link:
        held = sa.select(t.package_set.c.digest).join(t.holding, t.holding.c.package_set == t.package_set.c.id)
        sets = tuple(link.execute(held.where(t.holding.c.subject == 1)).scalars())
        subject(link, "other")
        return row(service, link, Sample(packages=sets)), row(service, link, Sample(hex="b" * 40, packages=sets))


def news(service: Service) -> None:
    published(service, record_of(1, "torch-of-old", "2"), record_of(2, "lantern", "2", **HIGH))
    updated(service)
    work(service)


def test_new_knowledge_withdraws_the_head_and_what_holds_the_same_packages(service: Service, tmp_path: Path) -> None:
    both = endorsed(service, tmp_path / "tree")
    news(service)
    assert withdrawn(service) == set(both)
    with service.database.read() as link:
        (led,) = revocations.page(link, None, Filter(by_itself=True), before=None, limit=5)
        entries = revocations.entries(link)
    assert led.target == Asked.JUDGEMENT
    assert "2" in led.cause
    assert {each.target for each in entries} == {Target.ENDORSEMENT}
    assert len(entries) == 2
    news(service)
    with service.database.read() as link:
        assert len(revocations.entries(link)) == 2


def test_what_is_waived_when_it_becomes_known_is_withdrawn_only_when_that_ends(service: Service, tmp_path: Path) -> None:
    both = endorsed(service, tmp_path / "tree")
    published(service, record_of(1, "torch-of-old", "2"), record_of(3, "lantern", "0.9", **HIGH))
    updated(service)
    with service.database.write() as link:
        doing = deciding.Deciding(service, link)
        until = decisions.day_of(doing.at) + dt.timedelta(days=20)
        scope = Scope(advisory="GHSA-2", subject=SubjectId(1))
        made = doing.make(Draft(DecisionKind.WAIVE, scope, "not reached", "ana", until, decisions.By("ana"), None), By("ana"))
        second = doing.make(
            Draft(
                DecisionKind.WAIVE,
                Scope(advisory="CVE-2026-2", subject=SubjectId(1)),
                "not reached",
                "ana",
                until,
                decisions.By("ana"),
                None,
            ),
            By("ana"),
        )
        doing.finish()
    assert made is not None
    assert second is not None
    news(service)
    assert withdrawn(service) == set()
    deciding.judge_decided(service, {"subject": 1}, Attempt())
    assert withdrawn(service) == set()
    with service.database.write() as link:
        doing = deciding.Deciding(service, link)
        doing.withdraw(made, By("ana"), "it is reached")
        doing.withdraw(second, By("ana"), "it is reached")
        doing.finish()
    deciding.judge_decided(service, {"subject": 1}, Attempt())
    assert withdrawn(service) >= {both[0]}


@pytest.mark.parametrize(("versions", "hit"), [("", True), (">=1,<2", True), ("1.0", True), (">=1.1", False), ("<1.0", False)])
def test_a_package_by_its_name_is_turned_into_revocations_of_what_holds_it(
    service: Service, tmp_path: Path, versions: str, *, hit: bool
) -> None:
    both = endorsed(service, tmp_path / "tree")
    with service.database.write() as link:
        done = revoking.revoke_package(service, link, Package("pkg:pypi/lantern", versions), "it steals", by=By("ana"))
        again = revoking.revoke_package(service, link, Package("pkg:pypi/lantern", versions), "it steals", by=By("ana"))
    assert withdrawn(service) == (set(both) if hit else set())
    assert (done.fresh, again.fresh, again.withdrawn) == (True, False, 0)
    with service.database.write() as link:
        sets = tuple(link.execute(sa.select(t.package_set.c.digest)).scalars())
        later = row(service, link, Sample(hex="d" * 40, packages=sets))
        assert revoking.settle(service, link, later) is hit
    assert (later in withdrawn(service)) is hit


def test_what_is_over_is_left_alone(service: Service, tmp_path: Path) -> None:
    endorsed(service, tmp_path / "tree")
    with service.database.write() as link:
        link.execute(t.endorsement.update().values(expires_at=Instant(1)))
    news(service)
    assert withdrawn(service) == set()
