from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.errors import AssayError, SubjectUnreadable, UsageError
from assaymark.feedback.forges.send import NotUnderstood
from assaymark.jobs.job import clock
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant
from assaymark.model.trigger import MergeRequest, RemoteRepository, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work import deliver as module
from assaymark.server.work.cases import end_cancelled
from assaymark.server.work.deliver import announce, deliver
from assaymark.server.work.intake import Source, accept
from assaymark.store.outbox import MessageState
from assaymark.store.tables import assessment, connection, job, outbox, repository, subject


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


class Answer:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code

    def json(self) -> Any:
        return {"id": 5}


class Forge:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.code = 201

    def request(self, method: str, url: str, *, json: Any = None, params: Any = None, headers: Any = None) -> Answer:
        self.asked.append((method, url, json))
        return Answer(self.code)


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Forge:
    made = Forge()

    @contextmanager
    def client(_settings: object) -> Iterator[Forge]:
        yield made

    monkeypatch.setattr(module, "outgoing_client", client)
    return made


def _assessment(service: Service, state: AssessmentState, summary: str = "2 new findings") -> AssessmentId:
    trigger = Trigger(TriggerKind.MERGE_REQUEST, merge_request=MergeRequest(7, "main", "b" * 40))
    with service.database.write() as link:
        if not link.execute(sa.select(connection.c.id)).first():
            sealed = service.vault.seal("connection:1:token", "t0ken")
            row = {"id": 1, "kind": "github", "name": "forge", "api_url": "https://forge.example/api", "token": sealed, "created_at": 0}
            link.execute(connection.insert(), row)
            link.execute(repository.insert(), {"id": 1, "connection": 1, "name": "team/app", "clone_url": "https://x/y", "created_at": 0})
            row = {"id": 1, "kind": "merge-request", "key": "1:7", "name": "team/app!7", "repository": 1, "created_at": 0}
            link.execute(subject.insert(), row)
        row = {"subject": 1, "state": state, "trigger": "merge-request", "head": "b" * 40, "queued_at": 0, "summary": summary}
        row["trigger_details"] = msgspec.json.encode(trigger).decode()
        number = link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one()
        announce(service, link, AssessmentId(number))
    return AssessmentId(number)


def _states(service: Service) -> list[str]:
    with service.database.read() as link:
        return list(link.execute(sa.select(outbox.c.state).order_by(outbox.c.id)).scalars())


def test_a_failed_change_gets_a_mark_and_a_comment(service: Service, forge: Forge) -> None:
    number = _assessment(service, AssessmentState.UNPROVEN)
    deliver(service, {}, Attempt())
    (_, mark, body), (_, said, text) = forge.asked
    assert mark.endswith("/repos/team/app/statuses/" + "b" * 40)
    assert body["target_url"].endswith(f"/changes/{number}")
    assert said.endswith("/issues/7/comments")
    assert "2 new findings" in text["body"]
    assert _states(service) == [MessageState.SENT, MessageState.SENT]


def test_the_same_words_are_not_said_twice(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.UNPROVEN)
    deliver(service, {}, Attempt())
    with service.database.write() as link:
        announce(service, link, AssessmentId(1))
    deliver(service, {}, Attempt())
    assert [url.rpartition("/")[2] for _, url, _ in forge.asked] == ["b" * 40, "comments", "b" * 40]


def test_a_pass_without_an_earlier_comment_is_a_mark_alone(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.PASS, "nothing new")
    deliver(service, {}, Attempt())
    assert len(forge.asked) == 1


def test_of_two_messages_of_one_commit_the_later_is_sent(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.QUEUED)
    _assessment(service, AssessmentState.PASS)
    deliver(service, {}, Attempt())
    assert [body["state"] for _, _, body in forge.asked] == ["success"]
    assert _states(service)[0] == MessageState.OVERTAKEN


def test_a_forge_that_is_down_is_asked_again_later(service: Service, forge: Forge) -> None:
    forge.code = 503
    _assessment(service, AssessmentState.FAIL)
    deliver(service, {}, Attempt())
    assert _states(service)[0] == MessageState.WAITING
    if service.database.is_sqlite:
        with service.database.read() as link:
            assert link.execute(sa.select(job.c.id).where(job.c.key.startswith("deliver:"), job.c.due_at > 0)).first()


