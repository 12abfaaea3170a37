from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from assaymark.jobs.job import JobState, Priority
from assaymark.server.service import Service
from assaymark.store.tables import assessment, person, repository, subject, team

A, B, C = (letter * 40 for letter in "abc")
DIGEST = "sha256:" + "d" * 64
URL = "https://forge.example/orchard/shop.git"


def api(make: Any) -> Any:
    made = make()
    with made.service.database.write() as link:
        for slug in ("blue", "red"):
            link.execute(team.insert(), {"slug": slug, "name": slug, "created_at": 0})
        for login in ("admin", "viewer", "developer"):
            link.execute(person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})
        for name, own in (("shop", 2), ("store", 1)):
            row = {
                "name": f"orchard/{name}",
                "clone_url": URL.replace("shop", name),
                "default_branch": "main",
                "team": own,
                "created_at": 0,
            }
            link.execute(repository.insert(), row)

    def post(path: str, body: Any, who: str = "developer") -> Any:
        return made.client.post(f"/api/v1{path}", json=body, headers={"Authorization": f"Bearer {who}"})

    return made, post


def rows(service: Service, table: sa.Table) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(table).order_by(table.c.id)))


def moved(before: str = A, after: str = B, ref: str = "refs/heads/main") -> dict[str, str]:
    return {"ref": ref, "before": before, "after": after}


@pytest.mark.parametrize("name", [1, URL, URL.removesuffix(".git"), "https://FORGE.example/orchard/shop.git/"])
def test_a_pipeline_tells_what_was_pushed_and_goes_on(make: Any, name: Any) -> None:
    made, post = api(make)
    answer = post("/triggers", {"repository": name, "changes": [moved()]})
    [row] = rows(made.service, assessment)
    assert (answer.status_code, answer.json()) == (202, {"assessments": [row.id]})
    assert answer.headers["location"] == f"/api/v1/assessments/{row.id}"
    assert (row.base, row.head, row.trigger, row.actor, row.team) == (A, B, "push", "developer", 2)
    with made.service.database.read() as link:
        [job] = [each.job for each in made.service.queue.rows(link, JobState.WAITING, before=None, limit=9)]
    assert job.priority == Priority.PUSH


def test_a_git_hosts_hook_tells_of_several_refs_at_once(make: Any) -> None:
    made, post = api(make)
    changes = [moved(), moved("", C, "refs/heads/new"), moved(A, "0" * 40, "refs/heads/old"), moved("0" * 40, C, "refs/tags/v1")]
    answer = post("/triggers", {"repository": 1, "changes": changes, "actor": "ann"})
    assert len(answer.json()["assessments"]) == 3
    assert {(row.kind, row.ref) for row in rows(made.service, subject)} == {
        ("branch", "refs/heads/main"),
        ("branch", "refs/heads/new"),
        ("tag", "refs/tags/v1"),
    }


def test_a_merge_request_of_any_forge_can_be_told(make: Any) -> None:
    made, post = api(make)
    request = {"number": 7, "target": "main", "ref": "refs/changes/07/7/1", "head": B, "title": "Sell pears"}
    assert post("/triggers", {"repository": 1, "merge_request": request}).status_code == 202
    [about] = rows(made.service, subject)
    assert (about.kind, about.ref, about.name) == ("merge-request", "refs/changes/07/7/1", "orchard/shop#7")
    assert msgspec.json.decode(about.details)["base_ref"] == "refs/heads/main"


