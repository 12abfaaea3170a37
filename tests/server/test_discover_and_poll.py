from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.jobs.job import JobState
from assaymark.model.trigger import RemoteRepository, Trigger, TriggerKind
from assaymark.server.service import Service
from assaymark.server.work import discover, poll
from assaymark.server.work.handlers import HANDLERS, handler
from assaymark.server.work.intake import Source, accept
from assaymark.server.work.register import register
from assaymark.store import connections, repositories
from assaymark.store.tables import assessment, repository, subject
from assaymark.triggers.discovery.walk import Answer


class Attempt:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


def rows(service: Service, table: sa.Table) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(table).order_by(table.c.id)))


def jobs(service: Service, kind: str) -> list[Any]:
    with service.database.read() as link:
        return [row.job for row in service.queue.rows(link, JobState.WAITING, before=None, limit=99) if row.job.kind == kind]


def connect(service: Service, **options: Any) -> int:
    values = {"kind": "gitea", "name": "forge", "web_url": "https://forge.example", "api_url": "https://forge.example/api/v1"}
    with service.database.write() as link:
        return connections.create(link, values | {"options": json.dumps({"groups": ["orchard"]} | options), "created_at": 0})


def listing(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    names = [f"orchard/r{number}" for number in numbers]
    return [
        {"id": number, "full_name": name, "clone_url": f"https://forge.example/{name}.git", "default_branch": "main"} | more
        for number, name in zip(numbers, names, strict=True)
    ]


def asking(*repositories_: dict[str, Any]) -> Any:
    def ask(url: str, headers: Mapping[str, str]) -> Answer:
        return Answer(200, {}, json.dumps(repositories_).encode())

    return ask


def never() -> bool:
    return False


def test_new_repositories_of_a_group_appear_by_themselves(service: Service) -> None:
    number = connect(service)
    assert discover.discover_by(service, number, asking(*listing(1, 2)), never) == 2
    assert [row.ref for row in rows(service, subject)] == ["refs/heads/main"] * 2
    assert discover.discover_by(service, number, asking(*listing(1, 2, 3)), never) == 1
    assert len(rows(service, assessment)) == 3
    assert [row.name for row in rows(service, repository)] == ["orchard/r1", "orchard/r2", "orchard/r3"]


def test_what_is_archived_empty_or_a_fork_is_left_out(service: Service) -> None:
    number = connect(service)
    found = [*listing(1, archived=True), *listing(2, empty=True), *listing(3, fork=True)]
    assert discover.discover_by(service, number, asking(*found), never) == 0


def test_forks_are_taken_where_they_are_asked_for(service: Service) -> None:
    assert discover.discover_by(service, connect(service, forks=True), asking(*listing(3, fork=True)), never) == 1


def test_what_a_person_ended_stays_ended(service: Service) -> None:
    number = connect(service)
    discover.discover_by(service, number, asking(*listing(1)), never)
    with service.database.write() as link:
        repositories.end(link, rows(service, repository)[0].id, service.now())
    assert discover.discover_by(service, number, asking(*listing(1)), never) == 0
    assert rows(service, repository)[0].ended_at is not None


def test_a_renamed_repository_is_found_under_its_new_name(service: Service) -> None:
    number = connect(service)
    discover.discover_by(service, number, asking(*listing(1)), never)
    renamed = listing(1)[0] | {"full_name": "orchard/pears", "clone_url": "https://forge.example/orchard/pears.git"}
    assert discover.discover_by(service, number, asking(renamed), never) == 0
    assert [row.name for row in rows(service, repository)] == ["orchard/pears"]


def test_the_clock_puts_one_job_for_each_connection_with_groups(service: Service) -> None:
    number = connect(service)
    with service.database.write() as link:
        connections.create(link, {"kind": "gitea", "name": "without", "created_at": 0})
    for _ in range(2):
        discover.discover_all(service, {}, Attempt())
    assert [job.arguments for job in jobs(service, "discover")] == [{"connection": number}]


@pytest.mark.parametrize("kind", ["discover", "discover-all", "poll-repositories", "poll-repository"])
def test_the_handlers_are_there(kind: str) -> None:
    assert kind in HANDLERS
    assert callable(handler(kind))


# --- looking at refs -------------------------------------------------------------------------------------------------


class Remote:
    """A bare repository in a folder that the server may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        self.git("init", "-q", "--bare", "-b", "main", str(folder), at=folder.parent)

    def git(self, *words: str, at: Path | None = None) -> str:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        done = subprocess.run(["git", *who, *words], cwd=at or self.folder, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, ref: str, message: str) -> str:
        tree = self.git("hash-object", "-w", "-t", "tree", "/dev/null")
        made = self.git("commit-tree", tree, "-m", message)
        self.git("update-ref", ref, made)
        return made


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    (tmp_path / "git").mkdir()
    return Remote(tmp_path / "git" / "shop.git")


@pytest.fixture
def looking(service: Service, remote: Remote) -> Service:
    settings = msgspec.structs.replace(service.settings, local_repositories=(str(remote.folder.parent),))
    return msgspec.structs.replace(service, settings=settings)


def registered(service: Service, remote: Remote) -> int:
    with service.database.write() as link:
        done = register(service, link, RemoteRepository("shop", f"file://{remote.folder}"), Source())
    return int(done.repository.id)


def look(service: Service, number: int) -> None:
    poll.poll(service, {"repository": number}, Attempt())


def heads(service: Service) -> list[tuple[str, str, str, str]]:
    with service.database.read() as link:
        query = sa.select(subject.c.ref, assessment.c.trigger, assessment.c.base, assessment.c.head)
        return [tuple(row) for row in link.execute(query.join_from(assessment, subject).order_by(assessment.c.id))]


def test_the_first_look_judges_the_default_branch_only(looking: Service, remote: Remote) -> None:
    main = remote.commit("refs/heads/main", "one")
    remote.commit("refs/heads/old", "two")
    number = registered(looking, remote)
    assert [job.arguments for job in jobs(looking, "poll-repository")] == [{"repository": number}]
    look(looking, number)
    assert heads(looking) == [("refs/heads/main", "push", "", main)]
    assert rows(looking, repository)[0].default_branch == "main"
    look(looking, number)
    assert len(heads(looking)) == 1


def test_what_moved_was_made_or_deleted_without_a_webhook_is_seen(looking: Service, remote: Remote) -> None:
    remote.commit("refs/heads/main", "one")
    gone = remote.commit("refs/heads/gone", "two")
    number = registered(looking, remote)
    look(looking, number)
    with looking.database.write() as link:
        place = RemoteRepository("shop", f"file://{remote.folder}")
        accept(looking, link, Trigger(TriggerKind.PUSH, place, ref="refs/heads/gone", after=gone), source=Source())
    remote.git("update-ref", "-d", "refs/heads/gone")
    moved, made = remote.commit("refs/heads/main", "three"), remote.commit("refs/heads/new", "four")
    remote.git("tag", "-a", "-m", "x", "v1", moved)
    look(looking, number)
    seen = {(ref, head) for ref, _, _, head in heads(looking)[2:]}
    assert seen == {("refs/heads/main", moved), ("refs/heads/new", made), ("refs/tags/v1", moved)}
    [ended] = [row for row in rows(looking, subject) if row.ref == "refs/heads/gone"]
    assert ended.ended_at is not None


def test_what_came_by_a_webhook_is_not_judged_again(looking: Service, remote: Remote) -> None:
    first = remote.commit("refs/heads/main", "one")
    number = registered(looking, remote)
    look(looking, number)
    second = remote.commit("refs/heads/main", "two")
    with looking.database.write() as link:
        place = RemoteRepository("shop", f"file://{remote.folder}")
        accept(looking, link, Trigger(TriggerKind.PUSH, place, ref="refs/heads/main", before=first, after=second), source=Source())
    look(looking, number)
    assert [trigger for _, trigger, _, _ in heads(looking)] == ["push", "push"]


def test_what_comes_in_during_a_look_is_newer_than_the_look(looking: Service, remote: Remote) -> None:
    first = remote.commit("refs/heads/main", "one")
    number = registered(looking, remote)
    look(looking, number)
    with looking.database.read() as link:
        row = repositories.get(link, number)
    assert row is not None
    asked_at = looking.now()
    with looking.database.write() as link:
        place = RemoteRepository("shop", f"file://{remote.folder}")
        accept(looking, link, Trigger(TriggerKind.PUSH, place, ref="refs/heads/main", before=first, after="c" * 40), source=Source())
    assert poll.take_in(looking, row, poll.Seen({"refs/heads/main": "b" * 40}, "refs/heads/main"), asked_at) == 0
    assert rows(looking, assessment)[-1].head == "c" * 40


def test_another_default_branch_is_followed(looking: Service, remote: Remote) -> None:
    remote.commit("refs/heads/main", "one")
    remote.commit("refs/heads/trunk", "two")
    number = registered(looking, remote)
    look(looking, number)
    remote.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    look(looking, number)
    assert rows(looking, repository)[0].default_branch == "trunk"


def test_a_look_at_a_repository_with_other_ids_leaves_no_copy_of_the_wrong_kind(looking: Service, tmp_path: Path) -> None:
    remote = Remote.__new__(Remote)
    remote.folder, remote.env = tmp_path / "git" / "wide.git", {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    remote.git("init", "-q", "--bare", "--object-format=sha256", "-b", "main", str(remote.folder), at=tmp_path)
    head = remote.commit("refs/heads/main", "one")
    number = registered(looking, remote)
    look(looking, number)
    assert [each[3] for each in heads(looking)] == [head]
    assert not (looking.settings.data / "mirrors" / f"{number}.git" / "HEAD").exists()


def test_an_ended_or_unknown_repository_is_not_asked(looking: Service, remote: Remote) -> None:
    number = registered(looking, remote)
    with looking.database.write() as link:
        repositories.end(link, rows(looking, repository)[0].id, looking.now())
    look(looking, number)
    look(looking, 999)
    assert heads(looking) == []


def test_the_clock_puts_one_job_for_each_repository_that_is_looked_after(looking: Service) -> None:
    with looking.database.write() as link:
        for name in "abc":
            values = {"name": name, "clone_url": f"https://forge.example/{name}", "created_at": 0, "ended_at": 1 if name == "b" else None}
            link.execute(repository.insert(), values)
    poll.poll_all(looking, {}, Attempt())
    assert sorted(job.arguments["repository"] for job in jobs(looking, "poll-repository")) == [1, 3]


def test_a_repository_that_may_not_be_gone_to_says_so_and_is_not_asked_again(service: Service) -> None:
    with service.database.write() as link:
        remote = RemoteRepository("a/b", "https://127.0.0.1/a/b.git")
        number = register(service, link, remote, Source()).repository.id
    poll.poll(service, {"repository": number}, Attempt())
    with service.database.read() as link:
        row = repositories.get(link, number)
    assert row is not None
    assert "127.0.0.1" in row.problem
    with service.database.write() as link:
        repositories.note_problem(link, number, "")
        again = repositories.get(link, number)
    assert again is not None
    assert again.problem == ""
