from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.errors import UsageError
from assaymark.jobs.job import JobState, Priority
from assaymark.model.access import TeamId
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.intake import Source, accept
from assaymark.store import repositories
from assaymark.store.repositories import Foreign, address
from assaymark.store.tables import assessment, connection, repository, subject, team

A, B, C, D = (letter * 40 for letter in "abcd")
REMOTE = RemoteRepository("group/project", "https://forge.example/group/project.git", forge_id="7", default_branch="main")


@pytest.fixture
def source(service: Service) -> Source:
    return Source(connection_id=_connection(service))


def _connection(service: Service, name: str = "forge", of: int | None = None) -> int:
    with service.database.write() as link:
        row = {"kind": "gitlab", "name": name, "created_at": 0, "team": of}
        return int(link.execute(connection.insert().returning(connection.c.id), row).scalar_one())


def _team(service: Service, slug: str) -> TeamId:
    with service.database.write() as link:
        row = {"slug": slug, "name": slug, "created_at": 0}
        return TeamId(link.execute(team.insert().returning(team.c.id), row).scalar_one())


def push(before: str, after: str, ref: str = "refs/heads/main", **more: Any) -> Trigger:
    return Trigger(TriggerKind.PUSH, repository=more.pop("repository", REMOTE), ref=ref, before=before, after=after, **more)


def take(service: Service, trigger: Trigger, source: Source) -> list[int]:
    with service.database.write() as link:
        return [int(number) for number in accept(service, link, trigger, source=source)]


def rows(service: Service, table: sa.Table = assessment) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(table).order_by(table.c.id)))


def finish(service: Service, number: int, state: str = "pass", **more: Any) -> None:
    with service.database.write() as link:
        link.execute(assessment.update().where(assessment.c.id == number).values(state=state, **more))


def waiting(service: Service) -> list[Any]:
    with service.database.read() as link:
        return [each.job for each in service.queue.rows(link, JobState.WAITING, before=None, limit=100)]


def test_a_push_to_an_unknown_repository_makes_all_there_is_to_make(service: Service, source: Source) -> None:
    [number] = take(service, push(A, B, actor="ann"), source)
    [row] = rows(service)
    assert (row.id, row.state, row.base, row.head, row.actor) == (number, "queued", A, B, "ann")
    assert msgspec.json.decode(row.trigger_details, type=Trigger) == push(A, B, actor="ann")
    [place] = rows(service, repository)
    assert (place.name, place.clone_url, place.forge_id) == ("group/project", REMOTE.clone_url, "7")
    [about] = rows(service, subject)
    assert (about.kind, about.key, about.name) == ("branch", f"{place.id}:refs/heads/main", "group/project@main")
    [job] = waiting(service)
    assert (job.kind, job.arguments, job.key, job.lock) == (
        "assess",
        {"assessment": number},
        f"assess:{number}",
        f"subject:{about.id}",
    )
    assert job.priority == Priority.PUSH


def test_a_newer_push_supersedes_what_is_queued_and_begins_where_that_began(service: Service, source: Source) -> None:
    numbers = [take(service, push(before, after), source)[0] for before, after in ((A, B), (B, C), (C, D))]
    first, second, third = rows(service)
    assert [each.state for each in (first, second, third)] == ["superseded", "superseded", "queued"]
    assert (first.superseded_by, second.superseded_by) == (numbers[1], numbers[2])
    assert first.finished_at is not None
    assert (third.base, third.head) == (A, D)
    assert [job.arguments["assessment"] for job in waiting(service)] == [numbers[2]]


def test_what_runs_is_left_to_finish_and_the_next_begins_at_its_head(service: Service, source: Source) -> None:
    [running] = take(service, push(A, B), source)
    finish(service, running, "running")
    take(service, push(B, C), source)
    take(service, push(C, D), source)
    states = [(row.state, row.base, row.head) for row in rows(service)]
    assert states == [("running", A, B), ("superseded", B, C), ("queued", B, D)]


def test_a_push_after_one_that_got_lost_is_judged_from_what_was_judged_last(service: Service, source: Source) -> None:
    [number] = take(service, push(A, B), source)
    finish(service, number)
    take(service, push(C, D), source)
    assert rows(service)[-1].base == B


