"""What is told of a verdict: that it is another one, once; and what is forgotten of it all."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.views import views_sample

from assaymark.model.assessment import SECOND, AssessmentId, Instant, RepositoryId
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.verdict import State, Verdict
from assaymark.server.service import Service
from assaymark.server.work.forgetting_messages import GIVEN_UP_DAYS, HAPPENED_DAYS, SENT_DAYS, clean_channels
from assaymark.server.work.publish import publish
from assaymark.server.work.telling import tell_change, tell_hit, tell_problem
from assaymark.store import outbox
from assaymark.store.outbox import Note
from assaymark.store.subscriptions import Wants
from assaymark.store.tables import assessment, channel_message, happening, repository, subject, subscription
from assaymark.store.tables import outbox as outbox_table

DAY = 86400 * SECOND


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


def ended(service: Service, state: str, verdict: Verdict | None = None, **more: Any) -> bool:
    """An assessment that ends now; gives whether that was told."""
    with service.database.write() as link:
        if not link.execute(sa.select(subject.c.id)).first():
            link.execute(repository.insert(), {"id": 1, "name": "shop/cart", "clone_url": "https://x/y", "created_at": 0})
            row = {"id": 1, "kind": "branch", "key": "k", "name": "shop/cart@main", "repository": 1, "created_at": 0}
            link.execute(subject.insert(), row)
        row = {"subject": 1, "state": state, "trigger": "push", "queued_at": 0, "finished_at": service.now(), "summary": "s"} | more
        number = AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one())
        return tell_change(service, link, number, verdict)


def told(service: Service) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(happening).order_by(happening.c.id)))


def test_a_first_verdict_is_news_when_it_does_not_pass(service: Service) -> None:
    assert not ended(service, "pass", views_sample.empty())
    assert ended(service, "fail", views_sample.rich())
    (row,) = told(service)
    assert row.kind == "verdict.changed"
    assert msgspec.json.decode(row.data)["before"] == "pass"
    assert row.severity is not None


def test_the_same_verdict_again_is_none(service: Service) -> None:
    assert ended(service, "fail", views_sample.rich())
    assert not ended(service, "fail", views_sample.rich())
    assert not ended(service, "fail", views_sample.rich(), trigger="schedule")
    assert len(told(service)) == 1


def test_that_all_is_well_again_is_told_and_weighs_nothing(service: Service) -> None:
    ended(service, "fail", views_sample.rich())
    assert ended(service, "pass", views_sample.empty())
    assert told(service)[1].severity is None


def test_what_could_not_be_judged_is_told_as_that(service: Service) -> None:
    assert ended(service, "unproven", None)
    assert told(service)[0].kind == "assessment.unproven"


@pytest.mark.parametrize("state", ["superseded", "cancelled", "queued"])
def test_what_ended_without_a_verdict_changes_nothing(service: Service, state: str) -> None:
    ended(service, "fail", views_sample.rich())
    assert not ended(service, state, None)
    assert not ended(service, "fail", views_sample.rich())


def test_an_import_is_no_verdict(service: Service) -> None:
    assert not ended(service, "fail", views_sample.rich(), trigger="import")
    assert ended(service, "fail", views_sample.rich())


def test_what_is_old_is_forgotten_and_what_waits_is_not(service: Service) -> None:
    now = service.now()
    with service.database.write() as link:
        row = {"id": 1, "kind": "webhook", "name": "s", "host": "h", "state": "active", "created_at": 0}
        link.execute(subscription.insert(), row | {"wants": msgspec.json.encode(Wants()).decode()})
        for age in (HAPPENED_DAYS + 1, GIVEN_UP_DAYS + 1, SENT_DAYS + 1, 0):
            publish(service, link, Happening(HappeningKind.ITEM_OPENED, Instant(now - age * DAY), None, f"{age}", "/"))
        for number, (state, age) in enumerate((("waiting", 500), ("given-up", 91), ("sent", 31), ("sent", 1)), 1):
            link.execute(channel_message.update().where(channel_message.c.id == number).values(state=state, created_at=now - age * DAY))
        for age, state in ((31, "sent"), (31, "waiting"), (1, "sent")):
            number = outbox.write(link, Note("status", f"s{age}{state}", "{}"), at=Instant(now - age * DAY))
            link.execute(outbox_table.update().where(outbox_table.c.id == number).values(state=state))
    clean_channels(service, {}, Attempt())
    with service.database.read() as link:
        assert list(link.execute(sa.select(channel_message.c.state).order_by(channel_message.c.id)).scalars()) == ["waiting", "sent"]
        assert list(link.execute(sa.select(outbox_table.c.state).order_by(outbox_table.c.id)).scalars()) == ["waiting", "sent"]
        assert len(list(link.execute(sa.select(happening.c.id)))) == 4  # the oldest is what a message that waits is about


def test_a_happening_that_no_message_is_about_is_forgotten_in_its_time(service: Service) -> None:
    with service.database.write() as link:
        for age in (HAPPENED_DAYS + 1, HAPPENED_DAYS - 1):
            publish(service, link, Happening(HappeningKind.ITEM_OPENED, Instant(service.now() - age * DAY), None, f"{age}", "/"))
    clean_channels(service, {}, Attempt())
    assert [row.title for row in told(service)] == [str(HAPPENED_DAYS - 1)]


def problem(service: Service, words: str) -> bool:
    with service.database.write() as link:
        if not link.execute(sa.select(repository.c.id)).first():
            link.execute(repository.insert(), {"id": 1, "name": "shop/cart", "clone_url": "https://x/y", "created_at": 0})
        return tell_problem(service, link, RepositoryId(1), words)


def test_a_repository_that_cannot_be_asked_is_told_once_and_so_is_that_it_can_again(service: Service) -> None:
    said = [problem(service, words) for words in ("", "no answer", "no answer at all", "", "", "gone")]
    assert said == [False, True, False, True, False, True]
    assert {row.path for row in told(service)} == {"/repositories"}


def test_new_knowledge_that_finds_something_is_told_with_what_it_weighs(service: Service) -> None:
    verdict = views_sample.rich()
    known = [each for each in verdict.findings if each.state is State.NEWLY_KNOWN]
    assert known
    ended(service, "pass", views_sample.empty(), trigger="advisory", cause="CVE-2026-1")
    with service.database.write() as link:
        assert tell_hit(service, link, AssessmentId(1), verdict)
        assert not tell_hit(service, link, AssessmentId(1), views_sample.empty())
    (row,) = told(service)
    assert row.kind == "advisory.hit"
    assert "CVE-2026-1" in row.title
    assert row.severity == max(each.finding.severity.rank for each in known)