def test_a_forge_that_forbids_is_not_asked_again(service: Service, forge: Forge) -> None:
    forge.code = 403
    _assessment(service, AssessmentState.PASS)
    deliver(service, {}, Attempt())
    assert _states(service)[0] == MessageState.GIVEN_UP


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (UsageError("10.0.0.1 may not be gone to"), MessageState.GIVEN_UP),
        (SubjectUnreadable("forge.example cannot be found"), MessageState.WAITING),
        (NotUnderstood("https://forge.example"), MessageState.WAITING),
    ],
)
def test_a_forge_that_cannot_be_reached_or_understood_stops_nothing_else(
    service: Service, forge: Forge, monkeypatch: pytest.MonkeyPatch, error: AssayError, state: MessageState
) -> None:
    _assessment(service, AssessmentState.UNPROVEN)
    kept = forge.request

    def request(method: str, url: str, **more: Any) -> Answer:
        if "/statuses/" in url:
            raise error
        return kept(method, url, **more)

    monkeypatch.setattr(forge, "request", request)
    deliver(service, {}, Attempt())
    assert _states(service) == [state, MessageState.SENT]
    with service.database.read() as link:
        assert link.execute(sa.select(outbox.c.error).order_by(outbox.c.id)).scalars().first()


def test_what_has_no_forge_is_told_to_nobody(service: Service, forge: Forge) -> None:
    with service.database.write() as link:
        link.execute(subject.insert(), {"id": 1, "kind": "host", "key": "h", "name": "h", "created_at": 0})
        row = {"id": 1, "subject": 1, "state": "pass", "trigger": "call", "head": "x", "queued_at": 0}
        link.execute(assessment.insert(), row)
        announce(service, link, AssessmentId(1))
    assert _states(service) == []


def test_bitbucket_on_ones_own_machines_is_not_spoken_to_in_the_language_of_the_cloud(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.FAIL)
    with service.database.write() as link:
        link.execute(outbox.delete())
        link.execute(connection.update().values(kind="bitbucket", api_url="https://forge.example/rest/api/1.0"))
    _assessment(service, AssessmentState.FAIL)
    assert _states(service) == []


def _push_of_the_same_commit(service: Service, state: AssessmentState) -> None:
    with service.database.write() as link:
        row = {"id": 2, "kind": "branch", "key": "1:refs/heads/x", "name": "team/app@x", "repository": 1, "created_at": 0}
        link.execute(subject.insert(), row)
        row = {"subject": 2, "state": state, "trigger": "push", "head": "b" * 40, "queued_at": 0, "summary": "s"}
        row["trigger_details"] = msgspec.json.encode(Trigger(TriggerKind.PUSH)).decode()
        announce(service, link, AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one()))


def test_a_push_that_passes_does_not_speak_for_a_request_that_fails(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.FAIL)
    _push_of_the_same_commit(service, AssessmentState.PASS)
    deliver(service, {}, Attempt())
    marks = {body["context"]: body["state"] for _, url, body in forge.asked if "/statuses/" in url}
    assert marks == {"assaymark": "failure", "assaymark/push": "success"}


def test_of_two_requests_to_merge_one_commit_the_worse_verdict_is_the_mark(service: Service, forge: Forge) -> None:
    _assessment(service, AssessmentState.FAIL, "worse")
    with service.database.write() as link:
        row = {"id": 2, "kind": "merge-request", "key": "1:8", "name": "team/app!8", "repository": 1, "created_at": 0}
        link.execute(subject.insert(), row)
        row = {"subject": 2, "state": "pass", "trigger": "merge-request", "head": "b" * 40, "queued_at": 0, "summary": "fine"}
        row["trigger_details"] = msgspec.json.encode(
            Trigger(TriggerKind.MERGE_REQUEST, merge_request=MergeRequest(8, "old", "b" * 40))
        ).decode()
        announce(service, link, AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one()))
    deliver(service, {}, Attempt())
    assert [body["description"] for _, url, body in forge.asked if "/statuses/" in url] == ["worse"]