def test_what_could_not_be_run_is_covered_by_the_next(service: Service, source: Source) -> None:
    [number] = take(service, push(A, B), source)
    finish(service, number)
    [number] = take(service, push(B, C), source)
    finish(service, number, "unproven")
    take(service, push(C, D), source)
    assert rows(service)[-1].base == B


def test_a_push_that_is_overtaken_does_not_become_the_newest(service: Service, source: Source) -> None:
    take(service, push(B, C), source)
    take(service, push(A, B), source)
    newer, late = rows(service)
    assert (newer.state, newer.base, newer.head) == ("queued", A, C)
    assert (late.state, late.superseded_by) == ("superseded", newer.id)
    assert len(waiting(service)) == 1


def test_a_push_that_is_overtaken_by_one_that_runs_is_judged_up_to_the_newest_head(service: Service, source: Source) -> None:
    [number] = take(service, push(B, C), source)
    finish(service, number, "running")
    take(service, push(A, B), source)
    late = rows(service)[-1]
    assert (late.state, late.base, late.head) == ("queued", A, C)


def test_going_back_to_the_commit_before_is_a_push_like_any_other(service: Service, source: Source) -> None:
    for before, after in ((A, B), (B, A)):
        [number] = take(service, push(before, after), source)
        finish(service, number)
    take(service, push(A, B), source)
    assert (rows(service)[-1].base, rows(service)[-1].head) == (A, B)


def test_a_head_that_was_judged_is_answered_with_one_more_assessment(service: Service, source: Source) -> None:
    [number] = take(service, push(A, B), source)
    finish(service, number)
    assert len(take(service, push(A, B), source)) == 1
    assert [(row.state, row.base, row.head) for row in rows(service)] == [("pass", A, B), ("queued", A, B)]


def test_a_new_branch_has_no_base(service: Service, source: Source) -> None:
    take(service, push("0" * 40, B, "refs/heads/new"), source)
    assert rows(service)[0].base == ""


def request(head: str, number: int = 3, **more: Any) -> Trigger:
    mr = MergeRequest(number, "main", head, base=A, title="T", url="https://forge.example/group/project/-/merge_requests/3")
    ref = f"refs/merge-requests/{number}/head"
    return Trigger(TriggerKind.MERGE_REQUEST, REMOTE, SubjectKind.MERGE_REQUEST, ref=ref, merge_request=mr, **more)


def test_a_merge_request_is_a_subject_of_its_own(service: Service, source: Source) -> None:
    take(service, request(B), source)
    take(service, request(C), source)
    take(service, request(C, 4), source)
    assert [(row.state, row.base, row.head) for row in rows(service)] == [("superseded", A, B), ("queued", A, C), ("queued", A, C)]
    about = rows(service, subject)[0]
    assert (about.kind, about.name, about.url) == ("merge-request", "group/project#3", request(B).merge_request.url)  # type: ignore[union-attr]
    assert msgspec.json.decode(about.details)["base_ref"] == "main"


def test_what_ends_is_closed_and_its_queued_work_cancelled(service: Service, source: Source) -> None:
    take(service, request(B), source)
    ended = msgspec.structs.replace(request(B), kind=TriggerKind.ENDED)
    assert take(service, ended, source) == []
    assert rows(service)[0].state == "cancelled"
    assert rows(service, subject)[0].ended_at is not None
    assert waiting(service) == []
    take(service, request(C), source)
    assert rows(service, subject)[0].ended_at is None


def test_the_end_of_what_was_never_seen_makes_nothing(service: Service, source: Source) -> None:
    assert take(service, Trigger(TriggerKind.ENDED, REMOTE, ref="refs/heads/x"), source) == []
    assert rows(service, subject) == []


def test_entries_of_a_merge_queue_do_not_supersede_each_other(service: Service, source: Source) -> None:
    for name in ("pr-1-x", "pr-2-y"):
        ref = f"refs/heads/gh-readonly-queue/main/{name}"
        take(service, Trigger(TriggerKind.MERGE_QUEUE, REMOTE, SubjectKind.MERGE_REQUEST, ref=ref, before=A, after=B), source)
    assert [(row.state, row.base) for row in rows(service)] == [("queued", A), ("queued", A)]
    assert {row.kind for row in rows(service, subject)} == {"merge-request"}


