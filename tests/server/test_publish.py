from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.service import Service
from assaymark.server.work.publish import publish
from assaymark.store import subscriptions
from assaymark.store.subscriptions import Wants
from assaymark.store.tables import channel_message, happening, repository, subject, subscription, team


def subscribe(service: Service, *, whose: int | None = None, wants: Wants | None = None, state: str = "active") -> int:
    with service.database.write() as link:
        row = {"kind": "webhook", "name": f"s{subscriptions.count(link)}", "team": whose, "host": "hooks.example", "state": state}
        row |= {"wants": msgspec.json.encode(wants or Wants()).decode(), "created_at": 0}
        return subscriptions.create(link, row)


def _teams(service: Service) -> None:
    with service.database.write() as link:
        for number, slug in ((1, "shop"), (2, "bank")):
            link.execute(team.insert(), {"id": number, "slug": slug, "name": slug, "created_at": 0})
        link.execute(repository.insert(), {"id": 1, "name": "shop/cart", "clone_url": "https://x/y", "created_at": 0})
        row = {"id": 1, "kind": "branch", "key": "1:refs/heads/main", "name": "shop/cart@main", "repository": 1, "created_at": 0}
        link.execute(subject.insert(), row)


def _happening(**more: object) -> Happening:
    values: dict[str, object] = {"kind": HappeningKind.VERDICT_CHANGED, "at": Instant(5), "team": TeamId(1), "title": "it fails now"}
    values |= {"path": "/changes/1", "subject": 1, "severity": Severity.HIGH, "data": {"after": "fail"}}
    return Happening(**values | more)  # type: ignore[arg-type]


def _told(service: Service) -> list[int]:
    with service.database.read() as link:
        return list(link.execute(sa.select(channel_message.c.subscription).order_by(channel_message.c.id)).scalars())


def test_one_message_for_each_subscription_that_wants_it(service: Service) -> None:
    _teams(service)
    everything, own, other = subscribe(service), subscribe(service, whose=1), subscribe(service, whose=2)
    with service.database.write() as link:
        assert publish(service, link, _happening()) == 2
    assert _told(service) == [everything, own]
    assert other not in _told(service)
    with service.database.read() as link:
        row = link.execute(sa.select(happening)).one()
    assert (row.subject_name, row.repository_name, row.repository) == ("shop/cart@main", "shop/cart", 1)


def test_what_is_of_no_team_is_told_to_nobody_who_sees_one_team_only(service: Service) -> None:
    _teams(service)
    everything = subscribe(service)
    subscribe(service, whose=1)
    with service.database.write() as link:
        publish(service, link, _happening(team=None))
    assert _told(service) == [everything]


@pytest.mark.parametrize(
    ("wants", "is_told"),
    [
        (Wants(), True),
        (Wants(kinds=(HappeningKind.VERDICT_CHANGED,)), True),
        (Wants(kinds=(HappeningKind.ITEM_OPENED,)), False),
        (Wants(severity=Severity.HIGH), True),
        (Wants(severity=Severity.CRITICAL), False),
        (Wants(subject="shop/*@main"), True),
        (Wants(subject="bank/**"), False),
    ],
)
def test_what_is_not_wanted_is_not_written(service: Service, wants: Wants, is_told: bool) -> None:
    _teams(service)
    subscribe(service, wants=wants)
    with service.database.write() as link:
        publish(service, link, _happening())
    assert bool(_told(service)) is is_told


def test_that_all_is_well_again_is_told_to_those_who_want_what_is_grave(service: Service) -> None:
    _teams(service)
    subscribe(service, wants=Wants(severity=Severity.CRITICAL))
    with service.database.write() as link:
        publish(service, link, _happening(severity=None))
    assert len(_told(service)) == 1


@pytest.mark.parametrize("state", ["paused", "disabled"])
def test_who_is_paused_is_not_told_later_either(service: Service, state: str) -> None:
    _teams(service)
    subscribe(service, state=state)
    with service.database.write() as link:
        publish(service, link, _happening())
    assert _told(service) == []


def test_what_is_rolled_back_was_never_told(service: Service) -> None:
    _teams(service)
    subscribe(service)

    def fail() -> None:
        with service.database.write() as link:
            publish(service, link, _happening())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _told(service) == []
    with service.database.read() as link:
        assert link.execute(sa.select(sa.func.count()).select_from(subscription)).scalar() == 1
        assert link.execute(sa.select(sa.func.count()).select_from(happening)).scalar() == 0