def _marks(forge: Forge) -> list[tuple[str, str, str]]:
    return [(url.rpartition("/")[2][:1], body["state"], body["context"]) for _, url, body in forge.asked if "/statuses/" in url]


def _push(service: Service, head: str, ref: str = "refs/heads/x", **more: Any) -> AssessmentId:
    """As a forge's delivery brings it."""
    with service.database.write() as link:
        if not link.execute(sa.select(connection.c.id)).first():
            sealed = service.vault.seal("connection:1:token", "t0ken")
            row = {"id": 1, "kind": "github", "name": "forge", "api_url": "https://forge.example/api", "token": sealed, "created_at": 0}
            link.execute(connection.insert(), row)
        remote = RemoteRepository("team/app", "https://forge.example/team/app.git", default_branch="main")
        words: dict[str, Any] = {"kind": TriggerKind.PUSH, "repository": remote, "ref": ref, "after": head * 40}
        trigger = Trigger(**words | more)
        (number,) = accept(service, link, trigger, source=Source(connection_id=1))
    return number


def _later(service: Service, seconds: int = 3) -> Service:
    return msgspec.structs.replace(service, now=lambda: Instant(clock() + seconds * SECOND))


def test_before_there_is_a_verdict_the_commit_is_called_pending(service: Service, forge: Forge) -> None:
    _push(service, "a")
    deliver(service, {}, Attempt())
    assert _marks(forge) == []  # a verdict may come sooner
    deliver(_later(service), {}, Attempt())
    assert _marks(forge) == [("a", "pending", "assaymark/push")]


def test_a_verdict_that_comes_at_once_is_the_only_word(service: Service, forge: Forge) -> None:
    number = _push(service, "a")
    with service.database.write() as link:
        link.execute(assessment.update().where(assessment.c.id == number).values(state="pass"))
        announce(service, link, number)
    deliver(_later(service), {}, Attempt())
    assert _marks(forge) == [("a", "success", "assaymark/push")]


def test_a_commit_that_a_newer_one_overtook_is_said_to_be_that(service: Service, forge: Forge) -> None:
    _push(service, "a")
    deliver(_later(service), {}, Attempt())
    _push(service, "b", before="a" * 40)
    deliver(_later(service), {}, Attempt())
    assert sorted(_marks(forge)[1:]) == [("a", "error", "assaymark/push"), ("b", "pending", "assaymark/push")]


def test_a_nightly_look_calls_nothing_pending(service: Service, forge: Forge) -> None:
    _push(service, "a", kind=TriggerKind.SCHEDULE)
    deliver(_later(service), {}, Attempt())
    assert _marks(forge) == []


def test_what_somebody_cancelled_is_said_to_be_that(service: Service, forge: Forge) -> None:
    number = _push(service, "a")
    with service.database.write() as link:
        assert end_cancelled(service, link, number, "ada cancelled it")
    deliver(_later(service), {}, Attempt())
    assert [body["description"] for _, _, body in forge.asked] == ["ada cancelled it"]


def test_a_branch_that_ends_does_not_speak_for_another_at_the_same_commit(service: Service, forge: Forge) -> None:
    first = _push(service, "a", "refs/heads/main")
    _push(service, "a", "refs/heads/copy")
    with service.database.write() as link:
        link.execute(assessment.update().where(assessment.c.id == first).values(state="pass", summary="nothing new"))
    with service.database.write() as link:
        remote = RemoteRepository("team/app", "https://forge.example/team/app.git", default_branch="main")
        accept(service, link, Trigger(TriggerKind.ENDED, remote, ref="refs/heads/copy"), source=Source(connection_id=1))
    deliver(_later(service), {}, Attempt())
    assert _marks(forge) == [("a", "success", "assaymark/push")]


def test_the_same_push_twice_makes_no_second_comment(service: Service, forge: Forge) -> None:
    for _ in range(2):
        _assessment(service, AssessmentState.UNPROVEN)
        deliver(service, {}, Attempt())
    said = [(method, url.rpartition("/")[2]) for method, url, _ in forge.asked if "/comments" in url]
    assert said[0] == ("POST", "comments")
    assert set(said[1:]) <= {("PATCH", "5")}  # its link leads to the newest verdict