def test_a_rename_keeps_the_repository_and_shows_its_subjects_under_the_new_name(service: Service, source: Source) -> None:
    take(service, push(A, B), source)
    moved = RemoteRepository("other/thing", "https://forge.example/other/thing.git", forge_id="7", default_branch="trunk")
    assert take(service, Trigger(TriggerKind.REPOSITORY, moved), source) == []
    [row] = rows(service, repository)
    assert (row.name, row.clone_url, row.default_branch) == ("other/thing", moved.clone_url, "trunk")
    assert [each.name for each in rows(service, subject)] == ["other/thing@main"]


def test_another_repository_at_an_old_address_is_another_one(service: Service, source: Source) -> None:
    take(service, push(A, B), source)
    take(service, push(A, B, repository=msgspec.structs.replace(REMOTE, forge_id="8")), source)
    first, second = rows(service, repository)
    assert (first.ended_at is not None, second.ended_at, second.clone_url, second.forge_id) == (True, None, REMOTE.clone_url, "8")
    take(service, push(B, C, repository=msgspec.structs.replace(REMOTE, forge_id="8")), source)
    assert len(rows(service, repository)) == 2


def test_a_repository_that_was_registered_by_hand_is_found_with_or_without_git_at_its_end(service: Service, source: Source) -> None:
    plain = RemoteRepository("", "https://forge.example/group/project")
    take(service, push(A, B, repository=plain), Source())
    take(service, push(B, C), source)
    [row] = rows(service, repository)
    assert (row.connection, row.forge_id, row.clone_url) == (source.connection_id, "7", "https://forge.example/group/project")


def test_a_repository_that_was_ended_stays_so(service: Service, source: Source) -> None:
    take(service, push(A, B), source)
    take(service, Trigger(TriggerKind.ENDED, REMOTE, SubjectKind.REPOSITORY), source)
    assert take(service, push(B, C), source) == []
    assert [row.state for row in rows(service)] == ["cancelled"]
    take(service, Trigger(TriggerKind.REPOSITORY, REMOTE, details={"event": "unarchived"}), source)
    assert len(take(service, push(B, C), source)) == 1


def test_another_connection_cannot_speak_for_a_repository(service: Service, source: Source) -> None:
    take(service, push(A, B), source)
    with pytest.raises(Foreign):
        take(service, push(B, C), Source(connection_id=_connection(service, "other")))


def test_another_team_cannot_speak_for_a_repository(service: Service) -> None:
    ours, theirs = _team(service, "ours"), _team(service, "theirs")
    take(service, push(A, B), Source(team=ours))
    with pytest.raises(Foreign):
        take(service, push(B, C), Source(team=theirs))
    assert [row.team for row in rows(service)] == [ours]


def image(digest: str, tag: str = "1") -> Trigger:
    ref = f"registry.example/app@{digest}"
    return Trigger(TriggerKind.IMAGE, subject_kind=SubjectKind.IMAGE, ref=ref, after=digest, details={"tag": tag})


def test_an_image_is_known_by_name_and_tag_and_judged_by_digest(service: Service) -> None:
    ours, theirs = _team(service, "ours"), _team(service, "theirs")
    take(service, image("sha256:" + "1" * 64), Source(team=ours))
    take(service, image("sha256:" + "2" * 64, "2"), Source(team=ours))
    assert [row.key for row in rows(service, subject)] == ["registry.example/app:1", "registry.example/app:2"]
    with pytest.raises(Foreign):
        take(service, image("sha256:" + "3" * 64), Source(team=theirs))


def deployed(digest: str) -> Trigger:
    details = {"digest": digest, "version": "1.2"}
    return Trigger(TriggerKind.DEPLOYMENT, subject_kind=SubjectKind.ENVIRONMENT, ref="production", details=details)


def test_an_environment_knows_what_runs_and_what_ran(service: Service) -> None:
    old, new = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    [number] = take(service, deployed(old), Source())
    finish(service, number)
    take(service, deployed(new), Source())
    [about] = rows(service, subject)
    assert msgspec.json.decode(about.details) == {"digest": new, "version": "1.2"}
    assert (rows(service)[-1].base, rows(service)[-1].head) == (old, new)
    assert {job.priority for job in waiting(service)} == {Priority.DEPLOYMENT}


def test_what_supersedes_is_not_less_urgent_than_what_it_supersedes(service: Service, source: Source) -> None:
    take(service, push(A, B), source)
    take(service, push(B, C), Source(source.connection_id, priority=Priority.SCHEDULE))
    assert [job.priority for job in waiting(service)] == [Priority.PUSH]