def test_an_image_can_be_told(make: Any) -> None:
    made, post = api(make)
    image = {"name": "registry.example/shop", "digest": DIGEST, "tag": "1"}
    assert post("/triggers", {"image": image, "team": 2}).status_code == 202
    assert [(row.key, row.team) for row in rows(made.service, subject)] == [("registry.example/shop:1", 2)]
    assert post("/triggers", {"image": image}).status_code == 403
    assert post("/triggers", {"image": image, "team": 1}, "admin").status_code == 400
    assert len(rows(made.service, assessment)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"repository": 1},
        {"changes": [moved()]},
        {"repository": 1, "changes": [moved()], "image": {"name": "a/b", "digest": DIGEST}},
        {"repository": 1, "changes": [moved(ref="main")]},
        {"repository": 1, "changes": [moved(ref="refs/notes/x")]},
        {"repository": 1, "changes": [moved(after="--output=/x")]},
        {"repository": 1, "changes": [moved()] * 1001},
        {"repository": 1, "merge_request": {"number": 0, "target": "main", "ref": "refs/x/1"}},
        {"repository": 1, "merge_request": {"number": 1, "target": "a b", "ref": "refs/x/1"}},
        {"repository": 1, "merge_request": {"number": 1, "target": "main", "ref": "refs/x/1", "url": "javascript:alert(1)"}},
        {"image": {"name": "a/b", "digest": "latest"}, "team": 2},
        {"image": {"name": "a/b@sha256:x", "digest": DIGEST}, "team": 2},
        {"repository": "--upload-pack=x", "changes": [moved()]},
        {"repository": 1, "changes": [moved()], "surprise": 1},
    ],
)
def test_what_is_no_trigger_is_refused(make: Any, body: dict[str, Any]) -> None:
    made, post = api(make)
    assert post("/triggers", body).status_code in (400, 422)
    assert rows(made.service, assessment) == []


@pytest.mark.parametrize("name", [2, 99, URL.replace("shop", "store"), "https://forge.example/none.git"])
def test_a_repository_of_another_team_is_not_here(make: Any, name: Any) -> None:
    made, post = api(make)
    assert post("/triggers", {"repository": name, "changes": [moved()]}).status_code == 404
    assert post("/deployments", {"repository": name, "environment": "p", "commit": B}).status_code == 404
    assert rows(made.service, assessment) == []


def test_who_only_reads_sends_no_triggers(make: Any) -> None:
    _, post = api(make)
    assert post("/triggers", {"repository": 2, "changes": [moved()]}, "viewer").status_code == 403
    assert post("/deployments", {"repository": 2, "environment": "p", "commit": B}, "viewer").status_code == 403


def test_an_environment_knows_what_runs_in_it(make: Any) -> None:
    made, post = api(make)
    first = {"repository": 1, "environment": "production", "digest": DIGEST, "commit": A, "version": "1.0", "url": "https://shop.example"}
    answer = post("/deployments", first | {"at": "2026-01-02T03:04:05Z"})
    assert answer.status_code == 202
    assert answer.headers["location"].startswith("/api/v1/assessments/")
    [about] = rows(made.service, subject)
    assert (about.kind, about.name, about.url) == ("environment", "orchard/shop production", "https://shop.example")
    runs = {"digest": DIGEST, "commit": A, "version": "1.0", "url": "https://shop.example", "since": "2026-01-02T03:04:05Z"}
    assert msgspec.json.decode(about.details) == runs
    post("/deployments", {"repository": 1, "environment": "production", "commit": B})
    assert msgspec.json.decode(rows(made.service, subject)[0].details) == {"commit": B}
    assert [row.state for row in rows(made.service, assessment)] == ["superseded", "queued"]


def test_environments_of_one_name_in_two_repositories_are_two(make: Any) -> None:
    made, post = api(make)
    for number in (1, 2):
        post("/deployments", {"repository": number, "environment": "production", "commit": A}, "admin")
    assert len(rows(made.service, subject)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"environment": "p"},
        {"environment": "", "commit": A, "repository": 1},
        {"environment": "p", "commit": A},
        {"environment": "p", "digest": "latest", "repository": 1},
        {"environment": "p", "commit": "HEAD", "repository": 1},
        {"environment": "p", "commit": A, "repository": 1, "url": "javascript:alert(1)"},
    ],
)
def test_what_is_no_deployment_is_refused(make: Any, body: dict[str, Any]) -> None:
    made, post = api(make)
    assert post("/deployments", body).status_code in (400, 422)
    assert rows(made.service, assessment) == []