def again(kind: TriggerKind, head: str) -> Trigger:
    return msgspec.structs.replace(push("", head), kind=kind)


@pytest.mark.parametrize("kind", [TriggerKind.SCHEDULE, TriggerKind.ADVISORY])
def test_a_change_that_waits_is_not_given_up_for_a_question_about_the_state(service: Service, source: Source, kind: TriggerKind) -> None:
    [change] = take(service, push(A, B), source)
    take(service, again(kind, B), source)
    first, second = rows(service)
    assert (first.state, first.base, first.head) == ("queued", A, B)
    assert (second.state, second.superseded_by) == ("superseded", change)
    assert [job.arguments["assessment"] for job in waiting(service)] == [change]


@pytest.mark.parametrize("kind", [TriggerKind.SCHEDULE, TriggerKind.ADVISORY])
def test_a_change_does_not_begin_where_a_question_about_the_state_did(service: Service, source: Source, kind: TriggerKind) -> None:
    [number] = take(service, push(A, B), source)
    finish(service, number)
    take(service, again(kind, B), source)
    take(service, push(B, C), source)
    assert [(row.state, row.base) for row in rows(service)] == [("pass", A), ("superseded", ""), ("queued", B)]


def test_a_push_that_is_overtaken_is_known_as_such_after_an_advisory_too(service: Service, source: Source) -> None:
    [number] = take(service, push(B, C), source)
    finish(service, number)
    [number] = take(service, again(TriggerKind.ADVISORY, C), source)
    finish(service, number)
    take(service, push(A, B), source)
    assert rows(service)[-1].head == C


def test_a_push_before_the_default_branch_was_judged_first_is_gated_by_itself(service: Service, source: Source) -> None:
    take(service, msgspec.structs.replace(push("", ""), kind=TriggerKind.CALL), source)
    take(service, push(A, B), source)
    assert (rows(service)[-1].state, rows(service)[-1].base, rows(service)[-1].head) == ("queued", A, B)


def test_a_new_branch_is_judged_from_its_beginning_after_more_pushes(service: Service, source: Source) -> None:
    for before, after in (("0" * 40, B), (B, C)):
        take(service, push(before, after, "refs/heads/new"), source)
    assert (rows(service)[-1].base, rows(service)[-1].head) == ("", C)


def test_bots_are_gated_like_people(service: Service, source: Source) -> None:
    assert len(take(service, push(A, B, actor="renovate[bot]", bot=True), source)) == 1


@pytest.mark.parametrize(
    "url", ["--upload-pack=x", "ext::sh -c x", "https://", "not a url", "https://h/\n", "ftp://h/x", "https://h/" + "a" * 2000]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        address(url)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:pass@Forge.Example/a/b.git/#x", "https://forge.example/a/b.git"),
        ("git@forge.example:a/b.git", "ssh://git@forge.example/a/b.git"),
        ("ssh://git@forge.example:2222/a/b", "ssh://git@forge.example:2222/a/b"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git"),
    ],
)
def test_an_address_is_kept_without_credentials(url: str, kept: str) -> None:
    assert address(url) == kept


def test_handing_a_repository_to_another_team_takes_its_open_work_along(service: Service, source: Source) -> None:
    ours = _team(service, "ours")
    [done] = take(service, push(A, B), source)
    finish(service, done)
    take(service, push(B, C), source)
    with service.database.write() as link:
        repositories.give_to(link, rows(service, repository)[0].id, ours, service.now())
    assert [row.team for row in rows(service)] == [None, ours]
    assert [row.team for row in rows(service, subject)] == [ours]
    assert len(take(service, push(C, D), source)) == 1


def test_deliveries_at_the_same_time_for_one_new_repository_make_it_once(service: Service, source: Source) -> None:
    many, wrong = 8, []
    gate = threading.Barrier(many)

    def deliver(which: int) -> None:
        gate.wait()
        try:
            take(service, push(A, f"{which:x}" * 40, "refs/heads/" + ("main" if which % 2 else "dev")), source)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            wrong.append(error)

    threads = [threading.Thread(target=deliver, args=(which,)) for which in range(1, many + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(rows(service, repository)) == 1
    assert len(rows(service, subject)) == 2
    states = [row.state for row in rows(service)]
    assert (len(states), states.count("queued"), states.count("superseded")) == (many, 2, many - 2)
    assert len(waiting(service)) == 2
